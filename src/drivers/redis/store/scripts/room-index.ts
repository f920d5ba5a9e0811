import { FORMAT } from '../../client/format-check.ts'
import type { Script } from '../../client/script.ts'
import { RECORD } from '../record-name.ts'

/*
 * Index of a chat's rooms and of the records of its members, in its own slot. A record counts as a room whose name begins with `?@`.
 * used, a sorted set: rooms by the time of their last use, in ms.
 * bytes, a sorted set: rooms by their charge in bytes; under '', the negative total.
 * empty, a sorted set: rooms that never had entries, by the time of their last use, as in `used`. A version without this set changes the
 * time in `used` only: such a room may have entries now.
 * evicting, a string: the node that evicts rooms now.
 * format, a string: the number of the format of all data. It is written with the index, so that no index is without it.
 * Nodes write absolute values, so the next use of a room corrects an error after a failure.
 *
 * Scripts begin their writes with ZREM: Redis allows it while it is out of memory, and then all later writes of the script.
 * Without the index, nothing could be evicted then.
 */

/**
 * Updates the index. KEYS: used, bytes, evicting, format, empty. ARGV: ms a room is kept, ms a record is kept, maximum bytes of all rooms,
 * node, ms for which it may evict, ms an empty room is kept; name and charge of each used room, 0 if the room is gone, and 1 if it had no
 * entries, 0 if it had some, or '' if that is unknown. Returns the total, 1 if this node must evict, the number of rooms, and 1 if there was
 * no valid index before: Redis may hold rooms that it lacks.
 */
export const updateIndex: Script = {
  name: 'fastifyChatUpdateIndex',
  keys: 5,
  writes: true,
  lua: `
local used, bytes, evicting, empty = KEYS[1], KEYS[2], KEYS[3], KEYS[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rooms = redis.call('ZCARD', used)
redis.call('ZREM', used, '')
redis.call('SET', KEYS[4], '${FORMAT}', 'NX')
-- The sizes don't match without an index, or if only one of its keys was evicted or deleted.
local isNew = rooms + 1 ~= redis.call('ZCARD', bytes) and 1 or 0
if isNew == 1 then redis.call('DEL', used, bytes, empty) end
local grown = 0
local function remove(room)
  grown = grown - (redis.call('ZSCORE', bytes, room) or 0)
  redis.call('ZREM', bytes, room)
  redis.call('ZREM', used, room)
  redis.call('ZREM', empty, room)
end
local shortest, longest = math.min(ARGV[1], ARGV[2]), math.max(ARGV[1], ARGV[2])
-- Returns the number of those that stay.
local function removeExpired(found)
  local kept = 0
  for i = 1, #found, 2 do
    local ttl = string.sub(found[i], 1, 2) == '${RECORD}' and ARGV[2] or ARGV[1]
    if tonumber(found[i + 1]) <= now - ttl then remove(found[i]) else kept = kept + 1 end
  end
  return kept
end
-- Where many that are kept for longer are the least recently used, each call inspects others too.
if removeExpired(redis.call('ZRANGEBYSCORE', used, '-inf', now - shortest, 'WITHSCORES', 'LIMIT', 0, 100)) == 100 then
  removeExpired(redis.call('ZRANGE', used, now % rooms, now % rooms + 99, 'WITHSCORES'))
end
-- Each call removes more rooms than it can add, so that the set does not grow.
for _, room in ipairs(redis.call('ZRANGEBYSCORE', empty, '-inf', now - ARGV[6], 'LIMIT', 0, 100 + math.floor(#ARGV / 3))) do
  if redis.call('ZSCORE', used, room) == redis.call('ZSCORE', empty, room) then remove(room) else redis.call('ZREM', empty, room) end
end
for i = 7, #ARGV, 3 do
  if ARGV[i + 1] == '0' then remove(ARGV[i]) end
end
for i = 7, #ARGV, 3 do
  local room, charge = ARGV[i], tonumber(ARGV[i + 1])
  if charge > 0 then
    grown = grown + charge - (redis.call('ZSCORE', bytes, room) or 0)
    redis.call('ZADD', bytes, charge, room)
    -- The fraction keeps the order of the rooms of one call.
    local usedAt, isEmpty = now + i / #ARGV / 2, ARGV[i + 2]
    -- Another node may have written a first post before this one writes an earlier read.
    if isEmpty == '0' then
      redis.call('ZREM', empty, room)
    elseif redis.call('ZSCORE', empty, room) or (isEmpty == '1' and not redis.call('ZSCORE', used, room)) then
      redis.call('ZADD', empty, usedAt, room)
    end
    redis.call('ZADD', used, usedAt, room)
  end
end
local total = -redis.call('ZINCRBY', bytes, -grown, '')
redis.call('PEXPIRE', used, longest)
redis.call('PEXPIRE', bytes, longest)
redis.call('PEXPIRE', empty, longest)
local holder = redis.call('GET', evicting)
local evicts = 0
if total > tonumber(ARGV[3]) then
  if not holder or holder == ARGV[4] then
    redis.call('SET', evicting, ARGV[4], 'PX', ARGV[5])
    evicts = 1
  end
elseif holder == ARGV[4] then
  redis.call('DEL', evicting)
end
return { total, evicts, redis.call('ZCARD', used), isNew }
`
}

/**
 * Adds rooms that the index lacks. KEYS: used, bytes, format. ARGV: ms that the index is kept; name, last use in ms and charge of each room.
 * Returns the number of rooms added.
 */
export const addToIndex: Script = {
  name: 'fastifyChatAddToIndex',
  keys: 3,
  writes: true,
  lua: `
local used, bytes = KEYS[1], KEYS[2]
redis.call('ZREM', used, '')
redis.call('SET', KEYS[3], '${FORMAT}', 'NX')
local grown, added = 0, 0
for i = 2, #ARGV, 3 do
  if not redis.call('ZSCORE', bytes, ARGV[i]) then
    redis.call('ZADD', used, ARGV[i + 1], ARGV[i])
    redis.call('ZADD', bytes, ARGV[i + 2], ARGV[i])
    grown, added = grown + ARGV[i + 2], added + 1
  end
end
redis.call('ZINCRBY', bytes, -grown, '')
redis.call('PEXPIRE', used, ARGV[1])
redis.call('PEXPIRE', bytes, ARGV[1])
return added
`
}

/**
 * KEYS: used, bytes. ARGV: number of rooms to skip, maximum number of rooms. Returns the total; name, last use and charge of
 * each of the least recently used rooms.
 */
export const oldestRooms: Script = {
  name: 'fastifyChatOldestRooms',
  keys: 2,
  writes: false,
  lua: `
local rooms = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
local reply = { -(redis.call('ZSCORE', KEYS[2], '') or 0) }
for i = 1, #rooms, 2 do
  reply[#reply + 1] = rooms[i]
  reply[#reply + 1] = string.format('%.0f', math.floor(rooms[i + 1]))
  reply[#reply + 1] = tonumber(redis.call('ZSCORE', KEYS[2], rooms[i]) or 0)
end
return reply
`
}

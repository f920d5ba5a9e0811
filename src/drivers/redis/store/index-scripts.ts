import type { Script } from '../client/script.ts'
import { open } from './scripts.ts'

/*
 * The index of the rooms of a chat, in a slot of its own. used, a sorted set: rooms by when they were last used, ms.
 * bytes, a sorted set: rooms by what they are charged, and under '' the total, negative. evicting: the node that evicts.
 * Nodes write absolute values, so what is wrong after a failure is right after the next use of the room.
 *
 * ZREM is allowed while Redis is out of memory, and so is all that a script writes after it. Without the index nothing
 * could be evicted then.
 */

/**
 * KEYS: used, bytes, evicting. ARGV: ms a room is kept, bytes that all may take, node, ms that it may evict; for each room
 * used its name and charge, 0 if it is gone. Gives the total, 1 if this node is to evict, how many rooms there are, and 1 if
 * there was no index before: rooms may be in Redis that are not in it.
 */
export const note: Script = {
  name: 'fastifyChatNote',
  keys: 3,
  writes: true,
  lua: `
local used, bytes, evicting = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rooms = redis.call('ZCARD', used)
redis.call('ZREM', used, '')
-- One of them alone was evicted or deleted.
local isNew = rooms + 1 ~= redis.call('ZCARD', bytes) and 1 or 0
if isNew == 1 then redis.call('DEL', used, bytes) end
local grown = 0
local function remove(room)
  grown = grown - (redis.call('ZSCORE', bytes, room) or 0)
  redis.call('ZREM', bytes, room)
  redis.call('ZREM', used, room)
end
for _, room in ipairs(redis.call('ZRANGEBYSCORE', used, '-inf', now - ARGV[1], 'LIMIT', 0, 100)) do remove(room) end
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '0' then remove(ARGV[i]) end
end
for i = 5, #ARGV, 2 do
  local room, charge = ARGV[i], tonumber(ARGV[i + 1])
  if charge > 0 then
    grown = grown + charge - (redis.call('ZSCORE', bytes, room) or 0)
    redis.call('ZADD', bytes, charge, room)
    -- Those of one call in their order.
    redis.call('ZADD', used, now + i / #ARGV / 2, room)
  end
end
local total = -redis.call('ZINCRBY', bytes, -grown, '')
redis.call('PEXPIRE', used, ARGV[1])
redis.call('PEXPIRE', bytes, ARGV[1])
local holder = redis.call('GET', evicting)
local evicts = 0
if total > tonumber(ARGV[2]) then
  if not holder or holder == ARGV[3] then
    redis.call('SET', evicting, ARGV[3], 'PX', ARGV[4])
    evicts = 1
  end
elseif holder == ARGV[3] then
  redis.call('DEL', evicting)
end
return { total, evicts, redis.call('ZCARD', used), isNew }
`
}

/**
 * Adds rooms that the index lacks. KEYS: used, bytes. ARGV: ms a room is kept; for each room its name, last use in ms, and
 * charge. Gives how many were added.
 */
export const add: Script = {
  name: 'fastifyChatAdd',
  keys: 2,
  writes: true,
  lua: `
local used, bytes = KEYS[1], KEYS[2]
redis.call('ZREM', used, '')
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

/** KEYS: used, bytes. ARGV: how many to skip, how many to give. Gives the total; of the rooms used longest ago each its name, last use and charge. */
export const oldest: Script = {
  name: 'fastifyChatOldest',
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

/**
 * Forgets a room that nobody follows or has posted in since. KEYS: those of a room. ARGV: ms of its last use, subcommand
 * of PUBSUB, channel. Gives what it is charged if it is in use, else 0.
 */
export const evict: Script = {
  name: 'fastifyChatEvict',
  keys: 3,
  writes: true,
  lua: `${open}
if not lost then
  local posted = state.at > tonumber(ARGV[1]) and state.at <= now
  if posted or redis.call('PUBSUB', ARGV[2], ARGV[3])[2] > 0 then return cost() end
end
redis.call('DEL', room, log, order)
return 0
`
}

/** Forgets the older half of a room's entries and keys; the last entry is kept. KEYS: those of a room. Gives what it is charged then. */
export const halve: Script = {
  name: 'fastifyChatHalve',
  keys: 3,
  writes: true,
  lua: `${open}
if lost then return 0 end
local kept = state.n - state.first + 1
local gone = math.floor(kept / 2)
if gone > 0 then
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', gone)) do
    state.bytes = state.bytes - costOf(entry[2][2])
  end
  redis.call('XTRIM', log, 'MAXLEN', kept - gone)
  state.first = state.first + gone
end
for _ = 1, math.floor(state.keys / 2) do
  local key = redis.call('LPOP', order)
  local known = redis.call('HGET', room, '=' .. key) or '0 0 '
  redis.call('HDEL', room, '=' .. key)
  state.keys, state.keyBytes = state.keys - 1, state.keyBytes - keyCost(key, known)
  state.forgotten = math.max(state.forgotten, tonumber(string.match(known, '^%d+')))
end
save()
return cost()
`
}

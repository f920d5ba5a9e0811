import type { Script } from '../../client/script.ts'
import { MAX_READ_POSITIONS, READ_POSITIONS_TTL } from '../../../../store.ts'

/*
 * A record of a member's read positions is one hash.
 * /<room>: the position. '': number of the rooms, bytes of the other fields, and 1 if Redis has stored it as a hash table.
 * Its key is that of a room's state, which has no such field: nodes of versions without records find a room that is lost there. They
 * neither list it nor add it to the index, and delete it when they evict it. Its ttl begins again with each use, and shows the last one.
 */

/** Functions on a record. `#name` is in the key, and twice in the index. A hash is a table beyond either limit of Redis. */
const functions = `
local record = KEYS[1]
local function sizes()
  local rooms, bytes, isTable = string.match(redis.call('HGET', record, '') or '', '^(%d+) (%d+) (%d)$')
  return tonumber(rooms) or 0, tonumber(bytes) or 0, isTable == '1'
end
local function save(rooms, bytes, isTable) redis.call('HSET', record, '', string.format('%.0f %.0f %d', rooms, bytes, isTable and 1 or 0)) end
local function charge(rooms, bytes, isTable)
  if rooms == 0 then return 0 end
  return 512 + 4 * #record + math.floor(1.25 * bytes) + rooms * (isTable and 96 or 12)
end
local function timeOf(position) return tonumber(string.match(position, '%-(%d+)%-%d+$')) or -1 end
local function movesForward(position, kept)
  local at, keptAt = timeOf(position), timeOf(kept)
  if at ~= keptAt then return at > keptAt end
  local epoch, offset = string.match(position, '^(.*)%-%d+%-(%d+)$')
  local keptEpoch, keptOffset = string.match(kept, '^(.*)%-%d+%-(%d+)$')
  return epoch ~= keptEpoch or tonumber(offset) > tonumber(keptOffset)
end
`

/**
 * Moves read positions forward. KEYS: record. ARGV: room and position of each. Returns the charge. The first write
 * takes memory, see room-state.ts.
 */
export const markRead: Script = {
  name: 'fastifyChatMarkRead',
  keys: 1,
  writes: true,
  lua: `${functions}
local rooms, bytes, isTable = sizes()
local hasMoved = false
for i = 1, #ARGV, 2 do
  local field, position = '/' .. ARGV[i], ARGV[i + 1]
  local kept = redis.call('HGET', record, field)
  if not kept or movesForward(position, kept) then
    redis.call('HSET', record, field, position)
    if not kept then rooms, bytes = rooms + 1, bytes + #field end
    bytes = bytes + #position - (kept and #kept or 0)
    isTable = isTable or #field > 64 or rooms >= 512
    hasMoved = true
  end
end
if rooms > ${MAX_READ_POSITIONS} then
  local all, positions = redis.call('HGETALL', record), {}
  for i = 1, #all, 2 do
    if all[i] ~= '' then positions[#positions + 1] = { all[i], all[i + 1], timeOf(all[i + 1]) } end
  end
  table.sort(positions, function(a, b) return a[3] > b[3] end)
  rooms, bytes = 0, 0
  for i, position in ipairs(positions) do
    if i > ${MAX_READ_POSITIONS} then
      redis.call('HDEL', record, position[1])
    else
      rooms, bytes = rooms + 1, bytes + #position[1] + #position[2]
    end
  end
end
if hasMoved then save(rooms, bytes, isTable) end
redis.call('PEXPIRE', record, ${READ_POSITIONS_TTL})
return charge(rooms, bytes, isTable)
`
}

/** KEYS: record. ARGV: room, or none for all. Returns the charge, and room and position of each. */
export const readRecord: Script = {
  name: 'fastifyChatReadRecord',
  keys: 1,
  // It only moves the end of the record.
  writes: false,
  lua: `${functions}
-- Fails where Redis rejects writes: the script then only reads.
if redis.pcall('PEXPIRE', record, ${READ_POSITIONS_TTL}) == 0 then return { 0 } end
local reply = { charge(sizes()) }
if ARGV[1] then
  reply[3] = redis.call('HGET', record, '/' .. ARGV[1])
  if reply[3] then reply[2] = ARGV[1] end
  return reply
end
local all = redis.call('HGETALL', record)
for i = 1, #all, 2 do
  if all[i] ~= '' then
    reply[#reply + 1] = string.sub(all[i], 2)
    reply[#reply + 1] = all[i + 1]
  end
end
return reply
`
}

/** Removes a read position. KEYS: record. ARGV: room, and the position after which it stays, if there is one. Returns the charge; nil if it was not removed. */
export const forgetRead: Script = {
  name: 'fastifyChatForgetRead',
  keys: 1,
  writes: true,
  lua: `${functions}
local field = '/' .. ARGV[1]
local kept = redis.call('HGET', record, field)
if not kept or (ARGV[2] and movesForward(kept, ARGV[2])) then return nil end
-- While Redis is out of memory it allows this write, and then all later ones of the script.
redis.call('HDEL', record, field)
local rooms, bytes, isTable = sizes()
if rooms <= 1 then
  redis.call('DEL', record)
  return 0
end
save(rooms - 1, bytes - #field - #kept, isTable)
return charge(rooms - 1, bytes - #field - #kept, isTable)
`
}

/** Deletes a record that wasn't used since a time. KEYS: record. ARGV: the time in ms. Returns the charge if it is in use, else 0. */
export const evictRecord: Script = {
  name: 'fastifyChatEvictRecord',
  keys: 1,
  writes: true,
  lua: `${functions}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local usedAt = now - ${READ_POSITIONS_TTL} + redis.call('PTTL', record)
if usedAt > tonumber(ARGV[1]) and usedAt <= now then return charge(sizes()) end
redis.call('DEL', record)
return 0
`
}

/** KEYS: record. Returns the time of its last use and its charge; nothing if it is gone. */
export const inspectRecord: Script = {
  name: 'fastifyChatInspectRecord',
  keys: 1,
  writes: false,
  lua: `${functions}
local ttl = redis.call('PTTL', record)
if ttl < 0 then return {} end
local time = redis.call('TIME')
local usedAt = time[1] * 1000 + math.floor(time[2] / 1000) - ${READ_POSITIONS_TTL} + ttl
return { string.format('%.0f', usedAt), charge(sizes()) }
`
}

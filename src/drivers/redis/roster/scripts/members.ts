import type { Script } from '../../client/script.ts'
import { readClock } from './clock.ts'

/*
 * Keys of a room, all in one slot.
 * members, a hash: by member id, the number of nodes with the member, then the member as `encodeMember` returns it.
 * order, a sorted set: member ids by the time at which they entered. nodes, a hash: by node, the number of its last update.
 * One key per node, a set: the ids of its members.
 */

const removeFromNode = `
-- Removes a member from one node. Returns whether it was the last node of the member.
local function removeFromNode(id)
  local member = redis.call('HGET', KEYS[1], id)
  local nodes = member and string.match(member, '^%d+') or '0'
  if tonumber(nodes) > 1 then
    redis.call('HSET', KEYS[1], id, (nodes - 1) .. string.sub(member, #nodes + 1))
    return false
  end
  redis.call('ZREM', KEYS[2], id)
  return redis.call('HDEL', KEYS[1], id) == 1
end
`

/**
 * Writes changes of a node's members. KEYS: members, order, nodes, the node's set. ARGV: node, number of the update, ttl in
 * ms, publishing command, channel, 1 to publish even without a change, number of members that enter, id of each and the
 * member as it is stored, ids of the members that leave. Returns 0 if a change could not be published, else 1.
 */
export const writeMembers: Script = {
  name: 'rosterWriteMembers',
  keys: 4,
  writes: true,
  lua: `${removeFromNode}
local changed = redis.call('HSET', KEYS[3], ARGV[1], ARGV[2]) == 1
${readClock}
local last = 7 + 2 * ARGV[7]
for i = 8, last, 2 do
  local id, stored = ARGV[i], ARGV[i + 1]
  local added = redis.call('SADD', KEYS[4], id)
  local member = redis.call('HGET', KEYS[1], id)
  local nodes = member and string.match(member, '^%d+') or '0'
  if not member then redis.call('ZADD', KEYS[2], moment, id) end
  changed = changed or not member or string.sub(member, #nodes + 1) ~= stored
  redis.call('HSET', KEYS[1], id, math.max(nodes + added, 1) .. stored)
end
for i = last + 1, #ARGV do
  if redis.call('SREM', KEYS[4], ARGV[i]) == 1 and removeFromNode(ARGV[i]) then changed = true end
end
if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('HDEL', KEYS[3], ARGV[1]) end
for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
if not changed and ARGV[6] ~= '1' then return 1 end
return type(redis.pcall(ARGV[4], ARGV[5], '')) == 'table' and 0 or 1`
}

/**
 * Removes members of a dead node. KEYS: those of writeMembers. ARGV: node, maximum number of members, publishing command,
 * channel. Returns the number of remaining members.
 */
export const removeMembers: Script = {
  name: 'rosterRemoveMembers',
  keys: 4,
  writes: true,
  lua: `${removeFromNode}
local changed = false
for _, id in ipairs(redis.call('SPOP', KEYS[4], ARGV[2])) do
  if removeFromNode(id) then changed = true end
end
local left = redis.call('SCARD', KEYS[4])
if left == 0 then redis.call('HDEL', KEYS[3], ARGV[1]) end
-- May fail, because every node that detects the dead node removes its members and reads the room.
if changed then redis.pcall(ARGV[3], ARGV[4], '') end
return left`
}

/**
 * Reads a room. KEYS: members, order, nodes. ARGV: maximum number of members, tags of known data. Returns the count, the ids, their
 * members without known data, the nodes.
 */
export const readMembers: Script = {
  name: 'rosterReadMembers',
  keys: 3,
  writes: false,
  lua: `
local ids = redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1)
local members, known = {}, {}
for i = 2, #ARGV do known[ARGV[i]] = true end
for i, id in ipairs(ids) do
  local member = redis.call('HGET', KEYS[1], id) or '1 '
  local head, tag = string.match(member, '^(%d+:([%w_-]+))')
  if tag and known[tag] then
    local space = string.find(member, ' ', 1, true)
    member = head .. string.sub(member, space)
  end
  members[i] = member
end
return { redis.call('ZCARD', KEYS[2]), ids, members, redis.call('HGETALL', KEYS[3]) }`
}

import type { Script } from '../client/script.ts'

/** ms from their last renewal until the keys of a room expire */
export const LIFE = 3_600_000

/*
 * Keys of a room, all in one slot.
 * members, a hash: by member id, the number of nodes that it is on, a space, its name.
 * order, a sorted set: member ids by the time at which they entered. nodes, a hash: by node, the number of its last update.
 * One key per node, a set: the ids of its members.
 */

/** now: in ms. moment: in µs, for sorted sets. */
const clock = `
local time = redis.call('TIME')
local now, moment = time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
`

const release = `
local function release(id)
  local member = redis.call('HGET', KEYS[1], id)
  local holds = member and string.match(member, '^%d+') or '0'
  if tonumber(holds) > 1 then
    redis.call('HSET', KEYS[1], id, (holds - 1) .. string.sub(member, #holds + 1))
    return false
  end
  redis.call('ZREM', KEYS[2], id)
  return redis.call('HDEL', KEYS[1], id) == 1
end
`

/**
 * Writes changes of a node's members. KEYS: members, order, nodes, the node's set. ARGV: node, number of the update, ttl in
 * ms, publishing command, channel, 1 to publish even if nothing changed, number of members that enter, id and name of each,
 * ids of the members that leave. Returns 0 if a change could not be published, else 1.
 */
export const tell: Script = {
  name: 'rosterTell',
  keys: 4,
  writes: true,
  lua: `${release}
local changed = redis.call('HSET', KEYS[3], ARGV[1], ARGV[2]) == 1
${clock}
local last = 7 + 2 * ARGV[7]
for i = 8, last, 2 do
  local id, name = ARGV[i], ' ' .. ARGV[i + 1]
  local taken = redis.call('SADD', KEYS[4], id)
  local member = redis.call('HGET', KEYS[1], id)
  local holds = member and string.match(member, '^%d+') or '0'
  if not member then redis.call('ZADD', KEYS[2], moment, id) end
  changed = changed or not member or string.sub(member, #holds + 1) ~= name
  redis.call('HSET', KEYS[1], id, math.max(holds + taken, 1) .. name)
end
for i = last + 1, #ARGV do
  if redis.call('SREM', KEYS[4], ARGV[i]) == 1 and release(ARGV[i]) then changed = true end
end
if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('HDEL', KEYS[3], ARGV[1]) end
for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
if not changed and ARGV[6] ~= '1' then return 1 end
return type(redis.pcall(ARGV[4], ARGV[5], '')) == 'table' and 0 or 1`
}

/**
 * Removes members of a dead node. KEYS: as of tell. ARGV: node, maximum number of members, publishing command, channel.
 * Returns the number of members left.
 */
export const sweep: Script = {
  name: 'rosterSweep',
  keys: 4,
  writes: true,
  lua: `${release}
local changed = false
for _, id in ipairs(redis.call('SPOP', KEYS[4], ARGV[2])) do
  if release(id) then changed = true end
end
local left = redis.call('SCARD', KEYS[4])
if left == 0 then redis.call('HDEL', KEYS[3], ARGV[1]) end
-- May fail: every node that detects the dead node sweeps and reads by itself.
if changed then redis.pcall(ARGV[3], ARGV[4], '') end
return left`
}

/** KEYS: members, order, nodes. ARGV: maximum number of members. Returns the count, the ids, their members, the nodes. */
export const read: Script = {
  name: 'rosterRead',
  keys: 3,
  writes: false,
  lua: `
local ids = redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1)
local members = {}
for i, id in ipairs(ids) do members[i] = redis.call('HGET', KEYS[1], id) or '1 ' end
return { redis.call('ZCARD', KEYS[2]), ids, members, redis.call('HGETALL', KEYS[3]) }`
}

/**
 * Renews a lease. KEYS: leases, a sorted set: by node, the end of its lease in ms; under '', the last renewal of any.
 * ARGV: node, length of the lease in ms, 1 if the node is new. Returns the time and the valid leases.
 * If no node renewed for long, Redis was down, not the nodes: all leases are extended by that time.
 */
export const renew: Script = {
  name: 'rosterRenew',
  keys: 1,
  writes: true,
  lua: `${clock}
local lease = tonumber(ARGV[2])
local gap = now - (redis.call('ZSCORE', KEYS[1], '') or now)
if gap > lease * 2 / 3 then
  for _, node in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], gap, node) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local holds = ARGV[3] == '1' or redis.call('ZSCORE', KEYS[1], ARGV[1])
if holds then redis.call('ZADD', KEYS[1], now, '', now + lease, ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], lease * 10)
return { now, redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES') }`
}

/** Ends a lease. KEYS: leases. ARGV: node, ms until its lease ends, publishing command, channel. */
export const retire: Script = {
  name: 'rosterRetire',
  keys: 1,
  writes: true,
  lua: `${clock}
redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1])
redis.pcall(ARGV[3], ARGV[4], '')`
}

/*
 * Keys of the restrictions, in this order, all in one slot. A field is a kind, a space and a subject.
 * A hash: by field, the end of the restriction in ms, a space, the reason. The end of a kick or a lifted restriction is 0.
 * A sorted set: fields by moment. A sorted set: fields by the time in ms at which they are deleted. A lifted restriction is
 * kept until it would have ended, for nodes that are disconnected. A string: the last moment of any call.
 *
 * Moments are µs of Redis' clock, but never decrease. The moment of a restriction is greater than all moments before it:
 * the restriction is later than all existing connections and earlier than all new ones, even if the clock is set back.
 */
const moments = `${clock}
local last = math.max(moment, tonumber(redis.call('GET', KEYS[4]) or '0'))
local function text (number) return string.format('%.0f', number) end
`

const rows = `
local rows = {}
local function add (field, at)
  local kept = redis.call('HGET', KEYS[1], field)
  local ends, reason = string.match(kept or '', '^(%d+) (.*)$')
  if not ends then return end
  rows[#rows + 1] = { field, at, text(math.max(ends - now, 0)), reason }
end
`

/**
 * ARGV: field, duration in ms, ms until deletion, reason, publishing command, channel, message without its moment.
 * Returns the moment.
 */
export const restrict: Script = {
  name: 'rosterRestrict',
  keys: 4,
  writes: true,
  lua: `${moments}
for _, ended in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', text(now), 'LIMIT', 0, 100)) do
  redis.call('HDEL', KEYS[1], ended)
  redis.call('ZREM', KEYS[2], ended)
  redis.call('ZREM', KEYS[3], ended)
end
last = text(last + 1)
redis.call('SET', KEYS[4], last, 'PX', ${LIFE})
local kept = math.max(now + ARGV[3], tonumber(redis.call('ZSCORE', KEYS[3], ARGV[1]) or '0'))
if kept > now then
  local ends = tonumber(ARGV[2]) > 0 and now + ARGV[2] or 0
  redis.call('HSET', KEYS[1], ARGV[1], text(ends) .. ' ' .. ARGV[4])
  redis.call('ZADD', KEYS[2], last, ARGV[1])
  redis.call('ZADD', KEYS[3], text(kept), ARGV[1])
  -- Some servers return so large a number with an exponent, which PEXPIREAT rejects.
  local longest = text(tonumber(redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2]))
  for i = 1, 3 do redis.call('PEXPIREAT', KEYS[i], longest) end
end
redis.call(ARGV[5], ARGV[6], last .. ' ' .. ARGV[7])
return last`
}

/**
 * ARGV: fields. Returns the moment, and for each restriction: field, moment, ms left, reason. Also works when Redis is out of
 * memory.
 */
export const restrictionsAt: Script = {
  name: 'rosterRestrictionsAt',
  keys: 4,
  writes: false,
  lua: `${moments}${rows}
redis.pcall('SET', KEYS[4], text(last), 'PX', ${LIFE})
for _, field in ipairs(ARGV) do
  local at = redis.call('ZSCORE', KEYS[2], field)
  if at then add(field, text(tonumber(at))) end
end
return { text(last), rows }`
}

/**
 * ARGV: moment, maximum number of restrictions. Returns the current moment, and for each restriction after the given one,
 * in order: field, moment, ms left, reason.
 */
export const restrictionsSince: Script = {
  name: 'rosterRestrictionsSince',
  keys: 4,
  writes: false,
  lua: `${moments}${rows}
local said = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #said, 2 do add(said[i], text(tonumber(said[i + 1]))) end
return { text(last), rows }`
}

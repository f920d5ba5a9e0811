import type { Script } from '../client/script.ts'

/** ms that the keys of a room outlive their last renewal. */
export const LIFE = 3_600_000

/*
 * A room's keys, all in one slot. members: by member id, on how many nodes it is, a space, its name. order: member ids
 * by when they came. nodes: by node, the number of what it said last. One more key for each node: ids of its members.
 */

/** now: ms. moment: µs, for what is ordered by it. */
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
 * KEYS: members, order, nodes, the node's. ARGV: node, its number, life, publish, channel, 1 to publish even if nothing
 * changed, how many enter, of each of them
 * its id and name, the ids of those who leave. Gives 0 if what changed could not be published, else 1.
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
 * Takes out what a node that is gone has left. KEYS: as of tell. ARGV: node, how many at most, publish, channel. Gives how
 * many are left.
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
-- Each node that finds the dead one sweeps, and reads.
if changed then redis.pcall(ARGV[3], ARGV[4], '') end
return left`
}

/** KEYS: members, order, nodes. ARGV: how many to list. Gives the count, the ids, their members, the nodes. */
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
 * KEYS: leases, by node when its lease ends, by '' when any was renewed. ARGV: node, lease, 1 if it is new. Gives
 * the time, and the leases.
 * When none could renew for long, Redis was gone and not they: they are given that time back.
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

/** KEYS: leases. ARGV: node, ms after which its lease ends, publish, channel. */
export const retire: Script = {
  name: 'rosterRetire',
  keys: 1,
  writes: true,
  lua: `${clock}
redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1])
redis.pcall(ARGV[3], ARGV[4], '')`
}

/*
 * Restrictions, all in one slot. By field (kind, a space, subject): its end in ms, 0 of a kick and of one that is lifted, a
 * space, its reason. The fields by moment. The fields by when they are forgotten: one that is lifted is kept as such while it
 * would have been in force, for nodes that were out of touch. The last moment given to anybody.
 *
 * Moments are µs by Redis' clock, but never fall, and that of a restriction is above all that were given before: so it is
 * after every connection that was there, and before every one that comes, also when the clock is set back.
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

/** ARGV: field, duration, ms it is kept, reason, publish, channel, message without its moment. Returns the moment. */
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
  -- Some write a number this large with an exponent, which is no time to any.
  local longest = text(tonumber(redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2]))
  for i = 1, 3 do redis.call('PEXPIREAT', KEYS[i], longest) end
end
redis.call(ARGV[5], ARGV[6], last .. ' ' .. ARGV[7])
return last`
}

/** ARGV: fields. Returns the moment, and of those in force: field, moment, ms left, reason. A full Redis answers too. */
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

/** ARGV: moment, how many at most. Returns the moment, and of each restriction since, in order: field, moment, ms left, reason. */
export const restrictionsSince: Script = {
  name: 'rosterRestrictionsSince',
  keys: 4,
  writes: false,
  lua: `${moments}${rows}
local said = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #said, 2 do add(said[i], text(tonumber(said[i + 1]))) end
return { text(last), rows }`
}

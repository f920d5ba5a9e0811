import type { Script } from '../../client/script.ts'
import { readClock } from './clock.ts'

/** ms that the last moment is kept. */
const MOMENT_TTL = 3_600_000

/*
 * Keys of the restrictions, in this order, all in one slot. A field is a kind, a space and a subject.
 * restrictions, a hash: by field, the end of the restriction in ms, a space, the reason. The end of a kick or a lifted
 * restriction is 0.
 * order, a sorted set: fields by moment.
 * deletions, a sorted set: fields by the time in ms at which they are deleted. A lifted restriction is kept until its original
 * end, for nodes that are disconnected.
 * moment, a string: the last moment of any call.
 * The order of earlier versions. Its key is also that of a list of the room `roster`.
 *
 * Moments are µs of Redis' clock, but never decrease. The moment of a restriction is greater than all moments before it:
 * it is later than all existing connections and earlier than all new ones, even if the clock is set back.
 */
const readMoment = `${readClock}
local last = math.max(moment, tonumber(redis.call('GET', KEYS[4]) or '0'))
local function decimal(number) return string.format('%.0f', number) end
`

/**
 * Function that returns the key of the order. It first moves the order that an earlier version wrote. Each call does: during an update,
 * nodes of such a version still restrict members.
 */
const findOrder = `
local function findOrder()
  local order, earlier = KEYS[2], KEYS[5]
  if redis.call('TYPE', earlier).ok ~= 'zset' then return order end
  -- Removes nothing, and fails where Redis rejects writes: the script then only reads. While Redis is out of memory it allows this write,
  -- and then all later ones of the script.
  if type(redis.pcall('ZREM', earlier, '')) == 'table' then return redis.call('EXISTS', order) == 1 and order or earlier end
  local found = redis.call('ZRANGE', earlier, 0, -1, 'WITHSCORES')
  for i = 1, #found, 2 do redis.call('ZADD', order, 'GT', found[i + 1], found[i]) end
  local latest = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2]
  if latest then redis.call('PEXPIREAT', order, decimal(tonumber(latest))) end
  redis.call('DEL', earlier)
  return order
end
local order = findOrder()
`

const collectRows = `
local rows = {}
local function addRow(field, at)
  local restriction = redis.call('HGET', KEYS[1], field)
  local ends, reason = string.match(restriction or '', '^(%d+) (.*)$')
  if not ends then return end
  rows[#rows + 1] = { field, at, decimal(math.max(ends - now, 0)), reason }
end
`

/**
 * Keeps and publishes a restriction. ARGV: field, duration in ms, ms until deletion, reason, publishing command, channel, message
 * without its moment. Returns the moment.
 */
export const restrict: Script = {
  name: 'rosterRestrict',
  keys: 5,
  writes: true,
  lua: `${readMoment}${findOrder}
for _, field in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', decimal(now), 'LIMIT', 0, 100)) do
  redis.call('HDEL', KEYS[1], field)
  redis.call('ZREM', order, field)
  redis.call('ZREM', KEYS[3], field)
end
last = decimal(last + 1)
redis.call('SET', KEYS[4], last, 'PX', ${MOMENT_TTL})
local deletedAt = math.max(now + ARGV[3], tonumber(redis.call('ZSCORE', KEYS[3], ARGV[1]) or '0'))
if deletedAt > now then
  local ends = tonumber(ARGV[2]) > 0 and now + ARGV[2] or 0
  redis.call('HSET', KEYS[1], ARGV[1], decimal(ends) .. ' ' .. ARGV[4])
  redis.call('ZADD', order, last, ARGV[1])
  redis.call('ZADD', KEYS[3], decimal(deletedAt), ARGV[1])
  -- Some servers return a number of this size with an exponent, which PEXPIREAT rejects.
  local latest = decimal(tonumber(redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2]))
  for i = 1, 3 do redis.call('PEXPIREAT', KEYS[i], latest) end
end
redis.call(ARGV[5], ARGV[6], last .. ' ' .. ARGV[7])
return last`
}

/**
 * Reads restrictions by field. ARGV: fields. Returns the moment, and for each restriction: field, moment, ms left, reason. Also
 * works when Redis is out of memory.
 */
export const restrictionsAt: Script = {
  name: 'rosterRestrictionsAt',
  keys: 5,
  writes: false,
  lua: `${readMoment}${findOrder}${collectRows}
redis.pcall('SET', KEYS[4], decimal(last), 'PX', ${MOMENT_TTL})
for _, field in ipairs(ARGV) do
  local at = redis.call('ZSCORE', order, field)
  if at then addRow(field, decimal(tonumber(at))) end
end
return { decimal(last), rows }`
}

/**
 * Reads the restrictions after a moment. ARGV: moment, maximum number of restrictions. Returns the current moment, and for each
 * restriction, in order: field, moment, ms left, reason.
 */
export const restrictionsSince: Script = {
  name: 'rosterRestrictionsSince',
  keys: 5,
  writes: false,
  lua: `${readMoment}${findOrder}${collectRows}
local found = redis.call('ZRANGEBYSCORE', order, '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #found, 2 do addRow(found[i], decimal(tonumber(found[i + 1]))) end
return { decimal(last), rows }`
}

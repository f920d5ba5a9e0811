import type { Script } from '../../client/script.ts'
import { readClock } from './clock.ts'

/**
 * Renews a lease. KEYS: leases, a sorted set: by node, the end of its lease in ms; under '', the last renewal of any node.
 * ARGV: node, length of the lease in ms, 1 if the node is new. Returns the time and the valid leases.
 * If no node renewed for two thirds of a lease, Redis is assumed to have been down. The script extends all leases by the gap.
 */
export const renewLease: Script = {
  name: 'rosterRenewLease',
  keys: 1,
  writes: true,
  lua: `${readClock}
local length = tonumber(ARGV[2])
local gap = now - (redis.call('ZSCORE', KEYS[1], '') or now)
if gap > length * 2 / 3 then
  for _, node in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], gap, node) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local isValid = ARGV[3] == '1' or redis.call('ZSCORE', KEYS[1], ARGV[1])
if isValid then redis.call('ZADD', KEYS[1], now, '', now + length, ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], length * 10)
return { now, redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES') }`
}

/** Ends a lease. KEYS: leases. ARGV: node, ms until its lease ends, publishing command, channel. */
export const endLease: Script = {
  name: 'rosterEndLease',
  keys: 1,
  writes: true,
  lua: `${readClock}
redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1])
redis.pcall(ARGV[3], ARGV[4], '')`
}

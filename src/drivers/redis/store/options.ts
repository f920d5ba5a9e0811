import { check, limit, milliseconds, ttl, type Checks } from '../../../checks.ts'
import { redisChecks, type RedisOptions } from '../client/options.ts'

/** Options of a RedisStore, each with its default. */
export interface RedisStoreOptions extends RedisOptions {
  /** entries kept per room, and up to a tenth more between two trims; 1,000 */
  readonly historyEntries?: number | undefined
  /** bytes kept per room, as charged by Redis' memory use; 4 MiB */
  readonly historyBytes?: number | undefined
  /** minimum ms that a post's key is remembered, unless a room has more than ten times `historyEntries` keys; 5 min */
  readonly keyLife?: number | undefined
  /**
   * bytes kept of all rooms together, as charged by Redis' memory use; must be the same on all nodes; half of Redis'
   * `maxmemory`, or 256 MiB if it has none or it can't be read. Beyond it, rooms without followers are evicted, the least
   * recently used first.
   */
  readonly storeBytes?: number | undefined
  /** ms that a room is kept after its last post or its last follower; 30 days. An empty room is kept for at most an hour. */
  readonly roomTtl?: number | undefined
  /** maximum bytes of memory of posts that wait for a reply; 64 MiB */
  readonly inFlightBytes?: number | undefined
  /** maximum bytes of memory of concurrent reads, each at its largest possible page; 64 MiB. Further reads wait. */
  readonly readBytes?: number | undefined
  /** ms between two polls of the followed rooms; 10 s */
  readonly lookInterval?: number | undefined
}

/** Bounds of one room. `roomTtl`, `emptyTtl` and `dedupWindow`: ms. */
export interface RoomLimits {
  readonly roomTtl: number
  readonly emptyTtl: number
  readonly historyEntries: number
  readonly historyBytes: number
  readonly dedupWindow: number
}

/** Options with their defaults. `redis`: those of the connection. */
interface ResolvedOptions {
  readonly redis: RedisOptions
  readonly room: RoomLimits
  readonly storeBytes: number | undefined
  readonly inFlightBytes: number
  readonly readBytes: number
  readonly pollInterval: number
}

/** Maximum ms that an empty room is kept. */
const EMPTY_TTL = 60 * 60 * 1_000

const checks: Checks<RedisStoreOptions> = {
  ...redisChecks,
  historyEntries: limit,
  historyBytes: limit,
  keyLife: ttl(0),
  storeBytes: limit,
  roomTtl: ttl(1),
  inFlightBytes: limit,
  readBytes: limit,
  lookInterval: milliseconds(1)
}

/** @throws InvalidOption */
export function resolveOptions (options: RedisStoreOptions): ResolvedOptions {
  check(options, checks)
  const {
    historyEntries = 1_000,
    historyBytes = 4 * 1024 * 1024,
    keyLife = 5 * 60 * 1_000,
    storeBytes,
    roomTtl = 30 * 24 * 60 * 60 * 1_000,
    inFlightBytes = 64 * 1024 * 1024,
    readBytes = 64 * 1024 * 1024,
    lookInterval = 10_000,
    ...redis
  } = options
  return {
    redis,
    room: { roomTtl, emptyTtl: Math.min(roomTtl, EMPTY_TTL), historyEntries, historyBytes, dedupWindow: keyLife },
    storeBytes,
    inFlightBytes,
    readBytes,
    pollInterval: lookInterval
  }
}

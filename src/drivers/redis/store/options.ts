import { historyBounds, type HistoryBounds, type HistoryOptions } from '../../history-options.ts'
import type { ConnectionOptions } from '../client/options.ts'

/** Options of a `RedisStore`. Each comment ends with the default. A room has up to a tenth more entries between two trims. */
export interface RedisStoreOptions extends ConnectionOptions, HistoryOptions {
  /**
   * bytes kept of all rooms together, as charged by Redis' memory use; must be the same on all nodes; beyond it, rooms without
   * followers are evicted, the least recently used first; half of Redis' `maxmemory`, or 256 MiB if it has none or it can't be
   * read
   */
  readonly storeBytes?: number | undefined
  /** ms that a room is kept after its last use or its last follower, an empty room at most an hour; Infinity counts as 100 years; 30 days */
  readonly roomTtl?: number | undefined
  /** bytes of memory of posts that wait for a reply; 64 MiB */
  readonly inFlightBytes?: number | undefined
  /** bytes of memory of concurrent reads, each at its largest possible page; further reads wait; 64 MiB */
  readonly readBytes?: number | undefined
}

/** Bounds of one room. `roomTtl` and `emptyTtl`: ms. */
export interface RoomLimits extends HistoryBounds {
  readonly roomTtl: number
  readonly emptyTtl: number
}

/** Options with their defaults. `connection`: those of the client. */
interface ResolvedOptions {
  readonly connection: ConnectionOptions
  readonly room: RoomLimits
  readonly storeBytes: number | undefined
  readonly inFlightBytes: number
  readonly readBytes: number
}

/** ms. Keys always expire, because the scripts renew and copy their ttl. */
const MAX_ROOM_TTL = 100 * 365 * 24 * 60 * 60 * 1_000

/** Maximum ms that an empty room is kept. */
const EMPTY_TTL = 60 * 60 * 1_000

export function resolveOptions (options: RedisStoreOptions): ResolvedOptions {
  const {
    historyEntries,
    historyBytes,
    historyAge,
    dedupWindow,
    storeBytes,
    roomTtl = 30 * 24 * 60 * 60 * 1_000,
    inFlightBytes = 64 * 1024 * 1024,
    readBytes = 64 * 1024 * 1024,
    ...connection
  } = options
  const history = historyBounds({ historyEntries, historyBytes, historyAge, dedupWindow })
  return { connection, room: { ...history, roomTtl: Math.min(roomTtl, MAX_ROOM_TTL), emptyTtl: Math.min(roomTtl, EMPTY_TTL) }, storeBytes, inFlightBytes, readBytes }
}

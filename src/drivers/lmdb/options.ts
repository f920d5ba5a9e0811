import { historyBounds, type HistoryBounds, type HistoryOptions } from '../history-options.ts'
import type { CommitLimits } from './commits.ts'
import type { StoreLimits } from './evictions.ts'
import type { CacheLimits } from './log-cache.ts'

/** The directory of an LMDB store, and its bounds. Each comment ends with the default. */
export interface LmdbStoreOptions extends HistoryOptions {
  /** the directory, created if necessary; one store at a time may use it */
  readonly path: string
  /**
   * reads all pages of the data file before the store opens, so that damage is rejected at once: about a second for each GiB,
   * during which the event loop is blocked; false
   */
  readonly verify?: boolean | undefined
  /**
   * bytes on disk of all rooms and read positions together, as charged; beyond it, the least recently used room or the read positions of the
   * least recently used member are removed; 1 GiB
   */
  readonly storeBytes?: number | undefined
  /** ms after its last use that a room is removed; 30 days */
  readonly roomTtl?: number | undefined
  /** writes that may wait for the disk; 10,000 */
  readonly inFlight?: number | undefined
  /** bytes of memory of the writes that wait for the disk; 64 MiB */
  readonly inFlightBytes?: number | undefined
  /** bytes of memory of cached room heads and keys; 64 MiB */
  readonly cacheBytes?: number | undefined
}

/** The bounds of a store. */
export type Limits = HistoryBounds & StoreLimits & CommitLimits & CacheLimits

/** ms after which a commit's outcome counts as unknown. */
const COMMIT_TIMEOUT = 10_000

/** Returns the bounds with their defaults. @param commitTimeout ms; tests pass their own */
export function resolveLimits (options: Omit<LmdbStoreOptions, 'path' | 'verify'>, commitTimeout = COMMIT_TIMEOUT): Limits {
  const {
    storeBytes = 1024 * 1024 * 1024,
    roomTtl = 30 * 24 * 60 * 60 * 1_000,
    inFlight = 10_000,
    inFlightBytes = 64 * 1024 * 1024,
    cacheBytes = 64 * 1024 * 1024
  } = options
  return { ...historyBounds(options), storeBytes, roomTtl, inFlight, inFlightBytes, cacheBytes, commitTimeout }
}

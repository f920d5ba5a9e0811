import { check, limit, milliseconds, ttl, type Checks } from '../../checks.ts'
import type { CommitLimits } from './commits.ts'
import type { StoreLimits } from './evictions.ts'
import type { CacheLimits } from './log-cache.ts'
import type { LogLimits } from './retention.ts'

/** The directory of an LMDB store, and its bounds, each with its default. */
export interface LmdbStoreOptions {
  /** the directory, created if necessary; one store at a time may use it */
  readonly path: string
  /**
   * reads all pages of the data file before the store opens, so that damage is rejected at once: about a second for each GiB,
   * during which the event loop is blocked; false
   */
  readonly verify?: boolean | undefined
  /** entries kept per room; 1,000 */
  readonly historyEntries?: number | undefined
  /** bytes kept per room; 4 MiB */
  readonly historyBytes?: number | undefined
  /** bytes on disk of all rooms together, as charged; the least recently used room is removed first; 1 GiB */
  readonly storeBytes?: number | undefined
  /** ms after its last use that a room is removed; 30 days */
  readonly roomTtl?: number | undefined
  /** ms that an entry is kept; Infinity */
  readonly historyAge?: number | undefined
  /** ms that a key is remembered at least, unless there are more than ten times `historyEntries`; 5 min */
  readonly keyLife?: number | undefined
  /** writes that may wait for the disk; 10,000 */
  readonly inFlight?: number | undefined
  /** bytes of memory of the writes that wait for the disk; 64 MiB */
  readonly inFlightBytes?: number | undefined
  /** bytes of memory of cached room heads and keys; 64 MiB */
  readonly cacheBytes?: number | undefined
  /** ms after which a commit's outcome counts as unknown; 10 s */
  readonly commitTimeout?: number | undefined
}

/** The bounds of a store. */
export type Limits = LogLimits & StoreLimits & CommitLimits & CacheLimits

const checks: Checks<LmdbStoreOptions> = {
  path: { mustBe: 'a directory', passes: (value) => typeof value === 'string' && value !== '' },
  verify: { mustBe: 'true or false', passes: (value) => typeof value === 'boolean' },
  historyEntries: limit,
  historyBytes: limit,
  storeBytes: limit,
  roomTtl: limit,
  historyAge: limit,
  keyLife: ttl(0),
  inFlight: limit,
  inFlightBytes: limit,
  cacheBytes: limit,
  commitTimeout: milliseconds(1)
}

/** Returns the options with their defaults. @throws InvalidOption */
export function checkedOptions (options: LmdbStoreOptions): { path: string, verify: boolean, limits: Limits } {
  const {
    path,
    verify = false,
    historyEntries = 1_000,
    historyBytes = 4 * 1024 * 1024,
    storeBytes = 1024 * 1024 * 1024,
    roomTtl = 30 * 24 * 60 * 60 * 1_000,
    historyAge = Infinity,
    keyLife = 5 * 60 * 1_000,
    inFlight = 10_000,
    inFlightBytes = 64 * 1024 * 1024,
    cacheBytes = 64 * 1024 * 1024,
    commitTimeout = 10_000
  } = options
  // `path` is the only option that has no default.
  check({ ...options, path: path ?? null }, checks)
  const limits = {
    historyEntries, historyBytes, storeBytes, roomTtl, historyAge, dedupWindow: keyLife, inFlight, inFlightBytes, cacheBytes, commitTimeout
  }
  return { path, verify, limits }
}

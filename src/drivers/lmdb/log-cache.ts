import type { LmdbLog } from './log.ts'

/** Bound of the logs cached in memory. */
export interface CacheLimits {
  /** bytes of memory */
  readonly cacheBytes: number
}

/** `cost`: bytes of memory, as last counted. */
interface Cached { readonly log: LmdbLog, cost: number }

/** The logs in memory, within a bound. The least recently used are evicted first. */
export class LmdbLogCache {
  /** The least recently used first. */
  readonly #logs = new Map<string, Cached>()
  readonly #limits: CacheLimits
  readonly #load: (room: string) => LmdbLog
  readonly #isOutdated: (log: LmdbLog) => boolean
  /** Bytes of memory of all logs. */
  #cost = 0

  /**
   * @param load returns the log of a room that isn't cached; may throw
   * @param isOutdated returns true for a log that must be loaded again
   */
  constructor (limits: CacheLimits, load: (room: string) => LmdbLog, isOutdated: (log: LmdbLog) => boolean) {
    this.#limits = limits
    this.#load = load
    this.#isOutdated = isOutdated
  }

  /** Returns the log of a room without adding it to the cache. */
  peek (room: string): LmdbLog { return this.#find(room)?.log ?? this.#load(room) }

  /** Returns the log of a room, which becomes the most recently used one. */
  use (room: string): LmdbLog {
    const cached = this.#find(room) ?? { log: this.#load(room), cost: 0 }
    this.#logs.delete(room)
    this.#logs.set(room, cached)
    return cached.log
  }

  delete (room: string): void {
    this.#cost -= this.#logs.get(room)?.cost ?? 0
    this.#logs.delete(room)
  }

  /**
   * Counts the memory of a log again, and evicts other logs above the bound.
   * @param isNeeded returns true for a log that must not be evicted
   */
  count (room: string, isNeeded: (log: LmdbLog) => boolean): void {
    const counted = this.#logs.get(room)
    if (counted !== undefined) {
      const { cost } = counted.log
      this.#cost += cost - counted.cost
      counted.cost = cost
    }
    for (const [other, { log }] of this.#logs) {
      if (this.#cost <= this.#limits.cacheBytes) return
      if (other !== room && !isNeeded(log)) this.delete(other)
    }
  }

  #find (room: string): Cached | undefined {
    const cached = this.#logs.get(room)
    if (cached === undefined || !this.#isOutdated(cached.log)) return cached
    this.delete(room)
    return undefined
  }
}

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
  /** Bytes of memory of all logs. */
  #cost = 0

  /** @param load returns the log of a room that isn't cached; may throw */
  constructor (limits: CacheLimits, load: (room: string) => LmdbLog) {
    this.#limits = limits
    this.#load = load
  }

  /** Returns the log of a room without adding it to the cache. */
  peek (room: string): LmdbLog { return this.#logs.get(room)?.log ?? this.#load(room) }

  /** Returns the log of a room, which becomes the most recently used one. */
  use (room: string): LmdbLog {
    const cached = this.#logs.get(room) ?? { log: this.#load(room), cost: 0 }
    this.#logs.delete(room)
    this.#logs.set(room, cached)
    return cached.log
  }

  delete (room: string): void {
    this.#cost -= this.#logs.get(room)?.cost ?? 0
    this.#logs.delete(room)
  }

  /** Deletes the logs for which `matches` returns true. */
  deleteAll (matches: (log: LmdbLog) => boolean): void {
    for (const { log } of this.#logs.values()) if (matches(log)) this.delete(log.room)
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
}

import type { LmdbDatabase } from './database.ts'
import type { LmdbFeeds } from './feeds.ts'
import type { LmdbLog } from './log.ts'
import { LmdbUses } from './uses.ts'

/** Bounds of all rooms together. */
export interface StoreLimits {
  /** bytes on disk, as charged */
  readonly storeBytes: number
  /** ms without use after which a room is removed */
  readonly roomTtl: number
}

/** The rooms as they will be after the next commit. */
interface Rooms {
  log (room: string): LmdbLog
  /** Adds a log to the next commit. */
  stage (log: LmdbLog): void
  /** Removes the head of a room without records. */
  forget (log: LmdbLog): void
}

/** Steps per commit: a record removed, or a room examined. They block the event loop for some milliseconds. */
const STEPS = 2_000

/** Appends are rejected while `storeBytes` is exceeded by more than this fraction and evictions can't keep up. */
const EXCESS = 0.25

/** Keeps all rooms within `storeBytes` and `roomTtl`. Removes whole rooms, the least recently used first, in steps. */
export class LmdbEvictions {
  readonly uses = new LmdbUses()
  readonly #database: LmdbDatabase
  readonly #limits: StoreLimits
  readonly #feeds: LmdbFeeds
  readonly #rooms: Rooms
  /** Bytes above which appends may be rejected. */
  readonly #maxBytes: number
  /** Bytes charged for all rooms on disk. */
  #stored: number
  /** Bytes charged for all rooms after the next commit. */
  #bytes: number
  /** The room that is being removed. */
  #current: string | undefined
  /** Whether rooms may have expired. */
  #expiring = false
  /** When `storeBytes` was exceeded, ms since 1970. A room used since then counts as in use. */
  #overSince: number | undefined
  /** Whether the last run found nothing to remove. */
  #stuck = false
  /** Whether the last run used up its steps. */
  #isExhausted = false

  constructor (database: LmdbDatabase, limits: StoreLimits, feeds: LmdbFeeds, rooms: Rooms) {
    this.#database = database
    this.#limits = limits
    this.#feeds = feeds
    this.#rooms = rooms
    this.#stored = this.#bytes = database.bytes
    // After `storeBytes` was lowered, appends go on while rooms are removed step by step.
    this.#maxBytes = Math.max(limits.storeBytes, this.#stored) + limits.storeBytes * EXCESS
  }

  /** Bytes charged for all rooms after the next commit. */
  get bytes (): number { return this.#bytes }
  get hasPendingWork (): boolean { return this.#current !== undefined || this.#expiring || (this.#isOver && !this.#stuck) }
  /** Whether rooms grow faster than they can be removed. */
  get isBehind (): boolean { return this.#bytes > this.#maxBytes && this.#isExhausted }

  /** Removes expired rooms with the next commits. */
  expire (): void { this.#expiring = this.#limits.roomTtl !== Infinity }

  /** Removes rooms that exceed the bounds, in up to `STEPS` steps. @param growth bytes that the next commit adds so far */
  run (growth: number, now: number): void {
    this.#bytes = this.#stored + growth
    let left = STEPS
    if (this.#isOver) this.#overSince ??= now
    if (this.#current !== undefined) left -= this.#remove(this.#current, left, now)
    if (this.#current === undefined && (this.#isOver || this.#expiring)) left -= this.#removeOthers(left, now)
    this.#isExhausted = left <= 0
    if (!this.#isOver) this.#overSince = undefined
  }

  #removeOthers (maxSteps: number, now: number): number {
    let [left, done] = [maxSteps, 0]
    for (const { room, used } of this.#database.leastUsed()) {
      const isExpired = used <= now - this.#limits.roomTtl
      if (!isExpired) this.#expiring = false
      if (left <= 0 || this.#current !== undefined || !(isExpired || this.#isOver)) break
      const steps = this.#examine(room, used, left, now)
      done += steps
      left -= Math.max(1, steps)
    }
    this.#stuck = done === 0
    if (this.#stuck) this.#expiring = false
    return maxSteps - left
  }

  settled (committed: boolean | undefined): void {
    this.#stored = this.#bytes = committed === true ? this.#bytes : this.#database.bytes
    // A partly removed room is found again: it is still the least recently used.
    if (committed !== true) this.#current = undefined
  }

  get #isOver (): boolean { return this.#bytes > this.#limits.storeBytes }

  /** Evicts or shrinks a room, or corrects its record in the order of use. Returns the steps taken; 0 if it did nothing. */
  #examine (room: string, used: number, maxSteps: number, now: number): number {
    const log = this.#rooms.log(room)
    if (log.head.used !== used) return 0
    const isFollowed = this.#feeds.has(room)
    const lastUse = isFollowed ? now : Math.max(this.uses.lastUse(room) ?? 0, used)
    if (lastUse > used && !(this.#isOver && used >= this.#overSince!)) {
      this.#rooms.stage(log)
      log.use(lastUse, true)
      return 1
    }
    if (lastUse < (this.#overSince ?? now)) return this.#evict(log, maxSteps, now)
    // No less recently used room is left, so this room loses its oldest entries.
    const isWritten = log.growth > 0
    const steps = this.#counted(log, () => this.#shrink(log, maxSteps))
    if (steps === 0 && !isFollowed && !isWritten) return this.#evict(log, maxSteps, now)
    log.use(now, true)
    return steps
  }

  #shrink (log: LmdbLog, maxSteps: number): number {
    const before = log.growth
    let steps = 0
    while (steps < maxSteps && this.#bytes + log.growth - before > this.#limits.storeBytes && log.retention.shrink(1) === 1) steps++
    return steps
  }

  #evict (log: LmdbLog, maxSteps: number, now: number): number {
    this.#counted(log, () => log.clear())
    this.uses.forget(log.room)
    this.#current = log.room
    return 1 + this.#remove(log.room, maxSteps, now)
  }

  #remove (room: string, maxSteps: number, now: number): number {
    const log = this.#rooms.log(room)
    return this.#counted(log, () => {
      const steps = log.retention.trim(maxSteps, now)
      if (log.hasEarlierEpoch) return steps
      this.#current = undefined
      // A room that was used again meanwhile stays.
      if (log.hasNoRecords && !this.#feeds.has(room)) this.#rooms.forget(log)
      return steps
    })
  }

  /** Applies a change to a room's log, stages it, and updates the bytes charged. */
  #counted<T> (log: LmdbLog, change: () => T): T {
    this.#rooms.stage(log)
    const before = log.growth
    const result = change()
    this.#bytes += log.growth - before
    return result
  }
}

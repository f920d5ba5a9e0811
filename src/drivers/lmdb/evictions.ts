import type { LmdbDatabase } from './database.ts'
import type { LmdbFeeds } from './feeds.ts'
import type { LmdbLog } from './log.ts'
import { LmdbUses } from './uses.ts'

/** What all rooms together may hold. */
export interface StoreLimits {
  /** bytes on disk */
  readonly storeBytes: number
  /** ms */
  readonly roomTtl: number
}

/** The rooms as the next commit will have them. */
interface Rooms {
  log (room: string): LmdbLog
  /** The next commit writes it. */
  stage (log: LmdbLog): void
  /** Leaves nothing of a room that has no rows. */
  forget (log: LmdbLog): void
}

/** Steps in a commit: a row removed, or a room looked at. They take the event loop some milliseconds. */
const STEPS = 2_000

/** Appends are refused when there is too much by this part of `storeBytes`, until enough rooms are gone. */
const EXCESS = 0.25

/** Keeps all rooms together within `storeBytes` and `roomTtl`: whole rooms go, the least recently used first, bit by bit. */
export class LmdbEvictions {
  readonly uses = new LmdbUses()
  readonly #database: LmdbDatabase
  readonly #limits: StoreLimits
  readonly #feeds: LmdbFeeds
  readonly #rooms: Rooms
  /** Bytes beyond which appends are refused. */
  readonly #most: number
  /** Charged for all rooms: on disk, and after the next commit. */
  #stored: number
  #bytes: number
  /** The room that is being removed. */
  #current: string | undefined
  /** There may be rooms that nobody used for `roomTtl`. */
  #expiring = false
  /** Since when there is too much, ms; whatever is last in the order of use by then is in use. */
  #overSince: number | undefined
  /** Nothing was found that could go. */
  #stuck = false
  /** There was more to remove than a commit may. */
  #isExhausted = false

  constructor (database: LmdbDatabase, limits: StoreLimits, feeds: LmdbFeeds, rooms: Rooms) {
    this.#database = database
    this.#limits = limits
    this.#feeds = feeds
    this.#rooms = rooms
    this.#stored = this.#bytes = database.bytes
    // A bound that was made narrower takes its time.
    this.#most = Math.max(limits.storeBytes, this.#stored) + limits.storeBytes * EXCESS
  }

  /** Bytes charged for all rooms after the next commit. */
  get bytes (): number { return this.#bytes }
  get hasRest (): boolean { return this.#current !== undefined || this.#expiring || (this.#isOver && !this.#stuck) }
  /** Whether rooms can't be removed as fast as others grow. */
  get isBehind (): boolean { return this.#bytes > this.#most && this.#isExhausted }

  /** Looks for rooms that nobody used for `roomTtl`, with the next commits. */
  expire (): void { this.#expiring = this.#limits.roomTtl !== Infinity }

  /** Removes what there is too much of, in so many steps at most. @param grown bytes that the next commit adds so far */
  run (grown: number, now: number): void {
    this.#bytes = this.#stored + grown
    let left = STEPS
    if (this.#isOver) this.#overSince ??= now
    if (this.#current !== undefined) left -= this.#remove(this.#current, left, now)
    if (this.#current === undefined && (this.#isOver || this.#expiring)) left -= this.#removeOthers(left, now)
    this.#isExhausted = left <= 0
    if (!this.#isOver) this.#overSince = undefined
  }

  #removeOthers (most: number, now: number): number {
    let [left, done] = [most, 0]
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
    return most - left
  }

  settled (committed: boolean | undefined): void {
    this.#stored = this.#bytes = committed === true ? this.#bytes : this.#database.bytes
    // What was removed but for its last rows is found again: it is still the least recently used.
    if (committed !== true) this.#current = undefined
  }

  get #isOver (): boolean { return this.#bytes > this.#limits.storeBytes }

  /** @returns the steps it took; 0 if nothing could be done */
  #examine (room: string, used: number, most: number, now: number): number {
    const log = this.#rooms.log(room)
    if (log.used !== used) return 0
    const isFollowed = this.#feeds.has(room)
    const lastUse = isFollowed ? now : Math.max(this.uses.lastUse(room) ?? 0, used)
    if (lastUse > used && !(this.#isOver && used >= this.#overSince!)) {
      this.#rooms.stage(log)
      log.use(lastUse, true)
      return 1
    }
    if (lastUse < (this.#overSince ?? now)) return this.#evict(log, most, now)
    // All that are in use less are gone: it gives up its oldest entries.
    const isWritten = log.growth > 0
    const steps = this.#counted(log, () => this.#shrink(log, most))
    if (steps === 0 && !isFollowed && !isWritten) return this.#evict(log, most, now)
    log.use(now, true)
    return steps
  }

  #shrink (log: LmdbLog, most: number): number {
    const before = log.growth
    let steps = 0
    while (steps < most && this.#bytes + log.growth - before > this.#limits.storeBytes && log.shrink(1) === 1) steps++
    return steps
  }

  #evict (log: LmdbLog, most: number, now: number): number {
    this.#counted(log, () => log.eraseAll())
    this.uses.forget(log.room)
    this.#current = log.room
    return 1 + this.#remove(log.room, most, now)
  }

  #remove (room: string, most: number, now: number): number {
    const log = this.#rooms.log(room)
    return this.#counted(log, () => {
      const steps = log.trim(most, now)
      if (log.hasDead) return steps
      this.#current = undefined
      // If somebody came back it is a room like others.
      if (log.isSwept && !this.#feeds.has(room)) this.#rooms.forget(log)
      return steps
    })
  }

  /** Takes account of what a change makes of a room. */
  #counted<T> (log: LmdbLog, change: () => T): T {
    this.#rooms.stage(log)
    const before = log.growth
    const result = change()
    this.#bytes += log.growth - before
    return result
  }
}

import { READ_POSITIONS_TTL } from '../../store.ts'
import type { LmdbDatabase, Use } from './database.ts'
import type { LmdbFeeds } from './feeds.ts'
import type { LmdbLog } from './log.ts'
import type { MemberUse } from './member-rows.ts'
import { mergedUses } from './ordered-uses.ts'
import type { LmdbReadPositions } from './read-positions.ts'
import type { StagedRooms } from './staged-rooms.ts'
import { LmdbUses } from './uses.ts'

/** Bounds of all rooms and read positions together. */
export interface StoreLimits {
  /** bytes on disk, as charged */
  readonly storeBytes: number
  /** ms without use after which a room is removed */
  readonly roomTtl: number
}

/** Maximum steps per commit. A step removes a record or examines a room or a member. All steps block the event loop for some milliseconds. */
const STEPS = 2_000

/** Fraction of `storeBytes`. The store rejects appends above this excess if evictions are too slow. */
const EXCESS = 0.25

/**
 * Keeps all rooms within `storeBytes` and `roomTtl`, and with them the read positions of members. Each commit runs up to `STEPS` steps. A run first continues to remove the
 * room that the previous run didn't finish. It then examines other rooms, the least recently used first:
 * - The order on disk is outdated for a room that was used since, or has followers. Its last use is corrected.
 * - A room that has expired is removed. So is a room that wasn't used since `storeBytes` was exceeded.
 * - If all rooms were used since, the room loses its oldest entries instead.
 * The members take part in the same order. The read positions of a member are removed at once, with its row.
 */
export class LmdbEvictions {
  readonly uses = new LmdbUses()
  readonly #database: LmdbDatabase
  readonly #limits: StoreLimits
  readonly #feeds: LmdbFeeds
  readonly #rooms: StagedRooms
  readonly #positions: LmdbReadPositions
  /** Bytes above which appends may be rejected. */
  readonly #maxBytes: number
  /** Bytes charged for all rooms and members on disk. */
  #stored: number
  /** Bytes charged for all rooms and members after the next commit. */
  #bytes: number
  /** The room that is being removed, over several commits if necessary. */
  #current: string | undefined
  /** Whether expired rooms or members may exist. */
  #expiring = false
  /** Time at which `storeBytes` was exceeded, ms since 1970; undefined while it isn't. A room used since then is in use. */
  #overSince: number | undefined
  /** Whether the last run found nothing to remove. No further commit is started then. */
  #isStuck = false
  /** Whether the last run used all its steps, so that more may be left to remove. */
  #isExhausted = false

  constructor (database: LmdbDatabase, limits: StoreLimits, feeds: LmdbFeeds, rooms: StagedRooms, positions: LmdbReadPositions) {
    this.#database = database
    this.#limits = limits
    this.#feeds = feeds
    this.#rooms = rooms
    this.#positions = positions
    this.#stored = this.#bytes = database.bytes
    // After `storeBytes` was lowered, appends are accepted while rooms are removed step by step.
    this.#maxBytes = Math.max(limits.storeBytes, this.#stored) + limits.storeBytes * EXCESS
  }

  /** Bytes charged for all rooms and members after the next commit. */
  get bytes (): number { return this.#bytes }
  get hasPendingWork (): boolean { return this.#current !== undefined || this.#expiring || (this.#isOver && !this.#isStuck) }
  /** Whether rooms grow faster than they can be removed. */
  get isBehind (): boolean { return this.#bytes > this.#maxBytes && this.#isExhausted }

  /** Lets the next commits remove expired rooms and members. */
  expire (): void { this.#expiring = true }

  /** Evicts rooms and members in up to `STEPS` steps. @param growth bytes that the next commit has added so far */
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
    for (const use of this.#candidates(now)) {
      if (left <= 0 || this.#current !== undefined) break
      const steps = 'room' in use ? this.#examine(use.room, use.used, left, now) : this.#examineMember(use, now)
      done += steps
      left -= Math.max(1, steps)
    }
    this.#isStuck = done === 0
    if (this.#isStuck) this.#expiring = false
    return maxSteps - left
  }

  /** Yields what may have to be removed: what has expired, then the least recently used while `storeBytes` is exceeded. */
  * #candidates (now: number): Generator<Use | MemberUse> {
    if (this.#expiring) {
      yield * usedUntil(this.#database.leastUsed(), now - this.#limits.roomTtl)
      yield * usedUntil(this.#database.leastUsedMembers(), now - READ_POSITIONS_TTL)
      this.#expiring = false
    }
    for (const use of mergedUses(this.#database.leastUsed(), this.#database.leastUsedMembers())) {
      if (!this.#isOver) return
      yield use
    }
  }

  /** Called after a commit. @param committed undefined if the outcome is unknown */
  settled (committed: boolean | undefined): void {
    this.#stored = this.#bytes = committed === true ? this.#bytes : this.#database.bytes
    // A later run finds a partly removed room again, because it is still the least recently used.
    if (committed !== true) this.#current = undefined
  }

  get #isOver (): boolean { return this.#bytes > this.#limits.storeBytes }

  /** Evicts or shrinks a room, or corrects its last use. Returns the steps taken; 0 if it did nothing. */
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
    // All rooms were used since `storeBytes` was exceeded, so this room loses its oldest entries.
    const isWritten = log.growth > 0
    const steps = this.#counted(log, () => this.#shrink(log, maxSteps))
    if (steps === 0 && !isFollowed && !isWritten) return this.#evict(log, maxSteps, now)
    log.use(now, true)
    return steps
  }

  /** Removes the read positions of a member, or corrects their last use. Returns the steps taken; 0 if it did nothing. */
  #examineMember ({ memberId, used }: MemberUse, now: number): number {
    const before = this.#positions.growth
    const isLast = this.#isOver && used >= this.#overSince!
    const steps = this.#positions.evict(memberId, used, this.#overSince ?? now, isLast, now)
    this.#bytes += this.#positions.growth - before
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

/** Yields the uses up to a time. @param uses in the order of their time */
function * usedUntil<T extends { used: number }> (uses: Generator<T>, until: number): Generator<T> {
  for (const use of uses) {
    if (use.used > until) return
    yield use
  }
}

import { setImmediate as immediate } from 'node:timers/promises'
import { StoreBusy } from '../../errors.ts'
import type { LmdbDatabase } from './database.ts'
import { LmdbEvictions, type StoreLimits } from './evictions.ts'
import type { LmdbFeeds } from './feeds.ts'
import { beginning, newEpoch, newestOf, type Epoch, type Head } from './head.ts'
import { LmdbLog, USE_INTERVAL, type LogLimits } from './log.ts'
import type { Row } from './record.ts'
import type { Draft, Cursor, Position } from '../../store.ts'

/** Trimming steps per commit, in addition to two for each appended entry: one removes another entry, one a key. */
const STEPS = 64

/** Rooms that a sweep examines in one tick. */
const SLICE = 100

/** Largest number of rooms whose last use is written by one commit. */
const USES = 64

/** `cost`: bytes of memory, as last counted. */
interface Cached { readonly log: LmdbLog, cost: number }

/** Bound of the logs cached in memory. */
export interface CacheLimits {
  /** bytes of memory */
  readonly cacheBytes: number
}

/** The rooms of a store. Applies writes to their logs and commits these. */
export class LmdbRooms {
  readonly #database: LmdbDatabase
  readonly #limits: LogLimits & CacheLimits
  readonly #feeds: LmdbFeeds
  /** The cached logs, the least recently used first. */
  readonly #logs = new Map<string, Cached>()
  /** Bytes of memory of all cached logs. */
  #cost = 0
  readonly #staged = new Set<LmdbLog>()
  readonly #untrimmed = new Set<string>()
  readonly #evictions: LmdbEvictions
  /** Rooms whose last use has to be written to disk. */
  readonly #used = new Set<string>()
  #appended = 0
  #touched = false
  #epoch: Epoch
  #epochIsStored = true

  constructor (database: LmdbDatabase, limits: LogLimits & StoreLimits & CacheLimits, feeds: LmdbFeeds) {
    this.#database = database
    this.#limits = limits
    this.#feeds = feeds
    this.#epoch = database.epoch
    this.#evictions = new LmdbEvictions(database, limits, feeds, {
      log: (room) => this.#log(room),
      stage: (log) => this.#staged.add(log),
      forget: (log) => this.#forget(log)
    })
  }

  /** Whether there is background work to commit. */
  get hasRest (): boolean { return this.#untrimmed.size > 0 || this.#used.size > 0 || this.#evictions.hasRest }

  /** Returns the head of a room on disk. */
  head (room: string): Head { return this.#database.head(room) ?? beginning(room, this.#epoch) }

  /** Returns the newest entry on disk. */
  newest (room: string): Cursor { return this.#logs.get(room)?.log.committed ?? newestOf(this.head(room)) }

  find (room: string, key: string): Cursor | undefined {
    const found = this.#log(room).find(key)
    this.#count(room)
    return found
  }

  /** Records a use that writes no entry. Returns true if a commit should write it to disk. */
  use (room: string): boolean {
    const head = this.#database.head(room)
    if (head === undefined) return false
    const now = Date.now()
    this.#evictions.uses.record(room, now)
    if (now - head.used < USE_INTERVAL || this.#used.size >= USES) return false
    this.#used.add(room)
    return true
  }

  append (room: string, row: Row, draft: Draft): Cursor & { again: boolean } {
    if (this.#evictions.isBehind) throw new StoreBusy()
    const log = this.#log(room)
    const appended = log.append(row, draft)
    const now = Date.now()
    this.#evictions.uses.record(room, now)
    if (!appended.again) {
      log.use(now)
      this.#staged.add(log)
      this.#appended++
      this.#feeds.push(room, appended, row, draft)
    }
    return appended
  }

  erase (room: string, position: Position): void {
    const log = this.#log(room)
    if (log.untouched) return
    this.#staged.add(log)
    log.erase(position)
  }

  clear (room: string): void {
    const log = this.#log(room)
    if (log.untouched) return
    this.#staged.add(log)
    this.#feeds.restart(room, log.eraseAll())
    this.#untrimmed.add(room)
  }

  /** Makes the next commit write something, to test the disk. */
  touch (): void { this.#touched = true }

  /** Commits all staged logs and some background work. Returns undefined if there is nothing to commit. */
  commit (): Promise<void> | undefined {
    const now = Date.now()
    this.#trim(now)
    this.#writeUses(now)
    this.#evictions.run([...this.#staged].reduce((sum, { growth }) => sum + growth, 0), now)
    if (this.#staged.size === 0 && !this.#touched) return undefined
    this.#touched = false
    return this.#database.commit((changes) => {
      if (!this.#epochIsStored) changes.epoch(this.#epoch)
      changes.bytes(this.#evictions.bytes)
      for (const log of this.#staged) log.write(changes)
    })
  }

  /** Called after a commit. @param committed undefined if the outcome is unknown */
  settled (committed: boolean | undefined): void {
    if (committed === true) this.#epochIsStored = true
    else if (committed === undefined) this.#epoch = this.#database.epoch
    this.#evictions.settled(committed)
    for (const log of this.#staged) {
      if (committed === true) log.settle()
      else this.#uncache(log.room)
    }
    const staged = [...this.#staged]
    this.#staged.clear()
    this.#appended = 0
    for (const { room } of staged) this.#count(room)
  }

  /** Finds expired entries in quiet rooms, and expired rooms. @param found called when there is work to commit */
  async sweep (signal: AbortSignal, found: () => void): Promise<void> {
    this.#evictions.expire()
    let rooms: Array<{ room: string }> = []
    do {
      rooms = this.#database.rooms(rooms.at(-1)?.room, SLICE)
      for (const { room } of rooms) {
        if (this.#peek(room).isDue(Date.now())) this.#untrimmed.add(room)
        if (this.#feeds.has(room)) this.use(room)
      }
      if (this.hasRest) found()
      await immediate()
    } while (rooms.length > 0 && !signal.aborted)
  }

  #peek (room: string): LmdbLog {
    return this.#logs.get(room)?.log ?? new LmdbLog(room, this.#database, this.#limits, this.#epoch)
  }

  #log (room: string): LmdbLog {
    const cached = this.#logs.get(room) ?? { log: this.#peek(room), cost: 0 }
    this.#logs.delete(room)
    this.#logs.set(room, cached)
    return cached.log
  }

  #trim (now: number): void {
    let left = STEPS + 2 * this.#appended
    for (const log of this.#staged) {
      const steps = log.trim(left, now)
      if (steps === left) this.#untrimmed.add(log.room)
      left -= steps
    }
    for (const room of this.#untrimmed) {
      if (left === 0) return
      const log = this.#log(room)
      const steps = log.trim(left, now)
      if (steps > 0) this.#staged.add(log)
      if (steps < left) this.#untrimmed.delete(room)
      left -= steps
      // The followers of a room rely on its offsets.
      if (!log.untouched && log.isEmpty(now) && !this.#feeds.has(room)) this.#forget(log)
    }
  }

  #writeUses (now: number): void {
    for (const room of this.#used) {
      const log = this.#log(room)
      log.use(this.#evictions.uses.lastUse(room) ?? now)
      if (!log.untouched) this.#staged.add(log)
    }
    this.#used.clear()
  }

  /**
   * Removes the head of a room. Changes the epoch of all rooms without entries, so that no old position of this room is
   * honoured when it is used again.
   */
  #forget (log: LmdbLog): void {
    if (this.#epochIsStored) {
      this.#epochIsStored = false
      this.#epoch = newEpoch()
      for (const { log } of this.#logs.values()) if (log.untouched && !this.#staged.has(log)) this.#uncache(log.room)
    }
    this.#staged.add(log)
    this.#feeds.restart(log.room, log.forget(this.#epoch))
  }

  #uncache (room: string): void {
    this.#cost -= this.#logs.get(room)?.cost ?? 0
    this.#logs.delete(room)
  }

  /** Updates the memory counted for a room, and evicts others from the cache unless they are staged. */
  #count (room: string): void {
    const counted = this.#logs.get(room)
    if (counted !== undefined) {
      const { cost } = counted.log
      this.#cost += cost - counted.cost
      counted.cost = cost
    }
    for (const [other, { log }] of this.#logs) {
      if (this.#cost <= this.#limits.cacheBytes) return
      if (other !== room && !this.#staged.has(log)) this.#uncache(other)
    }
  }
}

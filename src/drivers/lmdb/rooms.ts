import { setImmediate as immediate } from 'node:timers/promises'
import { StoreBusy } from '../../errors.ts'
import { amend } from './amend.ts'
import type { HistoryBounds } from '../history-options.ts'
import type { LmdbDatabase, Use } from './database.ts'
import { LmdbEpochSeed } from './epoch-seed.ts'
import { LmdbEvictions, type StoreLimits } from './evictions.ts'
import type { LmdbFeeds } from './feeds.ts'
import { emptyHead, headOf, isUnused, type RoomHead } from './head.ts'
import { LmdbLeases } from './leases.ts'
import { LmdbLogCache, type CacheLimits } from './log-cache.ts'
import { LmdbLog } from './log.ts'
import type { LmdbReadPositions } from './read-positions.ts'
import type { EntryRecord } from './record.ts'
import type { StagedRooms } from './staged-rooms.ts'
import { LmdbTrimming } from './trimming.ts'
import type { Amended, Amendment, ChangeCursor, Control, Head } from '../../change.ts'
import type { Appended, Cursor, Draft, Feed, FeedPage, Position } from '../../store.ts'

/** Rooms that a sweep examines in one tick. */
const ROOMS_PER_TICK = 100

/** The rooms of a store. Applies writes to the logs of the rooms, and commits the logs, and the read positions with them. */
export class LmdbRooms {
  readonly #database: LmdbDatabase
  readonly #feeds: LmdbFeeds
  readonly #positions: LmdbReadPositions
  readonly #cache: LmdbLogCache
  readonly #staged = new Set<LmdbLog>()
  readonly #leases = new LmdbLeases()
  readonly #trimming: LmdbTrimming
  readonly #evictions: LmdbEvictions
  readonly #seed: LmdbEpochSeed
  /** Appended entries, changes and controls of the next commit. */
  #writeCount = 0
  #isTouched = false

  constructor (database: LmdbDatabase, limits: HistoryBounds & StoreLimits & CacheLimits, feeds: LmdbFeeds, positions: LmdbReadPositions) {
    this.#database = database
    this.#feeds = feeds
    this.#positions = positions
    const seed = this.#seed = new LmdbEpochSeed(database, feeds)
    this.#cache = new LmdbLogCache(limits, (room) => new LmdbLog(room, database, limits, seed.of(room)), (log) => {
      return log.isUnused && log.seed !== seed.of(log.room) && !this.#staged.has(log)
    })
    const rooms: StagedRooms = {
      log: (room) => this.#cache.use(room),
      stage: (log) => this.#staged.add(log),
      forget: (log) => this.#forget(log)
    }
    this.#trimming = new LmdbTrimming(feeds, rooms)
    this.#evictions = new LmdbEvictions(database, limits, feeds, rooms, positions)
  }

  /** Whether there is background work to commit. */
  get hasPendingWork (): boolean {
    return this.#trimming.hasPendingWork || this.#evictions.uses.hasUnwritten || this.#positions.uses.hasUnwritten || this.#evictions.hasPendingWork
  }

  /** Returns the head of a room on disk. */
  head (room: string): RoomHead { return this.#database.head(room) ?? emptyHead(room, this.#seed.of(room)) }

  /** Returns the newest entry and change on disk. */
  newest (room: string): Head { return headOf(this.head(room)) }

  /** Subscribes to what comes after the head on disk. */
  follow (room: string, deliver: (page: FeedPage) => void): Feed {
    const head = this.head(room)
    return this.#feeds.follow(room, headOf(head), isUnused(head) ? this.#seed.of(room) : undefined, deliver)
  }

  find (room: string, key: string): Cursor | undefined { return this.#inspect(room, (log) => log.find(key)) }

  findChange (room: string, key: string): ChangeCursor | undefined { return this.#inspect(room, (log) => log.findChange(key)) }

  /** Records a use that writes no entry. Returns true if a commit should write it to disk. */
  use (room: string, head = this.head(room)): boolean { return !isUnused(head) && this.#evictions.uses.recordRead(room, head.used, Date.now()) }

  append (room: string, record: EntryRecord, draft: Draft): Appended {
    const log = this.#writable(room)
    const appended = log.append(record, draft)
    this.#evictions.uses.record(room, Date.now())
    if (!appended.again) {
      this.#written(log)
      if (draft.streaming === true) this.#leases.renew(room, log.head.last)
      this.#feeds.push(room, appended, record, draft)
    }
    return appended
  }

  amend (room: string, position: Position, amendment: Amendment): Amended {
    const log = this.#writable(room)
    const { amended, changed } = amend(log, position, amendment, this.#leases)
    this.#evictions.uses.record(room, Date.now())
    // An edit without effect is remembered.
    if (log.hasWrites) this.#staged.add(log)
    if (changed !== undefined) {
      this.#written(log)
      this.#feeds.pushChange(room, changed)
    }
    return amended
  }

  /** @param text a control as JSON @throws StoreBusy, and the damage of the room */
  control (room: string, text: string): ChangeCursor {
    const log = this.#writable(room)
    if (log.retention.damage !== undefined) throw log.retention.damage
    const now = Date.now()
    const change = log.changes.addControl(text, now)
    this.#evictions.uses.record(room, now)
    this.#written(log)
    this.#feeds.pushControl(room, { change, control: JSON.parse(text) as Control })
    return change
  }

  clear (room: string): void {
    const log = this.#cache.use(room)
    if (log.isUnused) return
    this.#staged.add(log)
    this.#feeds.restart(room, log.clear())
    this.#trimming.add(room)
  }

  /** Makes the next commit write to the disk even without changes, to test the disk. */
  touch (): void { this.#isTouched = true }

  /** Commits all staged logs and read positions, and some background work. Returns undefined if there is nothing to commit. */
  commit (): Promise<void> | undefined {
    const now = Date.now()
    for (const log of this.#staged) log.records.encode()
    this.#trimming.run(this.#staged, this.#writeCount, now)
    this.#writeUses(now)
    this.#positions.writeUses(now)
    this.#evictions.run([...this.#staged].reduce((sum, { growth }) => sum + growth, this.#positions.growth), now)
    if (this.#staged.size === 0 && !this.#positions.hasWrites && !this.#isTouched) return undefined
    this.#isTouched = false
    return this.#database.commit(this.#evictions.bytes, (writes) => {
      this.#seed.write(writes)
      for (const log of this.#staged) log.write(writes)
      this.#positions.write(writes)
    })
  }

  /** Called after a commit. @param committed undefined if the outcome is unknown */
  settled (committed: boolean | undefined): void {
    this.#seed.settle(committed)
    this.#evictions.settled(committed)
    this.#positions.settle()
    for (const log of this.#staged) {
      if (committed === true) log.settle()
      else this.#cache.delete(log.room)
    }
    const staged = [...this.#staged]
    this.#staged.clear()
    this.#writeCount = 0
    for (const { room } of staged) this.#count(room)
  }

  /** Finds expired entries in quiet rooms, expired rooms and read positions, and leases without an entry. @param found called when there is work to commit */
  async sweep (signal: AbortSignal, found: () => void): Promise<void> {
    this.#leases.prune((room) => this.#cache.peek(room))
    this.#evictions.expire()
    let rooms: Array<Use & { head: RoomHead }> = []
    do {
      rooms = this.#database.rooms(rooms.at(-1), ROOMS_PER_TICK)
      for (const { room, head } of rooms) {
        if (this.#cache.peek(room).retention.isDue(Date.now())) this.#trimming.add(room)
        if (this.#feeds.has(room)) this.use(room, head)
      }
      if (this.hasPendingWork) found()
      await immediate()
    } while (rooms.length > 0 && !signal.aborted)
  }

  /** @throws StoreBusy if more is stored than can be removed */
  assertSpace (): void {
    if (this.#evictions.isBehind) throw new StoreBusy()
  }

  /** @throws StoreBusy */
  #writable (room: string): LmdbLog {
    this.assertSpace()
    return this.#cache.use(room)
  }

  /** Adds an entry, change or control of a room to the next commit. */
  #written (log: LmdbLog): void {
    log.use(Date.now())
    this.#staged.add(log)
    this.#writeCount++
  }

  #writeUses (now: number): void {
    const { uses } = this.#evictions
    for (const room of uses.takeUnwritten()) {
      const log = this.#cache.use(room)
      log.use(uses.lastUse(room) ?? now)
      if (!log.isUnused) this.#staged.add(log)
    }
  }

  /**
   * Removes the head of a room. Changes the epochs of all unused rooms without followers, so that no old position of this room is
   * honoured when the room is used again.
   */
  #forget (log: LmdbLog): void {
    this.#staged.add(log)
    this.#feeds.restart(log.room, log.forget(this.#seed.renew(log.room)))
  }

  #inspect<T> (room: string, inspect: (log: LmdbLog) => T): T {
    const result = inspect(this.#cache.use(room))
    this.#count(room)
    return result
  }

  /** Updates the memory counted for a room, and evicts others from the cache. */
  #count (room: string): void { this.#cache.count(room, (log) => this.#staged.has(log)) }
}

import { setImmediate as turn } from 'node:timers/promises'
import { StoreBusy } from '../../errors.ts'
import type { LmdbDatabase } from './database.ts'
import { LmdbEvictions, type StoreLimits } from './evictions.ts'
import type { LmdbFeeds } from './feeds.ts'
import { beginning, newEpoch, newestOf, type Epoch, type Head } from './head.ts'
import { LmdbLog, USE_INTERVAL, type LogLimits } from './log.ts'
import type { Row } from './record.ts'
import type { Draft, Cursor, Position } from '../../store.ts'

/** Steps of trimming in a commit beyond two for each entry it appends: that another goes, and a key. */
const STEPS = 64

/** Rooms that a sweep looks at in one turn. */
const SLICE = 100

/** Rooms whose last uses one commit writes. */
const USES = 64

/** cost: bytes of memory, as last counted */
interface Cached { readonly log: LmdbLog, cost: number }

/** What is held of rooms in memory. */
export interface CacheLimits {
  /** bytes of memory */
  readonly cacheBytes: number
}

/** The rooms of a store: what is done to them, and what of it the next commit takes. */
export class LmdbRooms {
  readonly #database: LmdbDatabase
  readonly #limits: LogLimits & CacheLimits
  readonly #feeds: LmdbFeeds
  /** The least recently written first. */
  readonly #logs = new Map<string, Cached>()
  /** Of all of them. */
  #cost = 0
  readonly #staged = new Set<LmdbLog>()
  readonly #untrimmed = new Set<string>()
  readonly #evictions: LmdbEvictions
  /** Rooms whose last use the disk should learn of. */
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

  /** Whether there is something to write that nobody waits for. */
  get hasRest (): boolean { return this.#untrimmed.size > 0 || this.#used.size > 0 || this.#evictions.hasRest }

  /** What is on disk of a room. */
  head (room: string): Head { return this.#database.head(room) ?? beginning(room, this.#epoch) }

  /** The newest on disk. */
  newest (room: string): Cursor { return this.#logs.get(room)?.log.committed ?? newestOf(this.head(room)) }

  find (room: string, key: string): Cursor | undefined {
    const found = this.#log(room).find(key)
    this.#count(room)
    return found
  }

  /** Takes note of a use that writes nothing. @returns whether the disk should learn of it */
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

  /** There is to be a commit, to see whether it succeeds. */
  touch (): void { this.#touched = true }

  /** Resolves once all that was done is on disk; undefined when that is nothing. */
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

  /** @param committed undefined when that is not known */
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

  /** Looks for what became too old in rooms that nothing is done to, and for rooms that nobody used. */
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
      await turn()
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
      // Whoever follows it counts on its numbers.
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

  /** Leaves nothing of a room. No position of it may fit what comes later: all that have nothing begin anew. */
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

  /** Takes account of what is held of a room, and lets go of others that nothing is done to. */
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

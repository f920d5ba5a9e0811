import { ReusedKey, StalePost } from '../../errors.ts'
import { stringCost } from '../../heap-cost.ts'
import { chargeOfRoom, chargeOfRow } from './charge.ts'
import type { Changes, LmdbDatabase } from './database.ts'
import { beginning, genesisOf, isUntouched, markOf, newestOf, placeOf, reborn, type Epoch, type Head } from './head.ts'
import { digestOf, emptied, hashOf, keyOf, stamp, timeOf, trimmed, type Row } from './record.ts'
import { parsePosition } from '../position.ts'
import type { Draft, Cursor, Position } from '../../store.ts'

/** Bounds of one room. */
export interface LogLimits {
  /** entries */
  readonly historyEntries: number
  /** bytes */
  readonly historyBytes: number
  /** ms that an entry is kept */
  readonly historyAge: number
  /** ms that a key is remembered at least, unless there are too many */
  readonly keyLife: number
}

/** ms between two writes of a room's last use. */
export const USE_INTERVAL = 10 * 60_000

/** Measured bytes of heap of a log with its head, cursors and maps, and its slots in two orders of use; and of each key. */
const [LOG, KEY] = [1_300, 100]

/** Bounds the keys of a room, as a multiple of `historyEntries`. */
const KEYS_PER_ENTRY = 10

/** One room as it will be after the next commit. Discarded if the commit fails. */
export class LmdbLog {
  readonly room: string
  readonly #database: LmdbDatabase
  readonly #limits: LogLimits
  /** Rows by index that the next commit writes; undefined for a row that it removes. */
  readonly #changes = new Map<number, Row | undefined>()
  #head: Head
  /** The newest entry on disk. */
  #committed: Cursor
  /** Bytes charged for the room on disk, and its last use there; 0 for a room that isn't on disk. */
  #stored: { charge: number, used: number }
  /** Index of each key's entry, by the key's digest. Read when first needed. */
  #keys: Map<string, number> | undefined
  /** The error of the last trim. Appends reject with it: a room that can't be trimmed would grow without bound. */
  #damage: unknown

  constructor (room: string, database: LmdbDatabase, limits: LogLimits, epoch: Epoch) {
    this.room = room
    this.#database = database
    this.#limits = limits
    this.#head = { ...database.head(room) ?? beginning(room, epoch) }
    this.#committed = newestOf(this.#head)
    this.#stored = this.#state()
  }

  get committed (): Cursor { return this.#committed }
  get untouched (): boolean { return isUntouched(this.#head) }
  /** Last use in ms, as the next commit writes it to the order of use. */
  get used (): number { return this.#head.used }
  /** Bytes that the next commit adds to the charge. */
  get growth (): number { return this.#state().charge - this.#stored.charge }
  /** Whether the room has neither entries nor rows of former entries. */
  get isSwept (): boolean { return this.#head.first > this.#head.last && this.#head.swept === this.#head.last }
  /** Whether there are rows of an earlier epoch. */
  get hasDead (): boolean { return this.#head.swept < this.#head.base }
  get keyCount (): number { return this.#keys?.size ?? 0 }
  /** Bytes of memory between two commits. */
  get cost (): number { return LOG + stringCost(this.room) + KEY * this.keyCount }

  /** @param row the encoded draft @throws ReusedKey, StalePost, StoreDamaged */
  append (row: Row, { hash, since }: Draft): Cursor & { again: boolean } {
    if (this.#damage !== undefined) throw this.#damage
    const head = this.#head
    const digest = keyOf(row)
    const known = digest === undefined ? undefined : this.#indexByDigest.get(digest)
    if (known !== undefined) {
      const first = this.#entry(known)
      if (hashOf(first) !== hash) throw new ReusedKey()
      return { ...markOf(head, known, timeOf(first)), again: true }
    }
    if (since !== undefined && !(this.#indexOf(since) >= head.forgotten)) throw new StalePost()

    head.last++
    head.at = Math.max(head.at, Date.now())
    head.bytes += row.length
    stamp(row, head.at)
    this.#change(head.last, undefined, row)
    if (digest !== undefined) this.#indexByDigest.set(digest, head.last)
    const { offset: n, position } = newestOf(head)
    return { offset: n, position, again: false }
  }

  /** Returns the cursor of a key's entry if the entry is on disk. */
  find (key: string): Cursor | undefined {
    const index = this.#indexByDigest.get(digestOf(key))
    if (index === undefined) return undefined
    const cursor = markOf(this.#head, index, timeOf(this.#entry(index)))
    return cursor.offset > this.#committed.offset ? undefined : cursor
  }

  /** Removes the content of one entry. Its offset and position stay. */
  erase (position: Position): void {
    const index = placeOf(this.#head, position)
    if (!Number.isInteger(index) || index < this.#head.first) return
    const row = this.#entry(index)
    if (markOf(this.#head, index, timeOf(row)).position !== position) return
    const empty = emptied(row)
    this.#head.bytes += empty.length - row.length
    this.#change(index, row, empty)
  }

  /** Begins a new epoch and returns its beginning. The rows of the old one are removed step by step, by `trim`. */
  eraseAll (): Cursor {
    this.#head = reborn(this.#head)
    this.#keys = new Map()
    this.#damage = undefined
    return newestOf(this.#head)
  }

  /** Returns true if only the head is left, and no entry was added for as long as a key is remembered. */
  isEmpty (now: number): boolean {
    return this.isSwept && this.#head.at <= now - this.#limits.keyLife
  }

  /** Makes the room one that never had an entry, and returns its beginning. */
  forget (epoch: Epoch): Cursor {
    this.#head = beginning(this.room, epoch)
    this.#keys = new Map()
    return newestOf(this.#head)
  }

  /** Returns true if there is anything to trim or to forget, or if reading fails: `trim` then records the damage. */
  isDue (now: number): boolean {
    try {
      return this.#isOver(now) || this.#isForgettable(now) || this.isEmpty(now)
    } catch {
      return true
    }
  }

  /** Removes rows that exceed the bounds, in up to `maxSteps` steps. Returns the steps taken. */
  trim (maxSteps: number, now: number): number {
    return this.#steps(maxSteps, () => this.#trimOldest(now) || this.#forgetOldest(now))
  }

  /** Removes the oldest entries and their keys, never the newest, in up to `maxSteps` steps. Returns the steps taken. */
  shrink (maxSteps: number): number {
    return this.#steps(maxSteps, () => {
      const { swept, first, last } = this.#head
      if (swept + 1 < first) this.#sweepOldest()
      else if (first < last) this.#dropOldest()
      else return false
      return true
    })
  }

  /** Records a use. @param exactly records it even if the last one is less than `USE_INTERVAL` ago */
  use (at: number, exactly = false): void {
    if (exactly || at - this.#head.used >= USE_INTERVAL) this.#head.used = at
  }

  write (changes: Changes): void {
    for (const [index, row] of this.#changes) changes.row(this.room, index, row)
    changes.head(this.room, this.untouched ? undefined : this.#head)
    const [before, { used }] = [this.#stored.used, this.#state()]
    if (used === before) return
    if (before !== 0) changes.use(this.room, before, false)
    if (used !== 0) changes.use(this.room, used, true)
  }

  /** Called when the commit is on disk. */
  settle (): void {
    this.#changes.clear()
    this.#committed = newestOf(this.#head)
    this.#stored = this.#state()
  }

  #steps (maxSteps: number, step: () => boolean): number {
    let steps = 0
    try {
      while (steps < maxSteps && step()) steps++
      this.#damage = undefined
    } catch (damage) {
      this.#damage = damage
    }
    return steps
  }

  get #indexByDigest (): Map<string, number> {
    if (this.#keys !== undefined) return this.#keys
    const { last, swept, base } = this.#head
    this.#keys = new Map()
    for (const { index, row } of this.#database.rows(this.room, Math.max(swept, base), last)) {
      const key = keyOf(row)
      if (key !== undefined) this.#keys.set(key, index)
    }
    return this.#keys
  }

  /** Returns true if the oldest entry exceeds the bounds. */
  #isOver (now: number): boolean {
    const { historyEntries, historyBytes, historyAge } = this.#limits
    const { last, first, bytes } = this.#head
    const count = last - first + 1
    if (count > historyEntries || (bytes > historyBytes && count > 1)) return true
    return count > 0 && historyAge !== Infinity && timeOf(this.#entry(first)) <= now - historyAge
  }

  #trimOldest (now: number): boolean {
    if (!this.#isOver(now)) return false
    this.#dropOldest()
    return true
  }

  #dropOldest (): void {
    const row = this.#entry(this.#head.first)
    this.#change(this.#head.first++, row, keyOf(row) === undefined ? undefined : trimmed(row))
    this.#head.bytes -= row.length
  }

  /** Returns true if the row of the oldest trimmed entry is no longer needed. */
  #isForgettable (now: number): boolean {
    const { swept, first, base } = this.#head
    if (swept + 1 >= first) return false
    if (swept < base) return true
    const row = this.#row(swept + 1)
    if (row === undefined || keyOf(row) === undefined) return true
    const { keyLife, historyEntries } = this.#limits
    return timeOf(row) <= now - keyLife || this.keyCount > historyEntries * KEYS_PER_ENTRY
  }

  #forgetOldest (now: number): boolean {
    if (!this.#isForgettable(now)) return false
    this.#sweepOldest()
    return true
  }

  /** Removes the row of the oldest trimmed entry. Rows of earlier epochs aren't read, which makes removing a room fast. */
  #sweepOldest (): void {
    const head = this.#head
    const index = head.swept + 1
    if (index <= head.base) {
      const share = Math.ceil(head.dead / (head.base - head.swept))
      head.dead -= share
      head.size -= share
      this.#changes.set(index, undefined)
    } else {
      const row = this.#row(index)
      const key = row === undefined ? undefined : keyOf(row)
      if (key !== undefined) {
        this.#keys?.delete(key)
        head.forgotten = index
      }
      if (row !== undefined) this.#change(index, row, undefined)
    }
    head.swept = index
  }

  /** Replaces a row and updates the charge. @param before undefined for no row @param after undefined to remove it */
  #change (index: number, before: Row | undefined, after: Row | undefined): void {
    for (const [row, sign] of [[before, -1], [after, 1]] as const) {
      if (row !== undefined) this.#head.size += sign * chargeOfRow(this.room, row)
    }
    this.#changes.set(index, after)
  }

  #state (): { charge: number, used: number } {
    return this.untouched ? { charge: 0, used: 0 } : { charge: chargeOfRoom(this.room) + this.#head.size, used: this.#head.used }
  }

  /**
   * Returns the index of an entry of this epoch, kept or not; NaN for any other position. The time of an entry without a row
   * isn't known, so the position only has to lie between the beginning of the epoch and the newest entry.
   */
  #indexOf (position: Position): number {
    const head = this.#head
    const index = placeOf(head, position)
    if (Number.isNaN(index)) return NaN
    if (index === head.base) return position === genesisOf(head).position ? index : NaN
    const row = this.#row(index)
    if (row !== undefined) return markOf(head, index, timeOf(row)).position === position ? index : NaN
    const { at } = parsePosition(position)!
    return at >= head.born && at <= head.at ? index : NaN
  }

  #row (index: number): Row | undefined {
    return this.#changes.has(index) ? this.#changes.get(index) : this.#database.row(this.room, index)
  }

  #entry (index: number): Row { return this.#changes.get(index) ?? this.#database.entry(this.room, index) }
}

import { ReusedKey, StalePost } from '../../errors.ts'
import { stringCost } from '../../heap-cost.ts'
import { chargeOfRoom, chargeOfRow } from './charge.ts'
import type { Changes, LmdbDatabase } from './database.ts'
import { beginning, genesisOf, isUntouched, markOf, newestOf, placeOf, reborn, type Epoch, type Head } from './head.ts'
import { digestOf, emptied, hashOf, keyOf, stamp, timeOf, trimmed, type Row } from './record.ts'
import { parsePosition } from '../position.ts'
import type { Draft, Cursor, Position } from '../../store.ts'

/** What one room may hold. */
export interface LogLimits {
  /** entries */
  readonly historyEntries: number
  /** bytes */
  readonly historyBytes: number
  /** ms */
  readonly historyAge: number
  /** ms a key is remembered at least, unless there are too many */
  readonly keyLife: number
}

/** ms between two writes of a room's last use. */
export const USE_INTERVAL = 10 * 60_000

/** Bytes that V8 takes for a log with its head, marks and maps, and its place in two orders of use; for each key of it. Measured. */
const [LOG, KEY] = [1_300, 100]

/** Keys are remembered for this many times the entries kept. */
const KEYS_PER_ENTRY = 10

/** One room as it will be once what was done to it is committed; thrown away when that fails. */
export class LmdbLog {
  readonly room: string
  readonly #database: LmdbDatabase
  readonly #limits: LogLimits
  /** Written with the next commit; undefined for what goes. */
  readonly #changes = new Map<number, Row | undefined>()
  #head: Head
  /** The newest on disk. */
  #committed: Cursor
  /** What it is charged on disk, and its last use there; 0 for a room that isn't there. */
  #stored: { charge: number, used: number }
  /** The entry of each key, by its digest: read when first needed. */
  #keys: Map<string, number> | undefined
  /** Why it can't be trimmed: it would grow without bound. */
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
  /** ms; what the next commit makes the order of use on disk. */
  get used (): number { return this.#head.used }
  /** Bytes that the next commit adds to what is charged. */
  get growth (): number { return this.#state().charge - this.#stored.charge }
  /** Whether it has no entries and no rows of former ones. */
  get isSwept (): boolean { return this.#head.first > this.#head.last && this.#head.swept === this.#head.last }
  /** Whether there are rows of a former life. */
  get hasDead (): boolean { return this.#head.swept < this.#head.base }
  get keyCount (): number { return this.#keys?.size ?? 0 }
  /** Bytes of memory that it takes between two commits. */
  get cost (): number { return LOG + stringCost(this.room) + KEY * this.keyCount }

  /** @param row the draft encoded @throws ReusedKey, StalePost, StoreDamaged */
  append (row: Row, { hash, since }: Draft): Cursor & { again: boolean } {
    if (this.#damage !== undefined) throw this.#damage
    const head = this.#head
    const digest = keyOf(row)
    const known = digest === undefined ? undefined : this.#keyed.get(digest)
    if (known !== undefined) {
      const first = this.#entry(known)
      if (hashOf(first) !== hash) throw new ReusedKey()
      return { ...markOf(head, known, timeOf(first)), again: true }
    }
    if (since !== undefined && !(this.#existed(since) >= head.forgotten)) throw new StalePost()

    head.last++
    head.at = Math.max(head.at, Date.now())
    head.bytes += row.length
    stamp(row, head.at)
    this.#change(head.last, undefined, row)
    if (digest !== undefined) this.#keyed.set(digest, head.last)
    const { n, position } = newestOf(head)
    return { n, position, again: false }
  }

  /** The mark of a remembered key that is on disk. */
  find (key: string): Cursor | undefined {
    const place = this.#keyed.get(digestOf(key))
    if (place === undefined) return undefined
    const mark = markOf(this.#head, place, timeOf(this.#entry(place)))
    return mark.n > this.#committed.n ? undefined : mark
  }

  /** Empties one entry of its content; its number and position stay. */
  erase (position: Position): void {
    const place = placeOf(this.#head, position)
    if (!Number.isInteger(place) || place < this.#head.first) return
    const row = this.#entry(place)
    if (markOf(this.#head, place, timeOf(row)).position !== position) return
    const empty = emptied(row)
    this.#head.bytes += empty.length - row.length
    this.#change(place, row, empty)
  }

  /** Begins another life. What is left of this one goes as what is trimmed does. */
  eraseAll (): Cursor {
    this.#head = reborn(this.#head)
    this.#keys = new Map()
    this.#damage = undefined
    return newestOf(this.#head)
  }

  /** Whether nothing is left of it but its head, and has been for as long as a key is remembered. */
  isEmpty (now: number): boolean {
    return this.isSwept && this.#head.at <= now - this.#limits.keyLife
  }

  /** As if there had never been anything. */
  forget (epoch: Epoch): Cursor {
    this.#head = beginning(this.room, epoch)
    this.#keys = new Map()
    return newestOf(this.#head)
  }

  /** Whether there is anything to trim or to forget, or it can't be told without trying. */
  isDue (now: number): boolean {
    try {
      return this.#isOver(now) || this.#isForgettable(now) || this.isEmpty(now)
    } catch {
      return true
    }
  }

  /** Takes away what the bounds exclude, in so many steps at most. @returns how many it took */
  trim (most: number, now: number): number {
    return this.#steps(most, () => this.#trimOldest(now) || this.#forgetOldest(now))
  }

  /** Gives up its oldest entries and their keys, in so many steps at most, but never the newest. @returns how many it took */
  shrink (most: number): number {
    return this.#steps(most, () => {
      const { swept, first, last } = this.#head
      if (swept + 1 < first) this.#sweepOldest()
      else if (first < last) this.#dropOldest()
      else return false
      return true
    })
  }

  /** Was used. @param exactly to be written, however short a time after the last */
  use (at: number, exactly = false): void {
    if (exactly || at - this.#head.used >= USE_INTERVAL) this.#head.used = at
  }

  write (changes: Changes): void {
    for (const [place, row] of this.#changes) changes.row(this.room, place, row)
    changes.head(this.room, this.untouched ? undefined : this.#head)
    const [before, { used }] = [this.#stored.used, this.#state()]
    if (used === before) return
    if (before !== 0) changes.use(this.room, before, false)
    if (used !== 0) changes.use(this.room, used, true)
  }

  /** What was written is on disk. */
  settle (): void {
    this.#changes.clear()
    this.#committed = newestOf(this.#head)
    this.#stored = this.#state()
  }

  #steps (most: number, step: () => boolean): number {
    let steps = 0
    try {
      while (steps < most && step()) steps++
      this.#damage = undefined
    } catch (damage) {
      this.#damage = damage
    }
    return steps
  }

  get #keyed (): Map<string, number> {
    if (this.#keys !== undefined) return this.#keys
    const { last, swept, base } = this.#head
    this.#keys = new Map()
    for (const { place, row } of this.#database.rows(this.room, Math.max(swept, base), last)) {
      const key = keyOf(row)
      if (key !== undefined) this.#keys.set(key, place)
    }
    return this.#keys
  }

  /** Whether the bounds exclude the oldest entry. */
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

  /** Whether what is left of the oldest trimmed entry need not be known any more. */
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

  /** Leaves nothing of the oldest entry that was trimmed. One of a former life isn't read: a room goes as fast as it can. */
  #sweepOldest (): void {
    const head = this.#head
    const place = head.swept + 1
    if (place <= head.base) {
      const share = Math.ceil(head.dead / (head.base - head.swept))
      head.dead -= share
      head.size -= share
      this.#changes.set(place, undefined)
    } else {
      const row = this.#row(place)
      const key = row === undefined ? undefined : keyOf(row)
      if (key !== undefined) {
        this.#keys?.delete(key)
        head.forgotten = place
      }
      if (row !== undefined) this.#change(place, row, undefined)
    }
    head.swept = place
  }

  /** Takes account of a row that takes another's place; undefined for none. */
  #change (place: number, before: Row | undefined, after: Row | undefined): void {
    for (const [row, sign] of [[before, -1], [after, 1]] as const) {
      if (row !== undefined) this.#head.size += sign * chargeOfRow(this.room, row)
    }
    this.#changes.set(place, after)
  }

  #state (): { charge: number, used: number } {
    return this.untouched ? { charge: 0, used: 0 } : { charge: chargeOfRoom(this.room) + this.#head.size, used: this.#head.used }
  }

  /**
   * The entry of this life that a position names or named; NaN for any other. Of one of which nothing is left the time
   * isn't known, only between which it was.
   */
  #existed (position: Position): number {
    const head = this.#head
    const place = placeOf(head, position)
    if (Number.isNaN(place)) return NaN
    if (place === head.base) return position === genesisOf(head).position ? place : NaN
    const row = this.#row(place)
    if (row !== undefined) return markOf(head, place, timeOf(row)).position === position ? place : NaN
    const { at } = parsePosition(position)!
    return at >= head.born && at <= head.at ? place : NaN
  }

  #row (place: number): Row | undefined {
    return this.#changes.has(place) ? this.#changes.get(place) : this.#database.row(this.room, place)
  }

  #entry (place: number): Row { return this.#changes.get(place) ?? this.#database.entry(this.room, place) }
}

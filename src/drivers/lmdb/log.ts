import { ReusedKey, StalePost } from '../../errors.ts'
import { stringCost } from '../../heap-cost.ts'
import type { HistoryBounds } from '../history-options.ts'
import { chargeOfRecord, chargeOfRoom } from './charge.ts'
import type { Changes, LmdbDatabase } from './database.ts'
import { beginningCursor, cursorAt, emptyHead, indexInEpoch, newestCursor, newestHead, nextEpochHead, type EpochSeed, type Head } from './head.ts'
import { LmdbKeys } from './keys.ts'
import { digestOf, emptied, hashOf, keyOf, stamp, timeOf, trimmed, type EntryRecord } from './record.ts'
import { LmdbRetention } from './retention.ts'
import { parsePosition } from '../position.ts'
import type { Head as RoomHead } from '../../change.ts'
import type { Appended, Draft, Cursor, Position } from '../../store.ts'

/** ms between two writes of a room's last use. */
export const USE_WRITE_INTERVAL = 10 * 60_000

/** Measured bytes of heap: of a log with its head, cursors and maps and its slots in two orders of use; of a key. */
const [LOG, KEY] = [1_300, 100]

/** The state of one room after the next commit. Discarded if the commit fails. */
export class LmdbLog {
  readonly room: string
  readonly retention: LmdbRetention
  readonly #database: LmdbDatabase
  /** Records that the next commit writes, by index; undefined for a record that it removes. */
  readonly #changes = new Map<number, EntryRecord | undefined>()
  readonly #keys = new LmdbKeys()
  #head: Head
  #committed: RoomHead
  /** Bytes charged for the room on disk, and its last use there; 0 for a room that isn't on disk. */
  #stored: { charge: number, used: number }

  constructor (room: string, database: LmdbDatabase, limits: HistoryBounds, seed: EpochSeed) {
    this.room = room
    this.retention = new LmdbRetention(this, limits)
    this.#database = database
    this.#head = { ...database.head(room) ?? emptyHead(room, seed) }
    this.#committed = newestHead(this.#head)
    this.#stored = this.#state()
  }

  get head (): Readonly<Head> { return this.#head }
  /** The newest entry on disk. */
  get committed (): RoomHead { return this.#committed }
  /** Whether the room never had an entry. */
  get isUnused (): boolean { return this.#head.last === 0 }
  /** Bytes that the next commit adds to the charge. */
  get growth (): number { return this.#state().charge - this.#stored.charge }
  /** Whether the room has neither entries nor records of former entries. */
  get hasNoRecords (): boolean { return this.#head.first > this.#head.last && this.#head.removed === this.#head.last }
  get hasEarlierEpoch (): boolean { return this.#head.removed < this.#head.base }
  get keyCount (): number { return this.#keys.size }
  /** Bytes of memory between two commits. */
  get cost (): number { return LOG + stringCost(this.room) + KEY * this.keyCount }

  /** @param record the encoded draft @throws ReusedKey, StalePost, StoreDamaged */
  append (record: EntryRecord, { hash, since }: Draft): Appended {
    if (this.retention.damage !== undefined) throw this.retention.damage
    const head = this.#head
    const digest = keyOf(record)
    const known = digest === undefined ? undefined : this.#indexOfKey(digest)
    if (known !== undefined) {
      const first = this.entryAt(known)
      if (hashOf(first) !== hash) throw new ReusedKey()
      return { ...cursorAt(head, known, timeOf(first)), again: true }
    }
    if (since !== undefined && !(this.#indexOf(since) >= head.forgotten)) throw new StalePost()

    head.last++
    head.at = Math.max(head.at, Date.now())
    head.bytes += record.length
    stamp(record, head.at)
    this.#change(head.last, undefined, record)
    if (digest !== undefined) this.#keys.add(digest, head.last)
    const { offset, position } = newestCursor(head)
    return { offset, position, at: head.at, again: false }
  }

  /** Returns the cursor of a key's entry if the entry is on disk. */
  find (key: string): Cursor | undefined {
    const index = this.#indexOfKey(digestOf(key))
    if (index === undefined) return undefined
    const cursor = cursorAt(this.#head, index, timeOf(this.entryAt(index)))
    return cursor.offset > this.#committed.offset ? undefined : cursor
  }

  /** Removes the content of one entry. Its offset and position stay. Returns false if the entry isn't kept. */
  erase (position: Position): boolean {
    const index = indexInEpoch(this.#head, position)
    if (!(index >= this.#head.first)) return false
    const record = this.entryAt(index)
    if (cursorAt(this.#head, index, timeOf(record)).position !== position) return false
    const empty = emptied(record)
    this.#head.bytes += empty.length - record.length
    this.#change(index, record, empty)
    return true
  }

  /** Begins a new epoch and returns its beginning. The records of the old one are removed step by step, by `retention`. */
  clear (): RoomHead { return this.#restart(nextEpochHead(this.#head)) }

  /** Resets the room to one that never had an entry, and returns its beginning. */
  forget (seed: EpochSeed): RoomHead { return this.#restart(emptyHead(this.room, seed)) }

  /** Records a use. @param exactly whether to record it even if the last record is less than `USE_WRITE_INTERVAL` old */
  use (at: number, exactly = false): void {
    if (exactly || at - this.#head.used >= USE_WRITE_INTERVAL) this.#head.used = at
  }

  /** Trims the oldest entry. If it has a key, its record stays, without content. */
  trimOldest (): void {
    const record = this.entryAt(this.#head.first)
    this.#change(this.#head.first++, record, keyOf(record) === undefined ? undefined : trimmed(record))
    this.#head.bytes -= record.length
  }

  /** Removes the record of the oldest trimmed entry. Doesn't read records of earlier epochs, so that removing a room is fast. */
  removeOldest (): void {
    const head = this.#head
    const index = head.removed + 1
    if (index <= head.base) {
      const share = Math.ceil(head.earlierSize / (head.base - head.removed))
      head.earlierSize -= share
      head.size -= share
      this.#changes.set(index, undefined)
    } else {
      const record = this.recordAt(index)
      const digest = record === undefined ? undefined : keyOf(record)
      if (digest !== undefined) {
        this.#keys.delete(digest)
        head.forgotten = index
      }
      if (record !== undefined) this.#change(index, record, undefined)
    }
    head.removed = index
  }

  /** Returns the record of an entry, which may be trimmed; undefined if there is none. */
  recordAt (index: number): EntryRecord | undefined {
    return this.#changes.has(index) ? this.#changes.get(index) : this.#database.record(this.room, index)
  }

  /** Returns the record of a kept entry. @throws StoreDamaged if it is missing */
  entryAt (index: number): EntryRecord { return this.#changes.get(index) ?? this.#database.entry(this.room, index) }

  /** Adds the changes of this log to the next commit. */
  write (changes: Changes): void {
    for (const [index, record] of this.#changes) changes.record(this.room, index, record)
    changes.head(this.room, this.isUnused ? undefined : this.#head)
    const [before, { used }] = [this.#stored.used, this.#state()]
    if (used === before) return
    if (before !== 0) changes.use(this.room, before, false)
    if (used !== 0) changes.use(this.room, used, true)
  }

  /** Called when the commit is on disk. */
  settle (): void {
    this.#changes.clear()
    this.#committed = newestHead(this.#head)
    this.#stored = this.#state()
  }

  #restart (head: Head): RoomHead {
    this.#head = head
    this.#keys.clear()
    this.retention.reset()
    return newestHead(head)
  }

  /**
   * Replaces a record and updates the charge.
   * @param before the record on disk; undefined for none
   * @param after the new record; undefined to remove it
   */
  #change (index: number, before: EntryRecord | undefined, after: EntryRecord | undefined): void {
    if (before !== undefined) this.#head.size -= chargeOfRecord(this.room, before)
    if (after !== undefined) this.#head.size += chargeOfRecord(this.room, after)
    this.#changes.set(index, after)
  }

  #state (): { charge: number, used: number } {
    return this.isUnused ? { charge: 0, used: 0 } : { charge: chargeOfRoom(this.room) + this.#head.size, used: this.#head.used }
  }

  #indexOfKey (digest: string): number | undefined {
    const { removed, base, last } = this.#head
    this.#keys.load(this.#database, this.room, Math.max(removed, base), last)
    return this.#keys.find(digest)
  }

  /**
   * Returns the index of an entry of this epoch, even of a removed one; NaN for any other position. The time of an entry without
   * a record isn't known, so the time of its position must only lie between the beginning of the epoch and the newest entry.
   */
  #indexOf (position: Position): number {
    const head = this.#head
    const index = indexInEpoch(head, position)
    if (Number.isNaN(index)) return NaN
    if (index === head.base) return position === beginningCursor(head).position ? index : NaN
    const record = this.recordAt(index)
    if (record !== undefined) return cursorAt(head, index, timeOf(record)).position === position ? index : NaN
    const { at } = parsePosition(position)!
    return at >= head.startedAt && at <= head.at ? index : NaN
  }
}

import { ReusedKey, StalePost } from '../../errors.ts'
import { stringCost } from '../../heap-cost.ts'
import { parsePosition } from '../position.ts'
import { LmdbChanges } from './changes.ts'
import { chargeOfRoom } from './charge.ts'
import { beginningCursor, cursorAt, emptyHead, headOf, indexInEpoch, isUnused, newestCursor, nextEpochHead, type EpochSeed, type RoomHead } from './head.ts'
import { LmdbKeys } from './keys.ts'
import { digestOf, hashOf, historyBytesOf, keyOf, stamp, timeOf, trimmed, type EntryRecord } from './record.ts'
import { LmdbRecords } from './records.ts'
import { LmdbRetention } from './retention.ts'
import { USE_WRITE_INTERVAL } from './uses.ts'
import type { ChangeCursor, Head } from '../../change.ts'
import type { Appended, Cursor, Draft, Position } from '../../store.ts'
import type { HistoryBounds } from '../history-options.ts'
import type { LmdbDatabase, Writes } from './database.ts'

/** Measured bytes of heap: of a log with its head and maps and its slots in two orders of use; of its changes; of a key. */
const [LOG, CHANGES, KEY] = [1_300, 650, 100]

/** The state of one room after the next commit. Discarded if the commit fails. */
export class LmdbLog {
  readonly room: string
  readonly retention: LmdbRetention
  readonly records: LmdbRecords
  readonly changes: LmdbChanges
  readonly #database: LmdbDatabase
  readonly #keys = new LmdbKeys()
  #head: RoomHead
  #seed: EpochSeed
  /** Bytes charged for the room on disk, its last use there, and its newest entry; 0 for a room that isn't on disk. */
  #stored: { charge: number, used: number, last: number }

  constructor (room: string, database: LmdbDatabase, limits: HistoryBounds, seed: EpochSeed) {
    this.room = room
    this.#database = database
    this.#seed = seed
    this.#head = { ...database.head(room) ?? emptyHead(room, seed) }
    this.records = new LmdbRecords(room, database, this.#head)
    this.changes = new LmdbChanges(room, database, this.#head)
    this.retention = new LmdbRetention(this, limits)
    this.#stored = this.#state()
  }

  get head (): Readonly<RoomHead> { return this.#head }
  /** Whether the room never had an entry or a change. */
  get isUnused (): boolean { return isUnused(this.#head) }
  /** Seed of the room's epoch while the room is unused. */
  get seed (): EpochSeed { return this.#seed }
  /** Whether the next commit has to write rows of the room. */
  get hasWrites (): boolean { return this.records.hasWrites || this.changes.hasWrites }
  /** Bytes that the next commit adds to the charge. */
  get growth (): number { return this.#state().charge - this.#stored.charge }
  /** Whether the room has neither entries nor records of former entries, and no change but the oldest. */
  get hasNoRecords (): boolean {
    const { first, last, removed } = this.#head
    return first > last && removed === last && this.changes.size === 0 && !this.changes.hasEarlierEpoch
  }

  get hasEarlierEpoch (): boolean { return this.#head.removed < this.#head.base || this.changes.hasEarlierEpoch }
  get keyCount (): number { return this.#keys.size }
  /** Bytes of memory between two commits. */
  get cost (): number {
    const log = this.#head.changes === undefined ? LOG : LOG + CHANGES
    return log + stringCost(this.room) + KEY * (this.keyCount + this.changes.keyCount)
  }

  /** @param record the encoded draft @throws ReusedKey, StalePost, StoreDamaged */
  append (record: EntryRecord, { hash, since }: Draft): Appended {
    if (this.retention.damage !== undefined) throw this.retention.damage
    const head = this.#head
    const digest = keyOf(record)
    const known = digest === undefined ? undefined : this.#indexOfKey(digest)
    if (known !== undefined) {
      const first = this.records.entryAt(known)
      if (hashOf(first) !== hash) throw new ReusedKey()
      return { ...cursorAt(head, known, timeOf(first)), again: true }
    }
    if (since !== undefined && !(this.#indexOf(since) >= head.forgotten)) throw new StalePost()

    head.last++
    head.at = Math.max(head.at, Date.now())
    head.bytes += record.length
    stamp(record, head.at)
    this.records.set(head.last, undefined, record)
    if (digest !== undefined) this.#keys.add(digest, head.last)
    const { offset, position } = newestCursor(head)
    return { offset, position, at: head.at, again: false }
  }

  /** Returns the cursor of a key's entry if the entry is on disk. */
  find (key: string): Cursor | undefined {
    const index = this.#indexOfKey(digestOf(key))
    if (index === undefined || index > this.#stored.last) return undefined
    return cursorAt(this.#head, index, timeOf(this.records.entryAt(index)))
  }

  /** Returns the cursor of an edit by its key if the edit is on disk. */
  findChange (key: string): ChangeCursor | undefined { return this.changes.find(digestOf(key)) }

  /** Begins a new epoch and returns its beginning. The rows of the old one are removed step by step, by `retention`. */
  clear (): Head { return this.#restart(nextEpochHead(this.#head)) }

  /** Resets the room to one that was never used, and returns its beginning. */
  forget (seed: EpochSeed): Head {
    this.changes.forget()
    this.#seed = seed
    return this.#restart(emptyHead(this.room, seed))
  }

  /** Records a use. @param exactly whether to record it even if the last record is less than `USE_WRITE_INTERVAL` old */
  use (at: number, exactly = false): void {
    if (exactly || at - this.#head.used >= USE_WRITE_INTERVAL) this.#head.used = at
  }

  /** Trims the oldest entry. If it has a key, its record stays, without content. */
  trimOldest (): void {
    const record = this.records.entryAt(this.#head.first)
    this.records.set(this.#head.first++, record, keyOf(record) === undefined ? undefined : trimmed(record))
    this.#head.bytes -= historyBytesOf(record)
    this.changes.trimmed(record)
  }

  /** Removes the record of the oldest trimmed entry. Doesn't read records of earlier epochs, so that removing a room is fast. */
  removeOldest (): void {
    const head = this.#head
    const index = head.removed + 1
    if (index <= head.base) {
      this.records.removeEarlier(index, Math.ceil(head.earlierSize / (head.base - head.removed)))
    } else {
      const record = this.records.recordAt(index)
      const digest = record === undefined ? undefined : keyOf(record)
      if (digest !== undefined) {
        this.#keys.delete(digest)
        head.forgotten = index
      }
      if (record !== undefined) this.records.set(index, record, undefined)
    }
    head.removed = index
  }

  /** Adds the writes of this log to the next commit. */
  write (writes: Writes): void {
    this.records.write(writes)
    this.changes.write(writes)
    writes.head(this.room, this.isUnused ? undefined : this.#head)
    const [before, { used }] = [this.#stored.used, this.#state()]
    if (used === before) return
    if (before !== 0) writes.use(this.room, before, false)
    if (used !== 0) writes.use(this.room, used, true)
  }

  /** Called when the commit is on disk. */
  settle (): void {
    this.records.settle()
    this.changes.settle()
    this.#stored = this.#state()
  }

  #restart (head: RoomHead): Head {
    this.#head = head
    this.#keys.clear()
    this.records.restart(head)
    this.changes.restart(head)
    this.retention.reset()
    return headOf(head)
  }

  #state (): { charge: number, used: number, last: number } {
    const { size, used, last } = this.#head
    if (this.isUnused) return { charge: 0, used: 0, last }
    return { charge: chargeOfRoom(this.room) + size + this.changes.charge, used, last }
  }

  #indexOfKey (digest: string): number | undefined {
    const { removed, base, last } = this.#head
    this.#keys.load(() => keysOf(this.#database.records(this.room, Math.max(removed, base), last)))
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
    const record = this.records.recordAt(index)
    if (record !== undefined) return cursorAt(head, index, timeOf(record)).position === position ? index : NaN
    const { at } = parsePosition(position)!
    return at >= head.startedAt && at <= head.at ? index : NaN
  }
}

function * keysOf (records: ReadonlyArray<{ index: number, record: EntryRecord }>): Generator<readonly [digest: string, index: number]> {
  for (const { index, record } of records) {
    const digest = keyOf(record)
    if (digest !== undefined) yield [digest, index]
  }
}

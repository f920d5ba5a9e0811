import { chargeOfRow } from './charge.ts'
import { decodeContent, historyBytesOf, withContent, type Content, type EntryRecord, type StatefulContent } from './record.ts'
import type { LmdbDatabase, Writes } from './database.ts'
import type { RoomHead } from './head.ts'

/** The records of one room, as they are after the next commit. Only this class writes `size` of the room's head. */
export class LmdbRecords {
  readonly #room: string
  readonly #database: LmdbDatabase
  /** Records that the next commit writes, by index; undefined for a record that it removes. */
  readonly #writes = new Map<number, EntryRecord | undefined>()
  /** Amended entries that aren't encoded yet, by index. Created with the first of them. */
  #amended: Map<number, { readonly record: EntryRecord, readonly content: StatefulContent }> | undefined
  #head: RoomHead

  constructor (room: string, database: LmdbDatabase, head: RoomHead) {
    this.#room = room
    this.#database = database
    this.#head = head
  }

  get hasWrites (): boolean { return this.#writes.size > 0 || this.#amended !== undefined }

  /** Returns the record of an entry, which may be trimmed; undefined if there is none. */
  recordAt (index: number): EntryRecord | undefined {
    return this.#writes.has(index) ? this.#writes.get(index) : this.#database.record(this.#room, index)
  }

  /** Returns the record of a kept entry, without amendments that aren't encoded yet. @throws StoreDamaged if it is missing */
  entryAt (index: number): EntryRecord { return this.#writes.get(index) ?? this.#database.entry(this.#room, index) }

  /** Returns the content of a kept entry with all amendments. @param record of the entry, as `entryAt` returns it */
  contentAt (index: number, record: EntryRecord): Content { return this.#amended?.get(index)?.content ?? decodeContent(record) }

  /**
   * Replaces a record and updates the charge.
   * @param before the record on disk; undefined for none
   * @param after the new record; undefined to remove it
   */
  set (index: number, before: EntryRecord | undefined, after: EntryRecord | undefined): void {
    if (before !== undefined) this.#head.size -= chargeOfRow(this.#room, before)
    if (after !== undefined) this.#head.size += chargeOfRow(this.#room, after)
    this.#writes.set(index, after)
  }

  /** Removes a record of an earlier epoch. @param charge of the record, approximately */
  removeEarlier (index: number, charge: number): void {
    this.#head.earlierSize -= charge
    this.#head.size -= charge
    this.#writes.set(index, undefined)
  }

  /** Replaces the content of a kept entry. @param record of the entry, as `entryAt` returns it */
  amend (index: number, record: EntryRecord, content: StatefulContent): void {
    this.#amended ??= new Map()
    this.#amended.set(index, { record, content })
  }

  /** Encodes the amended entries: once for all amendments of a commit, because an entry may have many reactions or a long text. */
  encode (): void {
    if (this.#amended === undefined) return
    for (const [index, { record, content }] of this.#amended) {
      const changed = withContent(record, content)
      this.#head.bytes += historyBytesOf(changed) - historyBytesOf(record)
      this.set(index, record, changed)
    }
    this.#amended = undefined
  }

  /** Called when a new epoch began. */
  restart (head: RoomHead): void {
    this.#head = head
    this.#amended = undefined
  }

  /** Adds the records to the next commit. */
  write (writes: Writes): void {
    for (const [index, record] of this.#writes) writes.record(this.#room, index, record)
  }

  /** Called when the commit is on disk. */
  settle (): void { this.#writes.clear() }
}

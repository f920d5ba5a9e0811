import type { PageSource } from '../page.ts'
import type { LmdbDatabase } from './database.ts'
import { beginningCursor, cursorAt, indexInEpoch, newestHead, type Head } from './head.ts'
import { decodeRecord, timeOf, type EntryRecord } from './record.ts'
import type { Head as RoomHead, Revision } from '../../change.ts'
import type { Entry, Position } from '../../store.ts'

/** The entries of one room on disk, except those that are too old and will be trimmed. */
export class LmdbPageSource implements PageSource {
  readonly first: number
  readonly #database: LmdbDatabase
  readonly #room: string
  readonly #head: Head

  /** @param after ms since 1970; entries of that time and older ones are excluded */
  constructor (database: LmdbDatabase, room: string, head: Head, after: number) {
    this.#database = database
    this.#room = room
    this.#head = head
    this.first = this.#firstAfter(after)
  }

  get last (): number { return this.#head.last }
  get head (): RoomHead { return newestHead(this.#head) }

  indexOf (position: Position): number | undefined {
    const { base } = this.#head
    if (position === beginningCursor(this.#head).position) return this.first === base + 1 ? base : undefined
    const index = indexInEpoch(this.#head, position)
    if (!(index >= this.first)) return undefined
    return cursorAt(this.#head, index, timeOf(this.#read(index))).position === position ? index : undefined
  }

  entryAt (index: number): Entry {
    const record = this.#read(index)
    return decodeRecord(record, cursorAt(this.#head, index, timeOf(record)))
  }

  numberOf (revision: Revision): number | undefined { return revision === this.head.change.revision ? 0 : undefined }

  changedAt (): undefined { return undefined }

  hasRemovedSince (): boolean { return false }

  #read (index: number): EntryRecord { return this.#database.entry(this.#room, index) }

  /** Returns the index of the oldest entry after a time, by binary search: times never decrease. */
  #firstAfter (after: number): number {
    if (after === -Infinity) return this.#head.first
    let [low, high] = [this.#head.first, this.#head.last + 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (timeOf(this.#read(middle)) <= after) low = middle + 1
      else high = middle
    }
    return low
  }
}

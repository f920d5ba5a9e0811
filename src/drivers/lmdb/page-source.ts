import type { PageSource } from '../page.ts'
import { entryOfChange } from './change-row.ts'
import type { LmdbDatabase } from './database.ts'
import { beginningCursor, cursorAt, headOf, indexInEpoch, rememberedNumber, type RoomHead } from './head.ts'
import { changeOf, decodeRecord, timeOf, type EntryRecord } from './record.ts'
import type { Head, Revision } from '../../change.ts'
import type { Entry, Position } from '../../store.ts'

/** The entries and changes of one room on disk, except entries that are too old and will be trimmed. */
export class LmdbPageSource implements PageSource {
  readonly first: number
  readonly #database: LmdbDatabase
  readonly #room: string
  readonly #head: RoomHead
  /** The kept entries that changed, by the number of their last change. Read when it takes fewer reads than the rows of changes. */
  #changed: Map<number, number> | undefined

  /** @param after ms since 1970; entries of that time and older ones are excluded */
  constructor (database: LmdbDatabase, room: string, head: RoomHead, after: number) {
    this.#database = database
    this.#room = room
    this.#head = head
    this.first = this.#firstAfter(after)
  }

  get last (): number { return this.#head.last }
  get head (): Head { return headOf(this.#head) }

  indexOf (position: Position): number | undefined {
    const { base } = this.#head
    if (position === beginningCursor(this.#head).position) return this.first === base + 1 ? base : undefined
    const index = indexInEpoch(this.#head, position)
    if (!(index >= this.first)) return undefined
    return cursorAt(this.#head, index, timeOf(this.#read(index))).position === position ? index : undefined
  }

  entryAt (index: number, member: string | undefined): Entry {
    const record = this.#read(index)
    return decodeRecord(record, cursorAt(this.#head, index, timeOf(record)), this.#head.epoch, member)
  }

  numberOf (revision: Revision): number | undefined {
    return rememberedNumber(this.#head, revision, (index) => this.#database.changeAt(this.#room, index))
  }

  changedAt (number: number): number | undefined {
    const { last, base } = this.#head.changes!
    // A storm of reactions to few entries leaves more changes than a room has entries.
    if (last - base - number > this.last - this.first) this.#changed ??= this.#changedEntries()
    if (this.#changed !== undefined) return this.#changed.get(number)
    const index = entryOfChange(this.#database.changeAt(this.#room, base + number))
    return index >= this.first && changeOf(this.#read(index)) === number ? index : undefined
  }

  hasRemovedSince (number: number): boolean {
    const { changes, first } = this.#head
    if (changes === undefined || changes.last - changes.base === number) return false
    if (changes.trimmed > number) return true
    for (let index = first; index < this.first; index++) if (changeOf(this.#read(index)) > number) return true
    return false
  }

  #read (index: number): EntryRecord { return this.#database.entry(this.#room, index) }

  #changedEntries (): Map<number, number> {
    const indexes = new Map<number, number>()
    for (let index = this.first; index <= this.last; index++) {
      const number = changeOf(this.#read(index))
      if (number > 0) indexes.set(number, index)
    }
    return indexes
  }

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

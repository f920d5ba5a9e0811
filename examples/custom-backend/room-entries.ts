import type { KeptEntry } from './kept-entry.ts'

/** Bounds of the entries of a room. */
export interface EntryBounds {
  /** entries that a room keeps; the oldest are removed first */
  readonly historyEntries: number
  /** bytes of the entries that a room keeps, as lines of its file; the newest entry is kept in any case; a quarter more for reactions */
  readonly historyBytes: number
}

/** The kept entries of a room, oldest first. Offsets have no gaps. */
export class RoomEntries {
  readonly #bounds: EntryBounds
  readonly #entries: KeptEntry[] = []
  #bytes = 0
  #reactionBytes = 0
  /** offset of the newest entry */
  #last: number
  /** number of the newest change of a removed entry */
  #removed: number

  /** @param last offset of the last entry that is not kept @param removed number of the newest change of those */
  constructor (bounds: EntryBounds, last = 0, removed = 0) {
    this.#bounds = bounds
    this.#last = last
    this.#removed = removed
  }

  get all (): readonly KeptEntry[] { return this.#entries }
  get last (): number { return this.#last }
  get removed (): number { return this.#removed }
  get bytes (): number { return this.#bytes + this.#reactionBytes }
  /** Offset of the oldest kept entry. */
  get first (): number { return this.#last - this.#entries.length + 1 }
  get newest (): KeptEntry | undefined { return this.#entries.at(-1) }
  get hasReactionSpace (): boolean { return this.#reactionBytes <= this.#bounds.historyBytes / 4 }

  at (offset: number): KeptEntry | undefined { return this.#entries[offset - this.first] }

  push (entry: KeptEntry): void {
    this.#entries.push(entry)
    this.#last = entry.offset
    this.#count(entry, 1)
    this.#trim()
  }

  /** Changes an entry, which may trim entries. */
  change (entry: KeptEntry, change: () => void): void {
    this.#count(entry, -1)
    change()
    this.#count(entry, 1)
    this.#trim()
  }

  #count ({ size, reactionSize }: KeptEntry, sign: 1 | -1): void {
    this.#bytes += sign * size
    this.#reactionBytes += sign * reactionSize
  }

  #trim (): void {
    const { historyEntries, historyBytes } = this.#bounds
    while (this.#entries.length > historyEntries || (this.#bytes > historyBytes && this.#entries.length > 1)) {
      const oldest = this.#entries.shift()!
      this.#count(oldest, -1)
      this.#removed = Math.max(this.#removed, oldest.number ?? 0)
    }
  }
}

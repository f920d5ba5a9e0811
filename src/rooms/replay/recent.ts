import type { Changed, Head } from '../../change.ts'
import { entryCost } from '../../heap-cost.ts'
import { changedCost } from '../batch/merged-change.ts'
import { Ring, type Rings } from './ring.ts'
import type { Entry, FeedPage } from '../../store.ts'

const offsetOf = ({ offset }: Entry): number => offset
const numberOf = ({ change }: Changed): number => change.number

/** What the store delivers to a room while the room reads from the store. */
export class Recent {
  readonly #entries: Ring<Entry>
  readonly #changes: Ring<Changed>
  /** Reads in progress. */
  #readers = 0

  constructor (rings: Rings) {
    this.#entries = new Ring(rings, offsetOf, entryCost)
    this.#changes = new Ring(rings, numberOf, changedCost)
  }

  /** Keeps what is delivered during a read. The page contains everything that was delivered before the read. */
  async whileReading<T> (read: () => Promise<T>): Promise<T> {
    this.#readers++
    try {
      return await read()
    } finally {
      if (--this.#readers === 0) this.clear()
    }
  }

  /** Called with what the store delivers. */
  push ({ entries, changes }: FeedPage): void {
    if (this.#readers === 0) return
    this.#entries.push(entries)
    this.#changes.push(changes)
  }

  clear (): void {
    this.#entries.clear()
    this.#changes.clear()
  }

  /** Returns whether everything is kept that was delivered after a page with this head. */
  isCompleteAfter ({ offset, change: { number } }: Head): boolean {
    return this.#entries.isCompleteAfter(offset) && this.#changes.isCompleteAfter(number)
  }

  /** Returns the entries after a head, up to before an offset. */
  entriesAfter ({ offset }: Head, before: number): readonly Entry[] { return this.#entries.between(offset, before) }

  /** Returns the changes after a head, up to before a number. */
  changesAfter ({ change: { number } }: Head, before: number): readonly Changed[] { return this.#changes.between(number, before) }
}

import { entryCost } from './heap-cost.ts'
import type { Entry } from './store/store.ts'

/** Entries, and bytes of memory, that are kept at least, where there are so many. Twice as many are kept at most. */
const [ENTRIES, BYTES] = [16_384, 1024 * 1024]

/** The newest entries that a room was delivered while a read was under way. */
export class Ring {
  #entries: Entry[] = []
  #bytes = 0

  push (entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#entries.push(entry)
      this.#bytes += entryCost(entry)
    }
    if (this.#entries.length > 2 * ENTRIES || this.#bytes > 2 * BYTES) this.#cut()
  }

  clear (): void {
    this.#entries = []
    this.#bytes = 0
  }

  /** The entries after one number and before another. */
  between (after: number, before: number): Entry[] { return this.#entries.filter(({ n }) => n > after && n < before) }

  /** False when the entry after this number was delivered, and is not kept. */
  reachesBackTo (n: number): boolean {
    const oldest = this.#entries[0]
    return oldest === undefined || oldest.n <= n + 1
  }

  /** The newest is always kept: that there is an older one must be known. */
  #cut (): void {
    let bytes = 0
    let first = this.#entries.length
    do bytes += entryCost(this.#entries[--first]!)
    while (first > 0 && this.#entries.length - first < ENTRIES && bytes < BYTES)
    this.#entries = this.#entries.slice(first)
    this.#bytes = bytes
  }
}

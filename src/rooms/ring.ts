import { ByteBudget, type Debtor } from '../connection/byte-budget.ts'
import { entryCost } from '../heap-cost.ts'
import type { Entry } from '../store.ts'

/** Entries, and bytes of memory, that are kept at least, where there are so many. Twice as many are kept at most. */
const [ENTRIES, BYTES] = [16_384, 1024 * 1024]

/** Bytes of memory in the rings of all rooms. Beyond, the largest ring is emptied. */
const ALL_BYTES = 8 * 1024 * 1024

/** The rings of all rooms of a chat, which are bounded together. */
export class Rings {
  readonly #used = new Set<Ring>()
  readonly #budget = new ByteBudget(ALL_BYTES, () => this.#used)

  /** @param bytes of memory, from 1 on */
  charge (ring: Ring, bytes: number): void {
    this.#used.add(ring)
    this.#budget.charge(bytes)
  }

  giveBack (ring: Ring, bytes: number): void {
    if (ring.owed === 0) this.#used.delete(ring)
    this.#budget.giveBack(bytes)
  }
}

/** The newest entries that a room was delivered while a read was under way. */
export class Ring implements Debtor {
  readonly #rings: Rings
  #entries: Entry[] = []
  #bytes = 0
  /** Number of the newest entry that was delivered and is not kept. */
  #dropped = 0

  constructor (rings: Rings) {
    this.#rings = rings
  }

  get owed (): number { return this.#bytes }

  push (entries: readonly Entry[]): void {
    if (entries.length === 0) return
    let bytes = 0
    for (const entry of entries) {
      this.#entries.push(entry)
      bytes += entryCost(entry)
    }
    this.#bytes += bytes
    this.#rings.charge(this, bytes)
    if (this.#entries.length > 2 * ENTRIES || this.#bytes > 2 * BYTES) this.#cut()
  }

  clear (): void {
    this.#keep([], 0)
    this.#dropped = 0
  }

  /** Drops all entries: whoever needs one of them reads again. */
  cutOff (): void {
    this.#dropped = this.#entries.at(-1)?.n ?? this.#dropped
    this.#keep([], 0)
  }

  /** The entries after one number and before another. */
  between (after: number, before: number): Entry[] { return this.#entries.filter(({ n }) => n > after && n < before) }

  /** False when the entry after this number was delivered, and is not kept. */
  reachesBackTo (n: number): boolean {
    return n >= this.#dropped && n + 1 >= (this.#entries[0]?.n ?? 0)
  }

  #cut (): void {
    let bytes = 0
    let first = this.#entries.length
    do bytes += entryCost(this.#entries[--first]!)
    while (first > 0 && this.#entries.length - first < ENTRIES && bytes < BYTES)
    this.#keep(this.#entries.slice(first), bytes)
  }

  #keep (entries: Entry[], bytes: number): void {
    const dropped = this.#bytes - bytes
    this.#entries = entries
    this.#bytes = bytes
    this.#rings.giveBack(this, dropped)
  }
}

import { ByteBudget, type ByteHolder } from '../connection/byte-budget.ts'
import { entryCost } from '../heap-cost.ts'
import type { Entry } from '../store.ts'

/**
 * Target size of a ring in entries, and in bytes of memory. A ring that exceeds twice a target is trimmed to its newest
 * entries, until they reach one target.
 */
const [TARGET_ENTRIES, TARGET_BYTES] = [16_384, 1024 * 1024]

/** Maximum bytes of memory in the rings of all rooms. Above this, the largest ring is emptied. */
const ALL_BYTES = 8 * 1024 * 1024

/** Bounds the memory of the rings of all rooms of a chat. */
export class Rings {
  readonly #used = new Set<Ring>()
  readonly #budget = new ByteBudget(ALL_BYTES, () => this.#used)

  /** @param bytes of memory, at least 1 */
  charge (ring: Ring, bytes: number): void {
    this.#used.add(ring)
    this.#budget.charge(bytes)
  }

  release (ring: Ring, bytes: number): void {
    if (ring.bytes === 0) this.#used.delete(ring)
    this.#budget.release(bytes)
  }
}

/** The newest entries that the store delivered to a room while the room reads from the store. */
export class Ring implements ByteHolder {
  readonly #rings: Rings
  #entries: Entry[] = []
  #bytes = 0
  /** Offset of the newest entry that `evict` dropped; 0 for none. */
  #dropped = 0

  constructor (rings: Rings) {
    this.#rings = rings
  }

  get bytes (): number { return this.#bytes }

  push (entries: readonly Entry[]): void {
    if (entries.length === 0) return
    let bytes = 0
    for (const entry of entries) {
      this.#entries.push(entry)
      bytes += entryCost(entry)
    }
    this.#bytes += bytes
    this.#rings.charge(this, bytes)
    if (this.#entries.length > 2 * TARGET_ENTRIES || this.#bytes > 2 * TARGET_BYTES) this.#trim()
  }

  clear (): void {
    this.#replace([], 0)
    this.#dropped = 0
  }

  /** Drops all entries. A reader that needs one of them reads again. */
  evict (): void {
    this.#dropped = this.#entries.at(-1)?.offset ?? this.#dropped
    this.#replace([], 0)
  }

  /** Returns the entries between two offsets, both exclusive. */
  between (after: number, before: number): Entry[] { return this.#entries.filter(({ offset }) => offset > after && offset < before) }

  /** Returns whether the ring has dropped no entry after this offset. */
  isCompleteAfter (offset: number): boolean {
    return offset >= this.#dropped && offset + 1 >= (this.#entries[0]?.offset ?? 0)
  }

  #trim (): void {
    let bytes = 0
    let first = this.#entries.length
    do bytes += entryCost(this.#entries[--first]!)
    while (first > 0 && this.#entries.length - first < TARGET_ENTRIES && bytes < TARGET_BYTES)
    this.#replace(this.#entries.slice(first), bytes)
  }

  #replace (entries: Entry[], bytes: number): void {
    const dropped = this.#bytes - bytes
    this.#entries = entries
    this.#bytes = bytes
    this.#rings.release(this, dropped)
  }
}

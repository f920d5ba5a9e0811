import { ByteBudget, type ByteHolder } from '../../connection/byte-budget.ts'

/**
 * Target size of a ring in items, and in bytes of memory. A ring that exceeds twice a target is trimmed to its newest
 * items, until they reach one target.
 */
const [TARGET_ITEMS, TARGET_BYTES] = [16_384, 1024 * 1024]

/** Maximum bytes of memory in the rings of all rooms. Above this, the largest ring is emptied. */
const ALL_BYTES = 8 * 1024 * 1024

/** Bounds the memory of the rings of all rooms of a chat. */
export class Rings {
  readonly #used = new Set<ByteHolder>()
  readonly #budget = new ByteBudget(ALL_BYTES, () => this.#used)

  /** @param bytes of memory, at least 1 */
  charge (ring: ByteHolder, bytes: number): void {
    this.#used.add(ring)
    this.#budget.charge(bytes)
  }

  release (ring: ByteHolder, bytes: number): void {
    if (ring.bytes === 0) this.#used.delete(ring)
    this.#budget.release(bytes)
  }
}

/** Returns a number of an item: of its place in the order of the room, or of its bytes of memory. */
type Measure<Item> = (item: Item) => number

/** The newest entries, or changes, that the store delivered to a room while the room reads from the store. */
export class Ring<Item> implements ByteHolder {
  readonly #rings: Rings
  readonly #numberOf: Measure<Item>
  readonly #costOf: Measure<Item>
  #items: Item[] = []
  #bytes = 0
  /** Number of the newest item that was dropped; 0 for none. */
  #dropped = 0

  constructor (rings: Rings, numberOf: Measure<Item>, costOf: Measure<Item>) {
    this.#rings = rings
    this.#numberOf = numberOf
    this.#costOf = costOf
  }

  get bytes (): number { return this.#bytes }

  push (items: readonly Item[]): void {
    if (items.length === 0) return
    let bytes = 0
    for (const item of items) {
      this.#items.push(item)
      bytes += this.#costOf(item)
    }
    this.#bytes += bytes
    this.#rings.charge(this, bytes)
    if (this.#items.length > 2 * TARGET_ITEMS || this.#bytes > 2 * TARGET_BYTES) this.#trim()
  }

  clear (): void {
    this.#replace([], 0)
    this.#dropped = 0
  }

  /** Drops all items. A reader that needs one of them reads again. */
  evict (): void { this.#drop(this.#items.length, 0) }

  /** Returns the items between two numbers, both exclusive. */
  between (after: number, before: number): Item[] {
    return this.#items.filter((item) => this.#numberOf(item) > after && this.#numberOf(item) < before)
  }

  /** Returns whether the ring has dropped no item after this number. */
  isCompleteAfter (number: number): boolean { return number >= this.#dropped }

  #trim (): void {
    let bytes = 0
    let first = this.#items.length
    do bytes += this.#costOf(this.#items[--first]!)
    while (first > 0 && this.#items.length - first < TARGET_ITEMS && bytes < TARGET_BYTES)
    this.#drop(first, bytes)
  }

  /** Drops the first items. @param bytes of the others */
  #drop (count: number, bytes: number): void {
    const last = this.#items[count - 1]
    if (last !== undefined) this.#dropped = this.#numberOf(last)
    this.#replace(this.#items.slice(count), bytes)
  }

  #replace (items: Item[], bytes: number): void {
    const dropped = this.#bytes - bytes
    this.#items = items
    this.#bytes = bytes
    this.#rings.release(this, dropped)
  }
}

import { ByteBudget, type ByteHolder } from '../../connection/byte-budget.ts'
import { entryCost } from '../../heap-cost.ts'
import type { Entry } from '../../store.ts'

/** Maximum bytes of memory of all pages that wait. Above this, the largest one is dropped. */
const ALL_BYTES = 8 * 1024 * 1024

/** Bytes of a page without its entries, and of a reaction with its text. */
const [PAGE, REACTION] = [1_024, 160]

/** A page that waits. */
export interface HeldPage<Value> {
  /** Ends the wait. Returns the page; undefined if it was dropped meanwhile. Call it once. */
  readonly take: () => Value | undefined
}

/** Bounds the memory of the pages that were read from a store and wait until the app has answered `authorize`. */
export class HeldPages {
  readonly #held = new Set<ByteHolder>()
  readonly #budget = new ByteBudget(ALL_BYTES, () => this.#held)

  /** Keeps a page until `take`. The caller MUST keep no other reference to it. @param entries that it contains */
  hold<Value> (value: Value, entries: Iterable<Entry>): HeldPage<Value> {
    let page: Value | undefined = value
    const release = () => {
      if (this.#held.delete(holder)) this.#budget.release(holder.bytes)
      const released = page
      page = undefined
      return released
    }
    const holder: ByteHolder = { bytes: costOf(entries), evict: release }
    this.#held.add(holder)
    this.#budget.charge(holder.bytes)
    return { take: release }
  }
}

function costOf (entries: Iterable<Entry>): number {
  let bytes = PAGE
  for (const entry of entries) bytes += entryCost(entry) + REACTION * (entry.reactions?.length ?? 0)
  return bytes
}

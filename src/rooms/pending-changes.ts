import type { Changed } from '../change.ts'
import { merge, mergedCost, type MergedChange, type OwnReactions } from './merged-change.ts'

/** The changes of one entry that wait for delivery. */
export interface PendingChange {
  /** Offset of the entry. */
  readonly offset: number
  /** Numbers of the first and of the last change. */
  readonly first: number
  readonly last: number
  readonly merged: MergedChange
  /** What each member that reacted has added and removed, by its id. */
  readonly reactors: ReadonlyMap<string, OwnReactions> | undefined
}

interface Pending extends PendingChange {
  last: number
  merged: MergedChange
  reactors: Map<string, Map<string, boolean>> | undefined
  /** Bytes of memory of `reactors`, and of the whole. */
  reactorCost: number
  cost: number
}

/** Bytes of memory of a member that reacted, without its id. */
const REACTOR = 512

/** The changes of a room that wait for delivery: one item for each entry, in the order of the last change of each. */
export class PendingChanges {
  /** By the offset of the entry. */
  readonly #items = new Map<number, Pending>()
  #cost = 0

  get size (): number { return this.#items.size }

  /** Bytes of memory. */
  get cost (): number { return this.#cost }

  /** Number of the last change of the first item; Infinity for none. The numbers rise from item to item. */
  get next (): number {
    const [item] = this.#items.values()
    return item?.last ?? Infinity
  }

  /** Number of the earliest change of all items; Infinity for none. */
  get earliest (): number {
    let earliest = Infinity
    for (const { first } of this.#items.values()) earliest = Math.min(earliest, first)
    return earliest
  }

  push (changed: Changed): void {
    const { offset, change: { number } } = changed
    const before = this.#items.get(offset)
    const item = before ?? { offset, first: number, last: number, merged: merge(undefined, changed), reactors: undefined, reactorCost: 0, cost: 0 }
    if (before !== undefined) {
      // Moves it to the place of its last change, so that revisions rise.
      this.#items.delete(offset)
      item.merged = merge(before.merged, changed)
      item.last = number
    }
    this.#items.set(offset, item)
    addReactor(item, changed)
    const cost = mergedCost(item.merged) + item.reactorCost
    this.#cost += cost - item.cost
    item.cost = cost
  }

  /**
   * Removes and returns the first items.
   * @param lastOffset of the entries that are delivered before them: a change must not precede its entry
   * @param maxCost bytes of memory after which no further item is taken
   */
  take (lastOffset: number, maxCost: number): readonly PendingChange[] {
    const taken: Pending[] = []
    let total = 0
    for (const item of this.#items.values()) {
      if (item.offset > lastOffset || total >= maxCost) break
      this.#items.delete(item.offset)
      taken.push(item)
      total += item.cost
    }
    this.#cost -= total
    return taken
  }

  clear (): void {
    this.#items.clear()
    this.#cost = 0
  }
}

/** Adds the reaction of a change to those of its member. A deletion removes all. */
function addReactor (item: Pending, { made, by }: Pick<Changed, 'made'> & { readonly by?: string | null }): void {
  if (made === undefined) return
  if ('delete' in made) {
    item.reactors = undefined
    item.reactorCost = 0
  } else if ('react' in made && typeof by === 'string') {
    const reactors = item.reactors ??= new Map()
    const own = reactors.get(by)
    if (own === undefined) reactors.set(by, new Map([[made.react, made.on]]))
    else own.set(made.react, made.on)
    if (own === undefined) item.reactorCost += REACTOR + 2 * by.length
  }
}

import type { Changed } from '../../change.ts'
import { entryCost } from '../../heap-cost.ts'
import { MAX_REACTIONS } from '../../request-bounds.ts'
import type { Entry } from '../../store.ts'
import { follows, merge, mergedCost, REACTION, type MergedChange, type OwnReactions } from './merged-change.ts'

/** An entry that isn't streaming, with the number of the change after which it was so. isWhole: it may have been so before. */
export interface EndedEntry { readonly number: number, readonly entry: Entry, readonly isWhole: boolean }

/** Changes of one entry that wait for delivery. */
export interface PendingChange {
  /** Offset of the entry. */
  readonly offset: number
  /** Numbers of the first and of the last change. */
  readonly first: number
  readonly last: number
  readonly merged: MergedChange
  /** The entry as it was after its streaming ended; undefined if it didn't end with these changes, or was deleted. */
  readonly ended: EndedEntry | undefined
  /** What each member that reacted has added and removed, by its id. */
  readonly reactors: ReadonlyMap<string, OwnReactions> | undefined
}

interface Pending extends PendingChange {
  /** Whether earlier items of the entry, to which no further change is added, may wait. */
  readonly isLater: boolean
  first: number
  last: number
  merged: MergedChange
  ended: EndedEntry | undefined
  reactors: Map<string, Map<string, boolean>> | undefined
  /** Bytes of memory of `reactors`, and of the whole. */
  reactorCost: number
  cost: number
}

/** Bytes of memory of a member that reacted, without its id and its reactions. */
const REACTOR = 162

/** Maximum number of different reactions in an item. An entry has fewer, but members can add and remove any number of them. */
const MAX_ITEM_REACTIONS = 2 * MAX_REACTIONS

/**
 * The changes of a room that wait for delivery, in the order of the last change of each item. Usually there is one item for each
 * entry.
 */
export class PendingChanges {
  readonly #items = new Set<Pending>()
  /** The last item of each entry, by its offset. */
  readonly #last = new Map<number, Pending>()
  #cost = 0

  get size (): number { return this.#items.size }

  /** Bytes of memory. */
  get cost (): number { return this.#cost }

  /** Number of the last change of the first item; Infinity for none. The numbers rise from item to item. */
  get next (): number {
    const [item] = this.#items
    return item?.last ?? Infinity
  }

  /** Number of the earliest change of all items; Infinity for none. */
  get earliest (): number {
    let earliest = Infinity
    for (const { first } of this.#items) earliest = Math.min(earliest, first)
    return earliest
  }

  push (changed: Changed): void {
    const { offset, change: { number } } = changed
    const before = this.#last.get(offset)
    const item = before === undefined || !canMerge(before, changed) ? begin(changed, before !== undefined) : before
    if (item === before) {
      // Moves it to the place of its last change, so that revisions rise.
      this.#items.delete(item)
      item.merged = merge(item.merged, changed)
      item.last = number
    }
    if (item.isLater && item.merged.deleted === true) this.#dropEarlier(item)
    this.#items.add(item)
    this.#last.set(offset, item)
    addReactor(item, changed)
    item.ended = endedWith(item.ended, changed)
    const cost = mergedCost(item.merged) + item.reactorCost + (item.ended === undefined || item.ended.isWhole ? 0 : entryCost(item.ended.entry))
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
    for (const item of this.#items) {
      if (item.offset > lastOffset || total >= maxCost) break
      this.#items.delete(item)
      if (this.#last.get(item.offset) === item) this.#last.delete(item.offset)
      taken.push(item)
      total += item.cost
    }
    this.#cost -= total
    return taken
  }

  /** Removes the earlier items of a deleted entry. */
  #dropEarlier (item: Pending): void {
    for (const earlier of this.#items) {
      if (earlier.offset !== item.offset) continue
      this.#items.delete(earlier)
      item.first = Math.min(item.first, earlier.first)
      this.#cost -= earlier.cost
    }
  }
}

/** Returns changes as those of a batch. */
export function batched (changes: readonly Changed[]): readonly PendingChange[] {
  const pending = new PendingChanges()
  for (const changed of changes) pending.push(changed)
  return pending.take(Infinity, Infinity)
}

function begin (changed: Changed, isLater: boolean): Pending {
  const { offset, change: { number } } = changed
  return { offset, isLater, first: number, last: number, merged: merge(undefined, changed), ended: undefined, reactors: undefined, reactorCost: 0, cost: 0 }
}

/** Returns whether a change can be added to an item. */
function canMerge ({ merged, reactors }: Pending, { made }: Changed): boolean {
  // A whole entry doesn't contain which reactions are a member's own. What is known of them must be sent before it.
  if (made === undefined) return reactors === undefined
  if ('append' in made) return follows(merged, made)
  if (!('react' in made)) return true
  return merged.reactions === undefined || merged.reactions.size < MAX_ITEM_REACTIONS || merged.reactions.has(made.react)
}

/** Returns the entry of a change that ended its streaming, else the one before. A deletion removes it. */
function endedWith (before: EndedEntry | undefined, changed: Changed): EndedEntry | undefined {
  const { change: { number }, made } = changed
  if (made === undefined) return changed.entry.streaming || changed.entry.deleted ? undefined : before ?? { number, entry: changed.entry, isWhole: true }
  if ('delete' in made) return undefined
  return 'ended' in changed ? { number, entry: changed.ended, isWhole: false } : before
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
    if (own === undefined) {
      reactors.set(by, new Map([[made.react, made.on]]))
      item.reactorCost += REACTOR + REACTION + 2 * by.length
    } else {
      if (!own.has(made.react)) item.reactorCost += REACTION
      own.set(made.react, made.on)
    }
  }
}

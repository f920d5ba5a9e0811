import { copyString } from '../../copy-string.ts'
import { ReusedKey, StalePost } from '../../errors.ts'
import { keyCost } from './keys.ts'
import { RingQueue } from './ring-queue.ts'

/** The change that a key identifies. `at`: ms since the log began. */
export interface NumberedChange { readonly number: number, readonly at: number }

/** A remembered change or control. `offset`: of the changed entry; 0 for a control. `at`: ms since the log began. */
interface Item { readonly offset: number, readonly at: number }

interface Key extends NumberedChange { readonly hash: string | undefined }

/** A key is forgotten together with the change `until`. */
interface KeyAge { readonly key: string, readonly until: number }

/** Bytes of a `MemoryChanges` without changes. */
const CHANGES = 560

/** Bytes of an item and its slot in a ring that is a quarter full; of a `KeyAge` and its slot. */
const [ITEM, KEY_AGE] = [88, 72]

/** Keys of edits without an effect that are remembered between two changes, as a share of all. */
const IDLE_SHARE = 1 / 10

/** The newest changes and controls of one room, which share their numbers, without gaps; and the keys of edits. */
export class MemoryChanges {
  readonly #max: number
  /** The item of change n has the index n - base - 1. */
  readonly #items = new RingQueue<Item>()
  readonly #keys = new Map<string, Key>()
  readonly #keyAges = new RingQueue<KeyAge>()
  /** The last forgotten change. All later ones are remembered. */
  #base: NumberedChange = { number: 0, at: 0 }
  #keyBytes = 0
  /** Keys of edits without an effect since the newest change. */
  #idleKeys = 0

  /** @param max a hard bound of the changes, and of the keys, even of those that are still needed */
  constructor (max: number) {
    this.#max = max
  }

  get bytes (): number { return CHANGES + ITEM * this.#items.size + this.#keyBytes }
  get size (): number { return this.#items.size }
  /** The newest change. */
  get newest (): NumberedChange {
    const { number } = this.#base
    const item = this.#items.at(this.#items.size - 1)
    return item === undefined ? this.#base : { number: number + this.#items.size, at: item.at }
  }

  /** Whether the key of an edit without an effect can be remembered. Its number is bounded, so that an idle room doesn't grow. */
  get hasIdleSpace (): boolean { return this.#idleKeys < this.#max * IDLE_SHARE }

  /** Returns the time of a remembered change, or of the last forgotten one; undefined for any other. */
  timeOf (number: number): number | undefined {
    return number === this.#base.number ? this.#base.at : this.#items.at(number - this.#base.number - 1)?.at
  }

  /** Returns the offset of the entry of a remembered change; 0 for a control. */
  offsetOf (number: number): number | undefined { return this.#items.at(number - this.#base.number - 1)?.offset }

  find (key: string): NumberedChange | undefined { return this.#keys.get(key) }

  /**
   * Returns the change if an edit with this key is known; undefined for a new edit.
   * @param isStale whether the key may have been forgotten since the edit was first sent
   * @throws ReusedKey, StalePost
   */
  findRepeat (key: string | undefined, hash: string | undefined, isStale: boolean): NumberedChange | undefined {
    const known = key === undefined ? undefined : this.#keys.get(key)
    if (known === undefined) {
      if (isStale) throw new StalePost()
      return undefined
    }
    if (known.hash !== hash) throw new ReusedKey()
    return known
  }

  /** Adds the next change. Times never decrease. @param offset of the changed entry @param now ms since the log began */
  add (offset: number, now: number, key: string | undefined, hash: string | undefined): void {
    this.#items.push({ offset, at: Math.max(this.newest.at, now) })
    this.#idleKeys = 0
    const { number, at } = this.newest
    if (key !== undefined) this.#remember(key, { number, at, hash }, number)
  }

  /** Adds a control. No entry needs it, so it is expendable when it is old. @param now ms since the log began */
  addControl (now: number): void { this.add(0, now, undefined, undefined) }

  /**
   * Remembers the key of an edit without an effect. Otherwise, a late repeat would undo an edit of another member. The key is
   * forgotten with the next change, because clients that sent the edit have the newest one at most.
   */
  addIdle (key: string, hash: string | undefined): void {
    const { number, at } = this.newest
    this.#idleKeys++
    this.#remember(key, { number, at, hash }, number + 1)
    this.forget(Infinity, -Infinity)
  }

  /**
   * Forgets the oldest changes that are expendable, or too many.
   * @param firstKept offset of the oldest kept entry; only changes of earlier entries are expendable
   * @param before ms since the log began; later changes aren't expendable
   */
  forget (firstKept: number, before: number): void {
    for (let oldest = this.#items.at(0); oldest !== undefined; oldest = this.#items.at(0)) {
      const isExpendable = oldest.offset < firstKept && oldest.at <= before
      if (!isExpendable && Math.max(this.#items.size, this.#keys.size) <= this.#max) return
      this.#forgetOldest()
    }
  }

  /** Forgets all changes but the number and the time of the newest. */
  shrink (): void {
    while (this.#items.size > 0) this.#forgetOldest()
  }

  #remember (key: string, change: Key, until: number): void {
    const copy = copyString(key)
    const hash = change.hash === undefined ? undefined : copyString(change.hash)
    this.#keys.set(copy, { ...change, hash })
    this.#keyAges.push({ key: copy, until })
    this.#keyBytes += KEY_AGE + keyCost(key, hash)
  }

  #forgetOldest (): void {
    const number = this.#base.number + 1
    this.#base = { number, at: this.#items.shift()!.at }
    for (let age = this.#keyAges.at(0); age !== undefined && age.until <= number; age = this.#keyAges.at(0)) {
      this.#keyBytes -= KEY_AGE + keyCost(age.key, this.#keys.get(age.key)!.hash)
      this.#keys.delete(age.key)
      this.#keyAges.shift()
    }
  }
}

/** Returns the maximum bytes that are charged for a change and the key of an edit. */
export function changeCost (key: string | undefined, hash: string | undefined): number {
  return CHANGES + ITEM + (key === undefined ? 0 : KEY_AGE + keyCost(key, hash))
}

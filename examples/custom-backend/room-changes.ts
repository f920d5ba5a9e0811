import { errors } from 'fastify-chat'
import type { ChangeCursor } from 'fastify-chat'

/** A change or a control. `offset`: of the changed entry; 0 for a control. */
interface Item { readonly offset: number, readonly at: number, readonly key?: string | undefined, readonly hash?: string | undefined }

/** The key of an edit, known until the change `until` is forgotten. */
interface Key { readonly number: number, readonly until: number, readonly hash: string | undefined }

/** The remembered changes of a room, as a line of a file. `base`: number of the change before the first. */
export interface ChangesLine { readonly base: number, readonly items: readonly Item[], readonly keys: ReadonlyArray<readonly [string, Key]> }

/** The newest changes and controls of a room, without gaps, and the keys of edits. */
export class RoomChanges {
  /** number of the last forgotten change */
  #base = 0
  #items: Item[] = []
  /** In the order of `until`. */
  #keys = new Map<string, Key>()
  #idleKeys = 0

  /** Bytes of its line, roughly. */
  get bytes (): number { return 64 * this.#items.length + 128 * this.#keys.size }

  get newest (): number { return this.#base + this.#items.length }

  /** Time of a change now. Never decreases. */
  get nextAt (): number { return Math.max(Date.now(), this.#items.at(-1)?.at ?? 0) }

  get line (): ChangesLine { return { base: this.#base, items: this.#items, keys: [...this.#keys] } }

  /** Returns whether the key of an edit without an effect can be remembered: a tenth of all keys between two changes. */
  hasIdleSpace (max: number): boolean { return this.#idleKeys < max / 10 }

  /** Takes the place of what is remembered. */
  load ({ base, items, keys }: ChangesLine): void {
    this.#base = base
    this.#items = [...items]
    this.#keys = new Map(keys)
  }

  /** Returns whether all changes after this number are remembered. */
  isHonoured (number: number): boolean { return number >= this.#base && number <= this.newest }

  /** Returns the offset of the entry of a remembered change; 0 for a control. */
  offsetOf (number: number): number | undefined { return this.#items[number - this.#base - 1]?.offset }

  find (key: string): number | undefined { return this.#keys.get(key)?.number }

  /** Returns the change that a key identifies; undefined for a new one. @throws ReusedKey, StalePost */
  findRepeat (key: string | undefined, hash: string | undefined, isStale: boolean): number | undefined {
    const known = key === undefined ? undefined : this.#keys.get(key)
    if (known === undefined && isStale) throw new errors.StalePost()
    if (known !== undefined && known.hash !== hash) throw new errors.ReusedKey()
    return known?.number
  }

  add (item: Item): void {
    this.#items.push(item)
    this.#idleKeys = 0
    if (item.key !== undefined) this.#keys.set(item.key, { number: this.newest, until: this.newest, hash: item.hash })
  }

  /** Remembers the key of an edit without an effect: its repeat must not undo a later edit. */
  addIdle (key: string, hash: string | undefined): void {
    this.#idleKeys++
    this.#keys.set(key, { number: this.newest, until: this.newest + 1, hash })
  }

  /** Forgets changes of entries before `firstKept` until a time, and those beyond a number. */
  forget (firstKept: number, before: number, max: number): void {
    for (let item = this.#items[0]; item !== undefined; item = this.#items[0]) {
      const isNeeded = item.offset >= firstKept || item.at > before
      if (isNeeded && Math.max(this.#items.length, this.#keys.size) <= max) break
      this.#items.shift()
      this.#base++
      for (const [key, { until }] of this.#keys) {
        if (until > this.#base) break
        this.#keys.delete(key)
      }
    }
  }
}

/** Returns the revision of a change. It isn't a position, because those end with a number. */
export function changeCursor (epoch: string, number: number): ChangeCursor { return { number, revision: `${epoch}-c${number}` } }

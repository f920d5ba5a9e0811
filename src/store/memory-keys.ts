import { ReusedKey, StalePost } from '../errors.ts'
import { Fifo } from './memory-fifo.ts'
import type { Draft, Mark } from './store.ts'

interface Key extends Mark { readonly key: string, readonly at: number, readonly hash: string | undefined }

/** Bytes charged for a key beyond its content, as V8 was seen to take. */
const OVERHEAD = 200

/** The keys of one room's posts: which repeat is known, and which is too old to tell. */
export class MemoryKeys {
  readonly #byKey = new Map<string, Key>()
  /** Beside the map, because a walk over a map passes all that was deleted at its front. */
  readonly #inOrder = new Fifo<Key>()
  /** The number up to which keys may have been forgotten. */
  #forgotten = 0
  #bytes = 0

  get bytes (): number { return this.#bytes }

  find (key: string): Mark | undefined {
    const known = this.#byKey.get(key)
    return known && { n: known.n, position: known.position }
  }

  /**
   * The mark of a repeat; undefined for a post to be stored.
   * @param since the number of the place it was first sent from; NaN for a place of another life
   * @throws ReusedKey, StalePost
   */
  judge ({ key, hash }: Draft, since: number | undefined): Mark | undefined {
    const known = key === undefined ? undefined : this.#byKey.get(key)
    if (known !== undefined) {
      if (known.hash !== hash) throw new ReusedKey()
      return { n: known.n, position: known.position }
    }
    if (since !== undefined && !(since >= this.#forgotten)) throw new StalePost()
    return undefined
  }

  remember (key: string, { n, position }: Mark, at: number, hash: string | undefined): void {
    const remembered = { key, n, position, at, hash }
    this.#byKey.set(key, remembered)
    this.#inOrder.push(remembered)
    this.#bytes += key.length + OVERHEAD
  }

  /**
   * Forgets the oldest.
   * @param firstKept the number from which on entries are kept, and keys with them
   * @param before ms; younger keys are kept too
   * @param most keys, whatever they are needed for
   */
  forget (firstKept: number, before: number, most: number): void {
    for (let key = this.#inOrder.at(0); key !== undefined; key = this.#inOrder.at(0)) {
      const needed = key.n >= firstKept || key.at > before
      if (needed && this.#inOrder.size <= most) return
      this.#inOrder.shift()
      this.#byKey.delete(key.key)
      this.#forgotten = key.n
      this.#bytes -= key.key.length + OVERHEAD
    }
  }
}

import { ReusedKey, StalePost } from '../errors.ts'
import type { Mark } from './store.ts'

interface Key extends Mark { readonly hash: string | undefined }

/** Keys that are forgotten together. first, last: their numbers. begun, ended: ms, of the same. */
interface Generation {
  readonly keys: Map<string, Key>
  readonly first: number
  readonly begun: number
  last: number
  ended: number
  bytes: number
}

/** Bytes charged for a key beyond its content, as V8 was seen to take. */
const OVERHEAD = 200

/**
 * The keys of one room's posts: which repeat is known, and which is too old to tell. Kept in two generations, of which
 * the old one is forgotten whole: to take each key out would touch as much memory again as to remember it.
 */
export class MemoryKeys {
  readonly #half: number
  #young: Generation | undefined
  #old: Generation | undefined
  /** The number up to which keys may have been forgotten. */
  #forgotten = 0

  /** @param most keys, whatever they are needed for; half of them are remembered at least */
  constructor (most: number) {
    this.#half = most / 2
  }

  get bytes (): number { return (this.#young?.bytes ?? 0) + (this.#old?.bytes ?? 0) }

  find (key: string): Mark | undefined {
    const known = this.#find(key)
    return known && { n: known.n, position: known.position }
  }

  /**
   * The mark of a repeat; undefined for a post to be stored.
   * @param since the number of the place it was first sent from; NaN for a place of another life
   * @throws ReusedKey, StalePost
   */
  judge (key: string | undefined, hash: string | undefined, since: number | undefined): Mark | undefined {
    const known = key === undefined ? undefined : this.#find(key)
    if (known === undefined) {
      if (since !== undefined && !(since >= this.#forgotten)) throw new StalePost()
      return undefined
    }
    if (known.hash !== hash) throw new ReusedKey()
    return { n: known.n, position: known.position }
  }

  /** @param at ms */
  remember (key: string, { n, position }: Mark, hash: string | undefined, at: number): void {
    const young = this.#young ??= { keys: new Map(), first: n, begun: at, last: n, ended: at, bytes: 0 }
    young.last = n
    young.ended = at
    young.keys.set(key, { n, position, hash })
    young.bytes += bytesOf(key)
    if (young.keys.size >= this.#half) this.#age()
  }

  /**
   * Forgets the old, once none of them is needed and some of the young, if there are any, are not either.
   * @param firstKept the number from which on entries are kept, and keys with them
   * @param before ms; younger keys are kept too
   */
  forget (firstKept: number, before: number): void {
    const { first: n, begun: at } = this.#young ?? { first: this.#old?.last, begun: this.#old?.ended }
    if (n !== undefined && n < firstKept && at! <= before) this.#age()
  }

  /** Forgets all that no entry needs, however young. */
  shrink (firstKept: number): void {
    for (const each of [this.#old, this.#young]) {
      for (const [key, { n }] of each?.keys ?? []) {
        if (n >= firstKept) return
        each!.keys.delete(key)
        each!.bytes -= bytesOf(key)
        this.#forgotten = n
      }
    }
  }

  #age (): void {
    this.#forgotten = Math.max(this.#forgotten, this.#old?.last ?? 0)
    this.#old = this.#young
    this.#young = undefined
  }

  #find (key: string): Key | undefined {
    return this.#young?.keys.get(key) ?? this.#old?.keys.get(key)
  }
}

function bytesOf (key: string): number {
  return key.length + OVERHEAD
}

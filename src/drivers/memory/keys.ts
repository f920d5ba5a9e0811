import { copyString } from '../../copy-string.ts'
import { ReusedKey, StalePost } from '../../errors.ts'
import { stringCost } from '../../heap-cost.ts'

/** A post that a key stands for. at: ms since its log began. */
export interface KeyedPost { readonly n: number, readonly at: number }

interface Key extends KeyedPost { readonly hash: string | undefined }

/** Keys that are forgotten together. first, last: their numbers. begun, ended: ms since their log began, of the same. */
interface Generation {
  readonly keys: Map<string, Key>
  readonly first: number
  readonly begun: number
  last: number
  ended: number
  bytes: number
}

/** Bytes of a key beside its strings: its object, and its place in a map that is half full. */
const KEY = 112

/** Bytes of a generation: its object, its times and its map. */
const GENERATION = 360

/** Bytes of the two generations' keeper. */
const KEYS = 64

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

  get bytes (): number { return KEYS + (this.#young?.bytes ?? 0) + (this.#old?.bytes ?? 0) }

  get size (): number { return (this.#young?.keys.size ?? 0) + (this.#old?.keys.size ?? 0) }

  find (key: string): KeyedPost | undefined { return this.#find(key) }

  /**
   * The post that a repeat repeats; undefined for a post to be stored.
   * @param since the number of the place it was first sent from; NaN for a place of another life
   * @throws ReusedKey, StalePost
   */
  judge (key: string | undefined, hash: string | undefined, since: number | undefined): KeyedPost | undefined {
    const known = key === undefined ? undefined : this.#find(key)
    if (known === undefined) {
      if (since !== undefined && !(since >= this.#forgotten)) throw new StalePost()
      return undefined
    }
    if (known.hash !== hash) throw new ReusedKey()
    return known
  }

  /** @param at ms since its log began */
  remember (key: string, hash: string | undefined, n: number, at: number): void {
    const young = this.#young ??= { keys: new Map(), first: n, begun: at, last: n, ended: at, bytes: GENERATION }
    young.last = n
    young.ended = at
    young.keys.set(copyString(key), { n, at, hash: hash && copyString(hash) })
    young.bytes += keyCost(key, hash)
    if (young.keys.size >= this.#half) this.#age()
  }

  /**
   * Forgets the old, once none of them is needed and some of the young, if there are any, are not either.
   * @param firstKept the number from which on entries are kept, and keys with them
   * @param before ms since its log began; younger keys are kept too
   */
  forget (firstKept: number, before: number): void {
    const { first: n, begun: at } = this.#young ?? { first: this.#old?.last, begun: this.#old?.ended }
    if (n !== undefined && n < firstKept && at! <= before) this.#age()
  }

  /** Forgets all that no entry needs, however young. */
  shrink (firstKept: number): void {
    this.#old = this.#without(firstKept, this.#old)
    this.#young = this.#without(firstKept, this.#young)
  }

  /** What is left of a generation, in a map of its size: one that entries are taken out of stays large. */
  #without (firstKept: number, generation: Generation | undefined): Generation | undefined {
    if (generation === undefined || generation.first >= firstKept) return generation
    const kept: Generation = { ...generation, keys: new Map(), bytes: GENERATION }
    for (const [key, post] of generation.keys) {
      if (post.n < firstKept) {
        this.#forgotten = post.n
      } else {
        kept.keys.set(key, post)
        kept.bytes += keyCost(key, post.hash)
      }
    }
    return kept.keys.size === 0 ? undefined : kept
  }

  #age (): void {
    this.#forgotten = Math.max(this.#forgotten, this.#old?.last ?? 0)
    this.#old = this.#young
    this.#young = undefined
  }

  #find (key: string): Key | undefined { return this.#young?.keys.get(key) ?? this.#old?.keys.get(key) }
}

/** Returns the bytes charged for a key. */
export function keyCost (key: string, hash = ''): number {
  return KEY + stringCost(key) + stringCost(hash)
}

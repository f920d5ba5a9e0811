import { copyString } from '../../copy-string.ts'
import { ReusedKey, StalePost } from '../../errors.ts'
import { stringCost } from '../../heap-cost.ts'

/** The post that a key identifies. `at`: ms since the log began. */
export interface KeyedPost { readonly offset: number, readonly at: number }

interface Key extends KeyedPost { readonly hash: string | undefined }

/** Keys that are forgotten together. Later keys belong to later posts. */
interface Generation {
  readonly keys: Map<string, Key>
  /** offset of its first post */
  readonly first: number
  /** time of its first post, ms since the log began */
  readonly startedAt: number
  /** offset of its last post */
  last: number
  /** time of its last post, ms since the log began */
  endedAt: number
  bytes: number
}

/** Bytes of a key without its strings: its object, and its slot in a half-full map. */
const KEY = 112

/** Bytes of a generation without its keys: its object, its times and its map. */
const GENERATION = 360

/** Bytes of a `MemoryKeys` without its generations. */
const KEYS = 64

/**
 * The keys of one room's posts. Detects repeated posts, and posts whose keys may have been forgotten. Keeps two generations and
 * forgets the old one as a whole: deleting single keys would touch as much memory as adding them.
 */
export class MemoryKeys {
  readonly #half: number
  #young: Generation | undefined
  #old: Generation | undefined
  /** Keys of entries up to this offset may have been forgotten. */
  #forgotten = 0

  /** @param maxKeys a hard bound, even for keys that are still needed; at least the newest half is kept */
  constructor (maxKeys: number) {
    this.#half = maxKeys / 2
  }

  get bytes (): number { return KEYS + (this.#young?.bytes ?? 0) + (this.#old?.bytes ?? 0) }

  get size (): number { return (this.#young?.keys.size ?? 0) + (this.#old?.keys.size ?? 0) }

  find (key: string): Key | undefined { return this.#young?.keys.get(key) ?? this.#old?.keys.get(key) }

  /**
   * Returns the stored post if this is a repeat; undefined for a new post.
   * @param since offset of the position the post was first sent from; NaN for a position of another epoch
   * @throws ReusedKey, StalePost
   */
  findRepeat (key: string | undefined, hash: string | undefined, since: number | undefined): KeyedPost | undefined {
    const known = key === undefined ? undefined : this.find(key)
    if (known === undefined) {
      if (since !== undefined && !(since >= this.#forgotten)) throw new StalePost()
      return undefined
    }
    if (known.hash !== hash) throw new ReusedKey()
    return known
  }

  /** @param at ms since the log began */
  remember (key: string, hash: string | undefined, offset: number, at: number): void {
    const young = this.#young ??= { keys: new Map(), first: offset, startedAt: at, last: offset, endedAt: at, bytes: GENERATION }
    young.last = offset
    young.endedAt = at
    young.keys.set(copyString(key), { offset, at, hash: hash && copyString(hash) })
    young.bytes += keyCost(key, hash)
    if (young.keys.size >= this.#half) this.#age()
  }

  /**
   * Forgets the old generation when all its keys are expendable. With a young generation, waits until its first key is
   * expendable too.
   * @param firstKept offset of the oldest kept entry; only keys of earlier entries are expendable
   * @param before ms since the log began; later keys aren't expendable
   */
  forget (firstKept: number, before: number): void {
    const isExpendable = (offset: number, at: number): boolean => offset < firstKept && at <= before
    const [young, old] = [this.#young, this.#old]
    if (young !== undefined ? isExpendable(young.first, young.startedAt) : old !== undefined && isExpendable(old.last, old.endedAt)) {
      this.#age()
    }
  }

  /** Forgets all keys whose entries are trimmed, regardless of their age. */
  shrink (firstKept: number): void {
    this.#old = this.#without(firstKept, this.#old)
    this.#young = this.#without(firstKept, this.#young)
  }

  /** Returns a generation without the keys of trimmed entries. Copies the map: a map doesn't shrink when keys are deleted. */
  #without (firstKept: number, generation: Generation | undefined): Generation | undefined {
    if (generation === undefined || generation.first >= firstKept) return generation
    const kept: Generation = { ...generation, keys: new Map(), bytes: GENERATION }
    for (const [key, post] of generation.keys) {
      if (post.offset < firstKept) {
        this.#forgotten = post.offset
      } else {
        kept.keys.set(key, post)
        kept.bytes += keyCost(key, post.hash)
      }
    }
    return kept.keys.size === 0 ? undefined : kept
  }

  /** Forgets the old generation. The young generation becomes the old one. */
  #age (): void {
    this.#forgotten = Math.max(this.#forgotten, this.#old?.last ?? 0)
    this.#old = this.#young
    this.#young = undefined
  }
}

/** Returns the bytes charged for a key. */
export function keyCost (key: string, hash = ''): number {
  return KEY + stringCost(key) + stringCost(hash)
}

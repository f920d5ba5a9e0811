import { randomBytes } from 'node:crypto'
import { Fifo } from './memory-fifo.ts'
import { MemoryKeys } from './memory-keys.ts'
import type { Draft, Entry, Mark, Page, Position, Query } from './store.ts'

/** What one room may hold. */
export interface LogLimits {
  /** entries */
  readonly historyEntries: number
  /** bytes of content */
  readonly historyBytes: number
  /** ms a key is remembered at least, unless there are too many */
  readonly keyLife: number
}

interface Kept { readonly entry: Entry, readonly content: number }

/** Bytes charged for an entry beyond its content, as V8 was seen to take. */
const OVERHEAD = 200

/** Keys are remembered for this many times the entries kept. */
const KEYS_PER_ENTRY = 10

/** One room's entries and keys: the newest, dense in number, within the limits. */
export class MemoryLog {
  /** Names this life of the room: a position of another one is never honoured. */
  readonly #tag = randomBytes(6).toString('base64url').replaceAll('-', '.')
  readonly #limits: LogLimits
  readonly #keys: MemoryKeys
  readonly #kept = new Fifo<Kept>()
  #entryBytes = 0
  /** ms, of the newest; never falls. */
  #at = -Infinity
  /** Of all positions of that time. */
  #prefix = ''
  /** Stands before the first entry, so that someone who joined an empty room has a place too. */
  readonly #genesis: Mark = { n: 0, position: this.#newPosition(0) }
  #head = this.#genesis

  constructor (limits: LogLimits) {
    this.#limits = limits
    this.#keys = new MemoryKeys(limits.historyEntries * KEYS_PER_ENTRY)
  }

  get head (): Mark { return this.#head }
  get bytes (): number { return this.#entryBytes + this.#keys.bytes + OVERHEAD }

  /** The mark of a repeat; undefined for a post to be appended. @throws ReusedKey, StalePost */
  judge ({ key, hash, since }: Draft): Mark | undefined {
    return this.#keys.judge(key, hash, since === undefined ? undefined : this.#numberOf(since))
  }

  append ({ from, body, data, key, hash }: Draft): Entry {
    const { historyEntries, historyBytes, keyLife } = this.#limits
    const n = this.#head.n + 1
    const position = this.#newPosition(n)
    const at = this.#at
    const entry: Entry = data === undefined ? { n, position, at, from, body } : { n, position, at, from, body, data }
    const content = contentBytes(entry)
    this.#head = { n, position }
    this.#kept.push({ entry, content })
    this.#entryBytes += content + OVERHEAD
    if (key !== undefined) this.#keys.remember(key, entry, hash, at)
    while (this.#kept.size > historyEntries || (this.#entryBytes > historyBytes && this.#kept.size > 1)) this.#trimOldest()
    this.#keys.forget(this.#firstKept, at - keyLife)
    return entry
  }

  find (key: string): Mark | undefined { return this.#keys.find(key) }

  read ({ limit, maxBytes, after, before }: Query): Page {
    const position = after ?? before
    const place = position === undefined ? undefined : this.#placeOf(position)
    const complete = position === undefined || place !== undefined
    const forward = after !== undefined && place !== undefined
    const step = forward ? 1 : -1
    const entries: Entry[] = []
    let bytes = 0
    let i = (place ?? this.#kept.size) + step
    for (let kept = this.#kept.at(i); kept !== undefined && entries.length < limit; kept = this.#kept.at(i += step)) {
      bytes += kept.content
      if (bytes > maxBytes && entries.length > 0) break
      entries.push(kept.entry)
    }
    if (!forward) entries.reverse()
    return { entries, complete, more: this.#kept.at(i) !== undefined, head: this.#head }
  }

  /** Empties one entry of its content; its number and position stay. */
  erase (position: Position): void {
    const place = this.#placeOf(position) ?? -1
    const kept = this.#kept.at(place)
    if (kept === undefined) return
    const { n, at, from } = kept.entry
    const emptied = { n, position, at, from, body: '' }
    const content = contentBytes(emptied)
    this.#kept.replace(place, { entry: emptied, content })
    this.#entryBytes += content - kept.content
  }

  /** Gives back all but the newest entry and the keys of the others: what a process short of memory asks for. */
  shrink (): void {
    while (this.#kept.size > 1) this.#trimOldest()
    this.#keys.shrink(this.#firstKept)
  }

  get #firstKept (): number { return this.#head.n - this.#kept.size + 1 }

  #newPosition (n: number): Position {
    const now = Date.now()
    if (now > this.#at) {
      this.#at = now
      this.#prefix = `${this.#tag}-${now}-`
    }
    return this.#prefix + n
  }

  /** Where a position's entry is kept, counted from the oldest: -1 for the genesis, undefined if it isn't. */
  #placeOf (position: Position): number | undefined {
    if (position === this.#genesis.position) return this.#firstKept === 1 ? -1 : undefined
    const place = Number(position.slice(position.lastIndexOf('-') + 1)) - this.#firstKept
    return this.#kept.at(place)?.entry.position === position ? place : undefined
  }

  /** The number of a position of this life, kept or not; NaN for any other. */
  #numberOf (position: Position): number {
    const [tag, , n] = position.split('-')
    return tag === this.#tag && Number(n) <= this.#head.n ? Number(n) : NaN
  }

  #trimOldest (): void {
    this.#entryBytes -= this.#kept.shift()!.content + OVERHEAD
  }
}

function contentBytes ({ body, data, from }: Entry): number {
  const text = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
  return text + (from === null ? 0 : from.name.length) + (data === undefined ? 0 : data.length)
}

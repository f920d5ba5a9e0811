import { randomBytes } from 'node:crypto'
import { copyString } from '../../copy-string.ts'
import { bodyCost, identityCost, stringCost } from '../../heap-cost.ts'
import { Fifo } from './queue.ts'
import { MemoryKeys, keyCost, type KeyedPost } from './keys.ts'
import { formatPosition, parsePosition } from '../position.ts'
import type { Draft, Entry, Member, Cursor, Page, Position, Query } from '../../store.ts'

/** What one room may hold. */
export interface LogLimits {
  /** entries */
  readonly historyEntries: number
  /** bytes of memory */
  readonly historyBytes: number
  /** ms a key is remembered at least, unless there are too many */
  readonly keyLife: number
}

/** An entry without what can be told from its place. at: ms since the log began. charge: bytes of memory. */
export interface Kept {
  at: number
  readonly from: Member | null
  readonly body: string | Uint8Array
  readonly data: string | undefined
  readonly charge: number
}

/** Bytes of a kept entry beside its content, and of its place in a ring of which a quarter is used. */
const ENTRY = 64 + 32

/** Bytes of a log without entries and keys. */
const LOG = 360

/** Keys are remembered for this many times the entries kept. */
const KEYS_PER_ENTRY = 10

/** One room's entries and keys: the newest, dense in number, within the limits. */
export class MemoryLog {
  /** Names this life of the room: a position of another one is never honoured. */
  readonly #tag = randomBytes(6).toString('base64url').replaceAll('-', '.')
  readonly #limits: LogLimits
  /** ms */
  readonly #born = Date.now()
  readonly #kept = new Fifo<Kept>()
  readonly #keys: MemoryKeys
  #entryBytes = 0
  /** The newest entry's number, and its time in ms since the log began, which never falls. */
  #n = 0
  #at = 0

  constructor (limits: LogLimits) {
    this.#limits = limits
    this.#keys = new MemoryKeys(limits.historyEntries * KEYS_PER_ENTRY)
  }

  /** The newest; before the first entry, a place that someone who joined an empty room has. */
  get head (): Cursor { return this.#markOf(this.#n, this.#at) }
  /** Bytes of memory. */
  get bytes (): number { return LOG + this.#entryBytes + this.#keys.bytes }
  /** Whether `shrink` has anything to give back. */
  get canShrink (): boolean { return this.#kept.size > 1 || this.#keys.size > this.#kept.size }

  /** The mark of a repeat; undefined for a post to be appended. @throws ReusedKey, StalePost */
  judge ({ key, hash, since }: Draft): Cursor | undefined {
    return this.#marked(this.#keys.judge(key, hash, since === undefined ? undefined : this.#numberOf(since)))
  }

  append (kept: Kept, { key, hash }: Draft): Entry {
    const { historyEntries, historyBytes, keyLife } = this.#limits
    const n = ++this.#n
    this.#at = kept.at = Math.max(this.#at, Date.now() - this.#born)
    this.#kept.push(kept)
    this.#entryBytes += kept.charge
    if (key !== undefined) this.#keys.remember(key, hash, n, kept.at)
    while (this.#kept.size > historyEntries || (this.#entryBytes > historyBytes && this.#kept.size > 1)) this.#trimOldest()
    this.#keys.forget(this.#firstKept, kept.at - keyLife)
    return this.#entryOf(n, kept)
  }

  find (key: string): Cursor | undefined { return this.#marked(this.#keys.find(key)) }

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
      bytes += contentBytes(kept)
      if (bytes > maxBytes && entries.length > 0) break
      entries.push(this.#entryOf(this.#firstKept + i, kept))
    }
    if (!forward) entries.reverse()
    return { entries, complete, more: this.#kept.at(i) !== undefined, head: this.head }
  }

  /** Empties one entry of its content; its number and position stay. */
  erase (position: Position): void {
    const place = this.#placeOf(position) ?? -1
    const kept = this.#kept.at(place)
    if (kept === undefined) return
    const emptied = { ...keep({ from: kept.from, body: '' }), at: kept.at }
    this.#kept.replace(place, emptied)
    this.#entryBytes += emptied.charge - kept.charge
  }

  /** Gives back all but the newest entry and the keys of the others: what a process short of memory asks for. */
  shrink (): void {
    while (this.#kept.size > 1) this.#trimOldest()
    this.#keys.shrink(this.#firstKept)
  }

  get #firstKept (): number { return this.#n - this.#kept.size + 1 }

  #markOf (n: number, at: number): Cursor { return { n, position: formatPosition(this.#tag, this.#born + at, n) } }

  #marked (post: KeyedPost | undefined): Cursor | undefined { return post && this.#markOf(post.n, post.at) }

  #entryOf (n: number, { at, from, body, data }: Kept): Entry {
    const time = this.#born + at
    const position = formatPosition(this.#tag, time, n)
    return data === undefined ? { n, position, at: time, from, body } : { n, position, at: time, from, body, data }
  }

  /** Where a position's entry is kept, counted from the oldest: -1 for before the first, undefined if it isn't. */
  #placeOf (position: Position): number | undefined {
    const { epoch, at, offset = NaN } = parsePosition(position) ?? {}
    if (epoch !== this.#tag) return undefined
    const place = offset - this.#firstKept
    const time = offset === 0 ? 0 : this.#kept.at(place)?.at
    return place >= -1 && time !== undefined && at === this.#born + time ? place : undefined
  }

  /**
   * The number of a position of this life; NaN for any other. Of an entry that was trimmed the time isn't known, only
   * between which it was.
   */
  #numberOf (position: Position): number {
    const { epoch, at = NaN, offset = NaN } = parsePosition(position) ?? {}
    if (epoch !== this.#tag) return NaN
    if (offset >= this.#firstKept) return this.#placeOf(position) === undefined ? NaN : offset
    const last = offset === 0 ? 0 : this.#kept.at(0)!.at
    return at >= this.#born && at <= this.#born + last ? offset : NaN
  }

  #trimOldest (): void {
    this.#entryBytes -= this.#kept.shift()!.charge
  }
}

/** Returns what a log keeps of a draft: nothing that keeps more than is charged alive. */
export function keep ({ from, body: given, data: text }: Draft): Kept {
  const body = typeof given === 'string' ? copyString(given) : given.byteLength === given.buffer.byteLength ? given : new Uint8Array(given)
  const data = text === undefined ? undefined : copyString(text)
  const charge = ENTRY + bodyCost(body) + identityCost(from) + (data === undefined ? 0 : stringCost(data))
  return { at: 0, from, body, data, charge }
}

/** Returns the bytes that a room grows by at most with a draft. */
export function growth ({ charge }: Kept, { key, hash }: Draft): number {
  return charge + (key === undefined ? 0 : keyCost(key, hash))
}

function contentBytes ({ body, data, from }: Kept): number {
  const text = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
  return text + (from === null ? 0 : from.name.length) + (data === undefined ? 0 : Buffer.byteLength(data))
}

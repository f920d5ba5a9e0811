import { randomBytes } from 'node:crypto'
import { copyString } from '../../copy-string.ts'
import { bodyCost, identityCost, stringCost } from '../../heap-cost.ts'
import { Fifo } from './queue.ts'
import { MemoryKeys, keyCost, type KeyedPost } from './keys.ts'
import { formatPosition, parsePosition } from '../position.ts'
import type { Draft, Entry, Member, Cursor, Page, Position, Query } from '../../store.ts'

/** Bounds of one room. */
export interface LogLimits {
  /** entries */
  readonly historyEntries: number
  /** bytes of memory */
  readonly historyBytes: number
  /** ms that a key is remembered at least, unless there are too many */
  readonly keyLife: number
}

/** An entry without its offset and position, which follow from its index. */
export interface Kept {
  /** ms since the log began */
  at: number
  readonly from: Member | null
  readonly body: string | Uint8Array
  readonly data: string | undefined
  /** bytes of memory */
  readonly charge: number
}

/** Bytes of a kept entry without its content, and of its slot in a ring that is a quarter full. */
const ENTRY = 64 + 32

/** Bytes of a log without entries and keys. */
const LOG = 360

/** Bounds the keys of a room, as a multiple of `historyEntries`. */
const KEYS_PER_ENTRY = 10

/** The newest entries of one room and their keys, within the limits. Offsets have no gaps. */
export class MemoryLog {
  /** A position of another epoch is never honoured. */
  readonly #epoch = randomBytes(6).toString('base64url').replaceAll('-', '.')
  readonly #limits: LogLimits
  /** When the epoch began, ms since 1970. */
  readonly #begun = Date.now()
  readonly #kept = new Fifo<Kept>()
  readonly #keys: MemoryKeys
  #entryBytes = 0
  /** Offset of the newest entry, and its time in ms since the log began. The time never decreases. */
  #n = 0
  #at = 0

  constructor (limits: LogLimits) {
    this.#limits = limits
    this.#keys = new MemoryKeys(limits.historyEntries * KEYS_PER_ENTRY)
  }

  /** The newest entry; the beginning of the log if there is none. */
  get head (): Cursor { return this.#cursorOf(this.#n, this.#at) }
  /** Bytes of memory. */
  get bytes (): number { return LOG + this.#entryBytes + this.#keys.bytes }
  /** Whether `shrink` would free anything. */
  get canShrink (): boolean { return this.#kept.size > 1 || this.#keys.size > this.#kept.size }

  /** Returns the cursor of the stored post if this is a repeat; undefined for a new post. @throws ReusedKey, StalePost */
  judge ({ key, hash, since }: Draft): Cursor | undefined {
    return this.#cursorOfPost(this.#keys.judge(key, hash, since === undefined ? undefined : this.#offsetOf(since)))
  }

  append (kept: Kept, { key, hash }: Draft): Entry {
    const { historyEntries, historyBytes, keyLife } = this.#limits
    const n = ++this.#n
    this.#at = kept.at = Math.max(this.#at, Date.now() - this.#begun)
    this.#kept.push(kept)
    this.#entryBytes += kept.charge
    if (key !== undefined) this.#keys.remember(key, hash, n, kept.at)
    while (this.#kept.size > historyEntries || (this.#entryBytes > historyBytes && this.#kept.size > 1)) this.#trimOldest()
    this.#keys.forget(this.#firstKept, kept.at - keyLife)
    return this.#entryOf(n, kept)
  }

  find (key: string): Cursor | undefined { return this.#cursorOfPost(this.#keys.find(key)) }

  read ({ limit, maxBytes, after, before }: Query): Page {
    const position = after ?? before
    const index = position === undefined ? undefined : this.#indexOf(position)
    const complete = position === undefined || index !== undefined
    const forward = after !== undefined && index !== undefined
    const step = forward ? 1 : -1
    const entries: Entry[] = []
    let bytes = 0
    let i = (index ?? this.#kept.size) + step
    for (let kept = this.#kept.at(i); kept !== undefined && entries.length < limit; kept = this.#kept.at(i += step)) {
      bytes += contentBytes(kept)
      if (bytes > maxBytes && entries.length > 0) break
      entries.push(this.#entryOf(this.#firstKept + i, kept))
    }
    if (!forward) entries.reverse()
    return { entries, complete, more: this.#kept.at(i) !== undefined, head: this.head }
  }

  /** Removes the content of one entry. Its offset and position stay. */
  erase (position: Position): void {
    const index = this.#indexOf(position) ?? -1
    const kept = this.#kept.at(index)
    if (kept === undefined) return
    const erased = { ...keep({ from: kept.from, body: '' }), at: kept.at }
    this.#kept.replace(index, erased)
    this.#entryBytes += erased.charge - kept.charge
  }

  /** Removes all entries except the newest, and their keys. Called when the store is short of memory. */
  shrink (): void {
    while (this.#kept.size > 1) this.#trimOldest()
    this.#keys.shrink(this.#firstKept)
  }

  get #firstKept (): number { return this.#n - this.#kept.size + 1 }

  #cursorOf (n: number, at: number): Cursor { return { offset: n, position: formatPosition(this.#epoch, this.#begun + at, n) } }

  #cursorOfPost (post: KeyedPost | undefined): Cursor | undefined { return post && this.#cursorOf(post.n, post.at) }

  #entryOf (n: number, { at, from, body, data }: Kept): Entry {
    const time = this.#begun + at
    const position = formatPosition(this.#epoch, time, n)
    return data === undefined ? { offset: n, position, at: time, from, body } : { offset: n, position, at: time, from, body, data }
  }

  /** Returns the index of a position's entry from the oldest one; -1 for before the first, undefined if it isn't kept. */
  #indexOf (position: Position): number | undefined {
    const { epoch, at, offset = NaN } = parsePosition(position) ?? {}
    if (epoch !== this.#epoch) return undefined
    const index = offset - this.#firstKept
    const time = offset === 0 ? 0 : this.#kept.at(index)?.at
    return index >= -1 && time !== undefined && at === this.#begun + time ? index : undefined
  }

  /**
   * Returns the offset of a position of this epoch; NaN for any other. The time of a trimmed entry isn't known, so the
   * position only has to lie between the beginning of the epoch and the oldest kept entry.
   */
  #offsetOf (position: Position): number {
    const { epoch, at = NaN, offset = NaN } = parsePosition(position) ?? {}
    if (epoch !== this.#epoch) return NaN
    if (offset >= this.#firstKept) return this.#indexOf(position) === undefined ? NaN : offset
    const last = offset === 0 ? 0 : this.#kept.at(0)!.at
    return at >= this.#begun && at <= this.#begun + last ? offset : NaN
  }

  #trimOldest (): void {
    this.#entryBytes -= this.#kept.shift()!.charge
  }
}

/** Returns what a log keeps of a draft. Copies slices, which would retain more memory than is charged. */
export function keep ({ from, body: given, data: text }: Draft): Kept {
  const body = typeof given === 'string' ? copyString(given) : given.byteLength === given.buffer.byteLength ? given : new Uint8Array(given)
  const data = text === undefined ? undefined : copyString(text)
  const charge = ENTRY + bodyCost(body) + identityCost(from) + (data === undefined ? 0 : stringCost(data))
  return { at: 0, from, body, data, charge }
}

/** Returns the most bytes that a room can grow by with a draft. */
export function growth ({ charge }: Kept, { key, hash }: Draft): number {
  return charge + (key === undefined ? 0 : keyCost(key, hash))
}

function contentBytes ({ body, data, from }: Kept): number {
  const text = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
  return text + (from === null ? 0 : from.name.length) + (data === undefined ? 0 : Buffer.byteLength(data))
}

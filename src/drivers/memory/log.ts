import { randomBytes } from 'node:crypto'
import type { HistoryBounds } from '../history-options.ts'
import { readPage, type PageSource } from '../page.ts'
import { formatPosition, parsePosition } from '../position.ts'
import { MemoryKeys, type KeyedPost } from './keys.ts'
import { RingQueue } from './ring-queue.ts'
import { storedEntry, type StoredEntry } from './stored-entry.ts'
import type { Cursor, Draft, Entry, Page, Position, Query } from '../../store.ts'

/** Bytes of a log without entries and keys. */
const LOG = 360

/** Maximum keys of a room, as a multiple of `historyEntries`. */
const KEYS_PER_ENTRY = 10

/** The newest entries of one room and their keys, within the limits. Offsets have no gaps. */
export class MemoryLog implements PageSource {
  /** A position of another epoch is never honoured. */
  readonly #epoch = randomBytes(6).toString('base64url').replaceAll('-', '.')
  readonly #limits: HistoryBounds
  /** When the epoch began, ms since 1970. */
  readonly #startedAt = Date.now()
  readonly #entries = new RingQueue<StoredEntry>()
  readonly #keys: MemoryKeys
  #entryBytes = 0
  /** offset of the newest entry */
  #last = 0
  /** time of the newest entry, ms since the log began; never decreases */
  #lastAt = 0

  constructor (limits: HistoryBounds) {
    this.#limits = limits
    this.#keys = new MemoryKeys(limits.historyEntries * KEYS_PER_ENTRY)
  }

  /** The newest entry; the beginning of the log if there is none. */
  get head (): Cursor { return this.#cursorOf(this.#last, this.#lastAt) }
  /** Bytes of memory. */
  get bytes (): number { return LOG + this.#entryBytes + this.#keys.bytes }
  /** Whether `shrink` would free anything. */
  get canShrink (): boolean { return this.#entries.size > 1 || this.#keys.size > this.#entries.size }
  /** Whether the oldest entry is older than `historyAge`. */
  get isExpired (): boolean { return this.#isOld(Date.now()) }

  /** Returns the cursor of the stored post if this is a repeat; undefined for a new post. @throws ReusedKey, StalePost */
  findRepeat ({ key, hash, since }: Draft): Cursor | undefined {
    return this.#cursorOfPost(this.#keys.findRepeat(key, hash, since === undefined ? undefined : this.#offsetOf(since)))
  }

  append (entry: StoredEntry, { key, hash }: Draft): Entry {
    const { historyEntries, historyBytes, dedupWindow } = this.#limits
    const offset = ++this.#last
    this.#lastAt = entry.at = Math.max(this.#lastAt, Date.now() - this.#startedAt)
    this.#entries.push(entry)
    this.#entryBytes += entry.charge
    if (key !== undefined) this.#keys.remember(key, hash, offset, entry.at)
    while (this.#entries.size > historyEntries || (this.#entryBytes > historyBytes && this.#entries.size > 1)) this.#trimOldest()
    while (this.#isOld(this.#startedAt + entry.at)) this.#trimOldest()
    this.#keys.forget(this.first, entry.at - dedupWindow)
    return this.#entryOf(offset, entry)
  }

  find (key: string): Cursor | undefined { return this.#cursorOfPost(this.#keys.find(key)) }

  read (query: Query): Page { return readPage(this, query) }

  /** Removes the content of one entry. Its offset and position stay. */
  erase (position: Position): void {
    const offset = this.indexOf(position)
    const entry = offset === undefined ? undefined : this.#stored(offset)
    if (entry === undefined) return
    const erased = { ...storedEntry({ from: entry.from, body: '' }), at: entry.at }
    this.#entries.replace(offset! - this.first, erased)
    this.#entryBytes += erased.charge - entry.charge
  }

  /** Removes the entries that are older than `historyAge`, and their keys once these are no longer needed. */
  expire (): void {
    const now = Date.now()
    while (this.#isOld(now)) this.#trimOldest()
    this.#keys.forget(this.first, now - this.#startedAt - this.#limits.dedupWindow)
  }

  /** Removes all entries except the newest, and their keys. Called when the store is short of memory. */
  shrink (): void {
    while (this.#entries.size > 1) this.#trimOldest()
    this.#keys.shrink(this.first)
  }

  /** Offset of the oldest kept entry. In a log, the index of an entry is its offset. */
  get first (): number { return this.#last - this.#entries.size + 1 }
  get last (): number { return this.#last }

  entryAt (offset: number): Entry { return this.#entryOf(offset, this.#stored(offset)!) }

  indexOf (position: Position): number | undefined {
    const { epoch, at, offset = NaN } = parsePosition(position) ?? {}
    if (epoch !== this.#epoch) return undefined
    const time = offset === 0 ? 0 : this.#stored(offset)?.at
    return offset >= this.first - 1 && time !== undefined && at === this.#startedAt + time ? offset : undefined
  }

  #stored (offset: number): StoredEntry | undefined { return this.#entries.at(offset - this.first) }

  #cursorOf (offset: number, at: number): Cursor {
    return { offset, position: formatPosition(this.#epoch, this.#startedAt + at, offset) }
  }

  #cursorOfPost (post: KeyedPost | undefined): Cursor | undefined { return post && this.#cursorOf(post.offset, post.at) }

  #entryOf (offset: number, { at: since, from, body, data }: StoredEntry): Entry {
    const at = this.#startedAt + since
    const position = formatPosition(this.#epoch, at, offset)
    return data === undefined ? { offset, position, at, from, body } : { offset, position, at, from, body, data }
  }

  /**
   * Returns the offset of a position of this epoch; NaN for any other position. The time of a trimmed entry isn't known, so the
   * time of its position must only lie between the beginning of the epoch and the oldest kept entry.
   */
  #offsetOf (position: Position): number {
    const { epoch, at = NaN, offset = NaN } = parsePosition(position) ?? {}
    if (epoch !== this.#epoch) return NaN
    if (offset >= this.first) return this.indexOf(position) === undefined ? NaN : offset
    const last = offset === 0 ? 0 : this.#entries.at(0)?.at ?? this.#lastAt
    return at >= this.#startedAt && at <= this.#startedAt + last ? offset : NaN
  }

  /** Returns whether there is an entry that is older than `historyAge`. @param now ms since 1970 */
  #isOld (now: number): boolean {
    const oldest = this.#entries.at(0)
    return oldest !== undefined && this.#startedAt + oldest.at <= now - this.#limits.historyAge
  }

  #trimOldest (): void {
    this.#entryBytes -= this.#entries.shift()!.charge
  }
}

import { randomBytes } from 'node:crypto'
import { ReusedKey, StalePost } from '../errors.ts'
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

interface Key extends Mark { readonly at: number, readonly hash: string | undefined }

/** Bytes charged for an entry or a key beyond its content, as V8 was seen to take. */
const OVERHEAD = 200

/** Keys are remembered for this many times the entries kept. */
const KEYS_PER_ENTRY = 10

/** One room's entries and keys: the newest, dense in number, within the limits. */
export class MemoryLog {
  /** Names this life of the room: a position of another one is never honoured. */
  readonly #tag = randomBytes(6).toString('base64url').replaceAll('-', '.')
  readonly #limits: LogLimits
  readonly #keys = new Map<string, Key>()
  #entries: Array<Entry | undefined> = []
  /** Where the kept entries begin in `#entries`: trimming moves it, so that a trim doesn't move every entry. */
  #start = 0
  #entryBytes = 0
  #keyBytes = 0
  /** The number up to which keys may have been forgotten. */
  #forgotten = 0
  #at = Date.now()
  /** Stands before the first entry, so that someone who joined an empty room has a place too. */
  readonly #genesis: Mark = { n: 0, position: this.#position(this.#at, 0) }
  #head = this.#genesis

  constructor (limits: LogLimits) {
    this.#limits = limits
  }

  get head (): Mark { return this.#head }
  get bytes (): number { return this.#entryBytes + this.#keyBytes + OVERHEAD }

  append (draft: Draft): { again: boolean, mark: Mark, entry?: Entry } {
    const known = draft.key === undefined ? undefined : this.#keys.get(draft.key)
    if (known !== undefined) {
      if (known.hash !== draft.hash) throw new ReusedKey()
      return { again: true, mark: { n: known.n, position: known.position } }
    }
    if (draft.since !== undefined && !this.#remembersSince(draft.since)) throw new StalePost()

    const at = this.#at = Math.max(this.#at, Date.now())
    const n = this.#head.n + 1
    const position = this.#position(at, n)
    const { from, body, data } = draft
    const entry: Entry = data === undefined ? { n, position, at, from, body } : { n, position, at, from, body, data }
    this.#head = { n, position }
    this.#entries.push(entry)
    this.#entryBytes += sizeOf(entry)
    if (draft.key !== undefined) {
      this.#keys.set(draft.key, { n, position, at, hash: draft.hash })
      this.#keyBytes += draft.key.length + OVERHEAD
    }
    while (this.#kept > this.#limits.historyEntries || (this.#entryBytes > this.#limits.historyBytes && this.#kept > 1)) {
      this.#trimOldest()
    }
    this.#forgetKeys(at)
    return { again: false, mark: this.#head, entry }
  }

  find (key: string): Mark | undefined {
    const known = this.#keys.get(key)
    return known && { n: known.n, position: known.position }
  }

  read ({ limit, maxBytes, after, before }: Query): Page {
    const position = after ?? before
    const at = position === undefined ? undefined : this.#indexOf(position)
    const complete = position === undefined || at !== undefined
    const first = this.#start
    const end = this.#entries.length
    const entries: Entry[] = []
    let room = maxBytes
    const fits = (entry: Entry) => {
      room -= sizeOf(entry) - OVERHEAD
      return entries.length < limit && (room >= 0 || entries.length === 0)
    }
    if (after !== undefined && at !== undefined) {
      let i = at + 1
      for (; i < end && fits(this.#entries[i]!); i++) entries.push(this.#entries[i]!)
      return { entries, complete, more: i < end, head: this.#head }
    }
    let i = (at ?? end) - 1
    for (; i >= first && fits(this.#entries[i]!); i--) entries.push(this.#entries[i]!)
    return { entries: entries.reverse(), complete, more: i >= first, head: this.#head }
  }

  /** Empties one entry of its content; its number and position stay. */
  erase (position: Position): void {
    const i = this.#indexOf(position)
    const entry = i === undefined ? undefined : this.#entries[i]
    if (i === undefined || entry === undefined) return
    const { n, at, from } = entry
    const emptied = { n, position, at, from, body: '' }
    this.#entries[i] = emptied
    this.#entryBytes += sizeOf(emptied) - sizeOf(entry)
  }

  /** Gives back all but the newest entry and the keys of the others: what a process short of memory asks for. */
  shrink (): void {
    while (this.#kept > 1) this.#trimOldest()
    for (const [key, { n }] of this.#keys) if (n < this.#head.n) this.#forget(key)
  }

  get #kept (): number { return this.#entries.length - this.#start }

  #position (at: number, n: number): Position { return `${this.#tag}-${at}-${n}` }

  /** Where a position's entry stands in `#entries`: just before the first for the genesis, undefined if it isn't kept. */
  #indexOf (position: Position): number | undefined {
    if (position === this.#genesis.position) return this.#head.n === this.#kept ? this.#start - 1 : undefined
    const n = Number(position.slice(position.lastIndexOf('-') + 1))
    const i = this.#entries.length - 1 - (this.#head.n - n)
    return i >= this.#start && this.#entries[i]?.position === position ? i : undefined
  }

  #remembersSince (since: Position): boolean {
    const [tag, , n] = since.split('-')
    return tag === this.#tag && Number(n) >= this.#forgotten && Number(n) <= this.#head.n
  }

  #trimOldest (): void {
    this.#entryBytes -= sizeOf(this.#entries[this.#start]!)
    this.#entries[this.#start++] = undefined
    if (this.#start > 1_000 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start)
      this.#start = 0
    }
  }

  #forgetKeys (now: number): void {
    const firstKept = this.#head.n - this.#kept + 1
    for (const [key, { n, at }] of this.#keys) {
      const needed = n >= firstKept || now - at < this.#limits.keyLife
      if (needed && this.#keys.size <= this.#limits.historyEntries * KEYS_PER_ENTRY) break
      this.#forget(key)
    }
  }

  #forget (key: string): void {
    this.#forgotten = this.#keys.get(key)!.n
    this.#keys.delete(key)
    this.#keyBytes -= key.length + OVERHEAD
  }
}

function sizeOf ({ body, data, from }: Entry): number {
  const content = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
  return OVERHEAD + content + (from === null ? 0 : from.name.length) + (data === undefined ? 0 : JSON.stringify(data).length)
}

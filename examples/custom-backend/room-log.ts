import { randomBytes } from 'node:crypto'
import { errors } from 'fastify-chat'
import type { Cursor, Draft, Entry, Page, Position, Query } from 'fastify-chat'

/** Bounds of a room. */
export interface LogBounds {
  /** entries that a room keeps; the oldest are removed first */
  readonly historyEntries: number
  /** bytes of the entries that a room keeps, as lines of its file; the newest entry is kept in any case */
  readonly historyBytes: number
  /** ms that a key is remembered, up to ten times as many keys as entries; as long as its entry in any case */
  readonly dedupWindow: number
}

interface Key { readonly key: string, readonly hash?: string | undefined, readonly offset: number, readonly at: number }

/** A line of a file. The first one has `epoch`, and `base`: the offset of the entry before the first one. */
interface Line {
  readonly epoch?: string
  readonly base?: number
  readonly forgotten?: number
  readonly key?: Key
  readonly entry?: StoredEntry
}

/** `bytes`: a binary body, in base64. */
type StoredEntry = Omit<Entry, 'position' | 'body'> & { readonly body?: string, readonly bytes?: string }

/** The entries and keys of one room in memory. The line that `append` returns repeats the post. */
export class RoomLog {
  readonly #bounds: LogBounds
  #epoch: string
  /** The kept entries, oldest first, and the bytes of each one's line. */
  #entries: Entry[] = []
  #sizes: number[] = []
  #bytes = 0
  /** offset of the newest entry */
  #last = 0
  /** The remembered keys, oldest first. */
  #keys = new Map<string, Key>()
  #keyBytes = 0
  /** Keys of entries up to this offset may have been forgotten. */
  #forgotten = 0

  /** @param epoch 1 to 32 letters and digits, for a room without a file */
  constructor (epoch: string, bounds: LogBounds) {
    this.#epoch = epoch
    this.#bounds = bounds
  }

  /** Bytes of a snapshot, roughly. */
  get bytes (): number { return this.#bytes + this.#keyBytes }

  get head (): Cursor { return this.#cursor(this.#last) }

  /** Repeats a line of the room's file. */
  repeat (text: string): void {
    const { epoch, base = 0, forgotten = 0, key, entry } = JSON.parse(text) as Line
    if (epoch !== undefined) {
      this.#epoch = epoch
      this.#last = base
      this.#forgotten = forgotten
    }
    if (key !== undefined) this.#remember(key)
    if (entry === undefined) return
    const { bytes, body = Buffer.from(bytes ?? '', 'base64'), ...rest } = entry
    this.#add({ ...rest, position: this.#cursor(rest.offset).position, body }, text.length)
  }

  /** Returns the lines of a new file, oldest first. */
  snapshot (): string {
    const base = this.#last - this.#entries.length
    const lines: Line[] = [
      { epoch: this.#epoch, base, forgotten: this.#forgotten },
      ...[...this.#keys.values()].map((key) => ({ key })),
      ...this.#entries.map((entry) => ({ entry: storedEntry(entry) }))
    ]
    return lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  }

  /**
   * Returns the new entry and its line, or the cursor of the first entry of a known key.
   * @throws ReusedKey, StalePost, InvalidArgument; StoreBusy if there is no space for a new entry
   */
  append ({ key, hash, since, from, body, data }: Draft, hasSpace: boolean): { known: Cursor } | { entry: Entry, line: string } {
    if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw new errors.InvalidArgument('draft.body', 'must be a string or a Uint8Array')
    const known = key === undefined ? undefined : this.#keys.get(key)
    if (known !== undefined) {
      if (known.hash !== hash) throw new errors.ReusedKey()
      return { known: this.#cursor(known.offset) }
    }
    if (since !== undefined && !(this.#offsetOf(since) >= this.#forgotten)) throw new errors.StalePost()
    if (!hasSpace) throw new errors.StoreBusy()
    const at = Math.max(Date.now(), this.#entries.at(-1)?.at ?? 0)
    const entry: Entry = {
      ...this.#cursor(this.#last + 1),
      at,
      from: from && { id: from.id, name: from.name },
      body: typeof body === 'string' ? body : Buffer.from(body),
      ...data !== undefined && { data }
    }
    const remembered = key === undefined ? undefined : { key, hash, offset: entry.offset, at }
    const line: Line = { entry: storedEntry(entry), ...remembered && { key: remembered } }
    const text = JSON.stringify(line)
    if (remembered !== undefined) this.#remember(remembered)
    this.#add(entry, text.length)
    return { entry, line: `${text}\n` }
  }

  find (key: string): Cursor | undefined {
    const known = this.#keys.get(key)
    return known && this.#cursor(known.offset)
  }

  read ({ limit, maxBytes, after, before }: Query): Page {
    const position = after ?? before
    const start = position === undefined ? undefined : this.#indexOf(position)
    const isForward = after !== undefined && start !== undefined
    const step = isForward ? 1 : -1
    const entries: Entry[] = []
    let bytes = 0
    let index = (start ?? this.#entries.length) + step
    for (; index >= 0 && index < this.#entries.length && entries.length < limit; index += step) {
      const entry = this.#entries[index]!
      bytes += Buffer.byteLength(entry.body) + Buffer.byteLength(entry.data ?? '')
      if (bytes > maxBytes && entries.length > 0) break
      entries.push(entry)
    }
    if (!isForward) entries.reverse()
    const more = index >= 0 && index < this.#entries.length
    return { entries, complete: position === undefined || start !== undefined, more, head: this.head }
  }

  /** Returns whether the entry was kept. */
  erase (position: Position): boolean {
    const index = this.#indexOf(position) ?? -1
    const entry = this.#entries[index]
    if (entry === undefined) return false
    const { data: _, ...rest } = entry
    this.#entries[index] = { ...rest, body: '' }
    return true
  }

  /** Begins another epoch. */
  clear (): void {
    this.#epoch = randomBytes(12).toString('hex')
    this.#entries = []
    this.#sizes = []
    this.#keys.clear()
    this.#bytes = this.#keyBytes = this.#last = this.#forgotten = 0
  }

  #cursor (offset: number): Cursor { return { offset, position: `${this.#epoch}-${offset}` } }

  /** Returns the offset of a position of this epoch; NaN for any other string. */
  #offsetOf (position: Position): number {
    const offset = Number(position.slice(position.lastIndexOf('-') + 1))
    return offset <= this.#last && offset >= 0 && position === this.#cursor(offset).position ? offset : NaN
  }

  /** Returns the index of a kept entry; -1 for the beginning of a log that keeps its first entry. */
  #indexOf (position: Position): number | undefined {
    const index = this.#offsetOf(position) - 1 - (this.#last - this.#entries.length)
    return index >= 0 || (index === -1 && this.#last === this.#entries.length) ? index : undefined
  }

  #remember (key: Key): void {
    this.#keys.set(key.key, key)
    this.#keyBytes += keySize(key)
  }

  #add (entry: Entry, size: number): void {
    this.#entries.push(entry)
    this.#sizes.push(size)
    this.#bytes += size
    this.#last = entry.offset
    const { historyEntries, historyBytes, dedupWindow } = this.#bounds
    while (this.#entries.length > historyEntries || (this.#bytes > historyBytes && this.#entries.length > 1)) {
      this.#entries.shift()
      this.#bytes -= this.#sizes.shift()!
    }
    for (const key of this.#keys.values()) {
      const isNeeded = key.at >= entry.at - dedupWindow && this.#keys.size <= 10 * historyEntries
      if (isNeeded || key.offset >= this.#entries[0]!.offset) break
      this.#keys.delete(key.key)
      this.#keyBytes -= keySize(key)
      this.#forgotten = key.offset
    }
  }
}

/** Returns the bytes of a key's line, roughly. */
function keySize ({ key, hash = '' }: Key): number {
  return key.length + hash.length + 64
}

function storedEntry ({ position: _, body, ...entry }: Entry): StoredEntry {
  return typeof body === 'string' ? { ...entry, body } : { ...entry, bytes: Buffer.from(body).toString('base64') }
}

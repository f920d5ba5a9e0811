import type { Amended, Amendment } from '../../change.ts'
import type { ReportableChange } from '../../chat-change.ts'
import { delay, type Delay } from '../../drivers/delay.ts'
import { meaningOf } from '../../error-meaning.ts'
import { ErrorCode } from '../../protocol.ts'
import type { ReadTurns } from './read-turns.ts'
import type { Entry, FeedPage, Page, Position, Query, Store } from '../../store.ts'

/** The part of a store that a watch uses. */
export interface WatchedStore extends Pick<Store, 'get' | 'read'> {
  amend (room: string, position: Position, amendment: Amendment & { readonly change: ReportableChange }): Promise<Amended>
}

/** A streaming entry. cancel: ends the wait for the lease. */
interface Watched { readonly position: Position, cancel: () => void }

/** Maximum number of streaming entries of a room that are watched at the same time. */
const MAX_WATCHED = 1_000

/** Maximum number of streaming entries that wait to be watched. Further ones are watched when they are read again. */
const MAX_WAITING = 10_000

/** The newest entries of a room that are read to find its streaming ones. */
const NEWEST = { limit: 100, maxBytes: 64 * 1024 }

/** Minimum size of a page of the newest entries after which they aren't read for this again: that of a usual join. */
const ENOUGH = 50

/**
 * Ends the streaming entries of one room whose process no longer renews them: it is dead, or has lost its backend. Every node that
 * follows the room tries: the store ends an entry once.
 */
export class StreamWatch {
  readonly #room: string
  readonly #store: WatchedStore
  /** ms without a renewal after which a stream is ended. */
  readonly #lease: number
  readonly #forgotten: (position: Position) => void
  readonly #after: Delay
  /** By position: offsets of different epochs may be equal. */
  readonly #watched = new Map<Position, Watched>()
  /** Of entries that are watched when others have ended. */
  readonly #waiting = new Set<Position>()
  /** Whether the newest entries were read, or are being read. */
  #hasNewest = false
  #isClosed = false

  /** @param forgotten called with the position of an entry that turns out to be no longer kept: no change of it follows */
  constructor (room: string, store: WatchedStore, lease: number, forgotten: (position: Position) => void, after: Delay = delay) {
    this.#room = room
    this.#store = store
    this.#lease = lease
    this.#forgotten = forgotten
    this.#after = after
  }

  /** Reads a page. Ends the streaming entries in it that are idle: their process may have died long ago. */
  async read (query: Query): Promise<Page> {
    const page = await this.#store.read(this.#room, query)
    const isNewest = (query.after === undefined && query.before === undefined) || !page.complete
    if (isNewest && (query.limit >= ENOUGH || !page.more)) this.#hasNewest = true
    for (const entry of page.entries) this.#wasRead(entry)
    for (const entry of page.changed) this.#wasRead(entry)
    return page
  }

  /** Reads an entry, as `read` does. */
  async get (position: Position): Promise<Entry | undefined> {
    const entry = await this.#store.get(this.#room, position)
    if (entry === undefined) this.#lose(position)
    else this.#wasRead(entry)
    return entry
  }

  /**
   * Reads the newest entries, unless they were read before: a member that resumes doesn't read them. Never rejects.
   * @param read of the room
   */
  async find (turns: ReadTurns, read: (query: Query) => Promise<Page>): Promise<void> {
    if (this.#hasNewest) return
    this.#hasNewest = true
    await turns.wait(NEWEST.limit)
    if (this.#isClosed) return
    try {
      const { entries } = await read(NEWEST)
      turns.release(NEWEST.limit - entries.length)
    } catch {
      // The next member that joins tries again.
      this.#hasNewest = false
    }
  }

  /** Called with what the store delivers. */
  deliver ({ entries, changes }: Pick<FeedPage, 'entries' | 'changes'>): void {
    for (const entry of entries) if (entry.streaming === true) this.#watch(entry.position)
    for (const { position, made, entry } of changes) {
      const isStreaming = made === undefined ? entry.streaming === true : 'append' in made
      if (isStreaming) this.#renew(this.#watched.get(position) ?? this.#watch(position))
      else if (made === undefined || 'end' in made || 'delete' in made) this.#forget(position)
    }
  }

  close (): void {
    this.#isClosed = true
    for (const { cancel } of this.#watched.values()) cancel()
    this.#watched.clear()
    this.#waiting.clear()
  }

  #wasRead ({ position, streaming }: Entry): void {
    if (streaming === true) this.#try(position)
  }

  /** Watches an entry. Ends it at once if it is idle. */
  #try (position: Position): void {
    const watched = this.#watch(position)
    if (watched !== undefined) void this.#end(watched)
  }

  /** Returns undefined for an entry that is watched already, or can't be. */
  #watch (position: Position): Watched | undefined {
    if (this.#isClosed || this.#watched.has(position)) return undefined
    if (this.#watched.size >= MAX_WATCHED) {
      if (this.#waiting.size < MAX_WAITING) this.#waiting.add(position)
      return undefined
    }
    this.#waiting.delete(position)
    const watched: Watched = { position, cancel: () => {} }
    this.#watched.set(position, watched)
    this.#renew(watched)
    return watched
  }

  /** Begins the lease of an entry anew. */
  #renew (watched: Watched | undefined): void {
    if (watched === undefined) return
    watched.cancel()
    watched.cancel = this.#after(this.#lease, () => { void this.#end(watched) })
  }

  #forget (position: Position): void {
    this.#waiting.delete(position)
    const watched = this.#watched.get(position)
    if (watched === undefined) return
    watched.cancel()
    this.#watched.delete(position)
    const [next] = this.#waiting
    if (next !== undefined) this.#try(next)
  }

  /** Called when the entry at a position isn't kept. */
  #lose (position: Position): void {
    this.#forget(position)
    this.#forgotten(position)
  }

  /** Ends an entry if it is idle. Tries again after the lease if it isn't, or if the store fails. */
  async #end (watched: Watched): Promise<void> {
    const { position } = watched
    let isStreaming = true
    try {
      const { again } = await this.#store.amend(this.#room, position, { by: null, idle: this.#lease, change: { end: true, unfinished: true } })
      // It may have ended before it was watched.
      isStreaming = again && (await this.get(position))?.streaming === true
    } catch (error) {
      if (meaningOf(error)?.wireCode === ErrorCode.notKept) return this.#lose(position)
      isStreaming = meaningOf(error)?.kind !== 'refusal'
    }
    if (this.#watched.get(position) !== watched) return
    if (isStreaming) this.#renew(watched)
    else this.#forget(position)
  }
}

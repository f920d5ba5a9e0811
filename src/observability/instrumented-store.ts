import type { FastifyError } from '@fastify/error'
import { meaningOf } from '../error-meaning.ts'
import { diagnostics } from './diagnostics.ts'
import type { Amended, Amendment, ChangeCursor, Control } from '../change.ts'
import type { Appended, Store, Draft, Entry, Feed, FeedPage, Cursor, Page, Position, Query, ReadPosition } from '../store.ts'
import type { Counters } from './stats.ts'

/**
 * Wraps a store. Counts stored messages, changes and errors. Returns the store's own promises. The pieces of a streamed text aren't
 * counted, its end is.
 */
export class InstrumentedStore implements Store {
  readonly #store: Store
  readonly #counters: Counters

  constructor (store: Store, counters: Counters) {
    this.#store = store
    this.#counters = counters
  }

  append (room: string, draft: Draft): Promise<Appended> {
    const { chat, timings } = this.#counters
    const begun = timings === undefined ? 0 : performance.now()
    const stored = this.#append(room, draft)
    stored.then(this.#stored, this.#failed)
    if (timings !== undefined || diagnostics.posted.hasSubscribers) {
      stored.then(({ position, again }) => {
        timings?.appended((performance.now() - begun) / 1_000)
        if (!again) diagnostics.posted.publish({ chat, room, from: draft.from, position })
      }, () => { /* counted by #failed */ })
    }
    return stored
  }

  find (room: string, key: string): Promise<Cursor | undefined> {
    return this.#countErrors(this.#store.find(room, key))
  }

  read (room: string, query: Query): Promise<Page> {
    return this.#countErrors(this.#store.read(room, query))
  }

  follow (room: string, deliver: (page: FeedPage) => void): Promise<Feed> {
    return this.#countErrors(this.#store.follow(room, deliver))
  }

  get (room: string, position: Position, options?: { readonly for?: string | undefined }): Promise<Entry | undefined> {
    return this.#countErrors(this.#store.get(room, position, options))
  }

  amend (room: string, position: Position, amendment: Amendment): Promise<Amended> {
    const stored = this.#countErrors(this.#store.amend(room, position, amendment))
    if (!('append' in amendment.change)) stored.then(({ again }) => { if (!again) this.#counters.changes++ }, () => { /* counted as an error */ })
    return stored
  }

  control (room: string, control: Control): Promise<ChangeCursor> {
    return this.#countErrors(this.#store.control(room, control))
  }

  findChange (room: string, key: string): Promise<ChangeCursor | undefined> {
    return this.#countErrors(this.#store.findChange(room, key))
  }

  markRead (memberId: string, positions: readonly ReadPosition[]): Promise<void> {
    return this.#countErrors(this.#store.markRead(memberId, positions))
  }

  readPositions (memberId: string, room?: string): Promise<readonly ReadPosition[]> {
    return this.#countErrors(this.#store.readPositions(memberId, room))
  }

  forgetRead (memberId: string, room: string, upTo?: Omit<ReadPosition, 'room'>): Promise<void> {
    return this.#countErrors(this.#store.forgetRead(memberId, room, upTo))
  }

  rooms (): AsyncIterable<readonly string[]> { return this.#store.rooms() }

  clear (room: string): Promise<void> {
    return this.#countErrors(this.#store.clear(room))
  }

  /** Errors aren't counted: health checks call it repeatedly, and report the error. */
  check (): Promise<void> { return this.#store.check() }

  close (): Promise<void> { return this.#store.close() }

  /** Converts a synchronous throw into a rejection. A store must not throw. */
  #append (room: string, draft: Draft): Promise<Appended> {
    try {
      return this.#store.append(room, draft)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #countErrors<T> (result: Promise<T>): Promise<T> {
    result.catch(this.#failed)
    return result
  }

  /** One function for all posts, which saves the allocation of a closure for each post. */
  readonly #stored = ({ again }: { readonly again: boolean }) => { if (!again) this.#counters.posts++ }

  readonly #failed = (error: unknown) => {
    const kind = meaningOf(error)?.kind
    if (kind === 'failure') this.#counters.storeErrors.add((error as FastifyError).code)
    else if (kind === undefined) this.#counters.storeErrors.add('other')
  }
}

import { diagnostics } from './diagnostics.ts'
import type { ChatStore, Draft, Feed, Cursor, Page, Position, Query } from '../store.ts'
import type { Counters } from './stats.ts'

/** What a store fails with. A post that is stale or reuses an id is no failure: it is refused. */
const failures: ReadonlySet<unknown> = new Set([
  'FST_CHAT_BUSY', 'FST_CHAT_UNAVAILABLE', 'FST_CHAT_UNKNOWN', 'FST_CHAT_STORE_CLOSED', 'FST_CHAT_STORE_DAMAGED'
])
const refusals: ReadonlySet<unknown> = new Set(['FST_CHAT_STALE', 'FST_CHAT_REUSED'])

/** A store, and a count of what it stored and how it failed. Its promises are given on as they are. */
export class InstrumentedStore implements ChatStore {
  readonly #store: ChatStore
  readonly #tally: Counters

  constructor (store: ChatStore, tally: Counters) {
    this.#store = store
    this.#tally = tally
  }

  append (room: string, draft: Draft): Promise<Cursor & { readonly again: boolean }> {
    const { chat, timings } = this.#tally
    const begun = timings === undefined ? 0 : performance.now()
    const stored = this.#store.append(room, draft)
    stored.then(this.#stored, this.#failed)
    if (timings !== undefined || diagnostics.posted.hasSubscribers) {
      stored.then(({ position, again }) => {
        timings?.appended((performance.now() - begun) / 1_000)
        if (!again) diagnostics.posted.publish({ chat, room, from: draft.from, position })
      }, () => { /* counted */ })
    }
    return stored
  }

  find (room: string, key: string): Promise<Cursor | undefined> {
    return this.#watched(this.#store.find(room, key))
  }

  read (room: string, query: Query): Promise<Page> {
    return this.#watched(this.#store.read(room, query))
  }

  follow (room: string, deliver: (page: Page) => void): Promise<Feed> {
    return this.#watched(this.#store.follow(room, deliver))
  }

  erase (room: string, position: Position): Promise<void> {
    return this.#watched(this.#store.erase(room, position))
  }

  clear (room: string): Promise<void> {
    return this.#watched(this.#store.clear(room))
  }

  /** Not counted: whoever asks is told, and asks again and again. */
  check (): Promise<void> { return this.#store.check() }

  close (): Promise<void> { return this.#store.close() }

  #watched<T> (asked: Promise<T>): Promise<T> {
    asked.catch(this.#failed)
    return asked
  }

  /** One for all posts: a closure for each would be one of a dozen things made for it. */
  readonly #stored = ({ again }: { readonly again: boolean }) => { if (!again) this.#tally.posts++ }

  readonly #failed = (error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (!refusals.has(code)) this.#tally.storeErrors.add(failures.has(code) ? String(code) : 'other')
  }
}

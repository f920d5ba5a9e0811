import { inspect } from 'node:util'
import type { Cursor, Entry, Page } from 'fastify-chat'

/** `skip`: number of waiting events that are older than the follower. */
interface Follower { readonly deliver: (page: Page) => void, skip: number }

/** The followers of a room, and the events that wait for the next delivery: new entries, and heads after a break. */
export class RoomFollowers {
  readonly #followers = new Set<Follower>()
  #events: Array<Entry | Cursor> = []

  get size (): number { return this.#followers.size }

  /** Adds a follower of the events from now on. Returns an unsubscribe function. */
  add (deliver: (page: Page) => void): () => void {
    const follower = { deliver, skip: this.#events.length }
    this.#followers.add(follower)
    return () => { this.#followers.delete(follower) }
  }

  clear (): void { this.#followers.clear() }

  push (event: Entry | Cursor): void { this.#events.push(event) }

  /** Discards the waiting events. */
  discard (): void { this.#events = [] }

  deliver (): void {
    const events = this.#events
    this.#events = []
    for (const follower of [...this.#followers]) {
      const pages = pagesOf(events.slice(follower.skip))
      follower.skip = 0
      for (const page of pages) {
        if (!this.#followers.has(follower)) break
        try {
          follower.deliver(page)
        } catch (error) {
          process.emitWarning(error instanceof Error ? error : inspect(error))
        }
      }
    }
  }
}

/** Returns a page for each run of entries, and a page for each break. */
function pagesOf (events: ReadonlyArray<Entry | Cursor>): Page[] {
  const pages: Page[] = []
  let entries: Entry[] = []
  for (const event of events) {
    const head = { offset: event.offset, position: event.position }
    if ('body' in event) {
      if (entries.length > 0) pages.pop()
      entries.push(event)
      pages.push({ entries, complete: true, more: false, head })
    } else {
      entries = []
      pages.push({ entries: [], complete: false, more: false, head })
    }
  }
  return pages
}

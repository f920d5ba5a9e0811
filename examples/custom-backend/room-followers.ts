import { inspect } from 'node:util'
import type { Changed, Controlled, Entry, FeedPage, Head } from 'fastify-chat'

/** An entry, a change, a control or, with none of them, a break; and the head of the room after it. */
export interface FeedEvent { readonly entry?: Entry, readonly changed?: Changed, readonly controlled?: Controlled, readonly head: Head }

/** `skip`: number of waiting events that are older than the follower. */
interface Follower { readonly deliver: (page: FeedPage) => void, skip: number }

/** The followers of a room, and the events that wait for the next delivery. */
export class RoomFollowers {
  readonly #followers = new Set<Follower>()
  #events: FeedEvent[] = []

  get size (): number { return this.#followers.size }

  /** Adds a follower of the events from now on. Returns an unsubscribe function. */
  add (deliver: (page: FeedPage) => void): () => void {
    const follower = { deliver, skip: this.#events.length }
    this.#followers.add(follower)
    return () => { this.#followers.delete(follower) }
  }

  clear (): void { this.#followers.clear() }

  push (event: FeedEvent): void { this.#events.push(event) }

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

/** Returns a page for each run of events, and a page for each break. The controls of a run come before its entries and changes. */
function pagesOf (events: readonly FeedEvent[]): FeedPage[] {
  const pages: FeedPage[] = []
  let entries: Entry[] = []
  let changes: Changed[] = []
  let controls: Controlled[] = []
  for (const { entry, changed, controlled, head } of events) {
    if (entry === undefined && changed === undefined && controlled === undefined) {
      pages.push({ entries: [], changes: [], complete: false, head })
      entries = []
      changes = []
      controls = []
      continue
    }
    if (entries.length + changes.length + controls.length > 0) pages.pop()
    if (entry !== undefined) entries.push(entry)
    if (changed !== undefined) changes.push(changed)
    if (controlled !== undefined) controls.push(controlled)
    pages.push({ ...controls.length > 0 && { controls }, entries, changes, complete: true, head })
  }
  return pages
}

import { inspect } from 'node:util'
import { FeedChain } from './feed-chain.ts'
import { parseBatch, type Batch } from './published-batch.ts'
import type { RoomHead, StreamPage } from './stream-page.ts'
import type { Changed, Head } from '../../../change.ts'
import type { Entry, FeedPage } from '../../../store.ts'

/** undelivered: pages that are delivered at the end of the tick. */
interface Follower { readonly deliver: (page: FeedPage) => void, undelivered: FeedPage[] }

/** Published batches, and their bytes, that a feed buffers while it catches up. It reads further ones again. */
const [MAX_BATCHES, MAX_BUFFERED_BYTES] = [100, 256 * 1024]

/** One room as this process follows it. Delivers entries and changes in order; a gap is delivered as an incomplete page. */
export class RoomFeed {
  readonly #read: (after: RoomHead | undefined) => Promise<StreamPage>
  readonly #published: () => Promise<void>
  readonly #deliverSoon: (feed: RoomFeed) => void
  readonly #followers = new Set<Follower>()
  /** Entries and changes that were delivered or wait for delivery. */
  readonly #chain = new FeedChain((page) => this.#push(page))
  /**
   * Batches received while the feed catches up. A message that can't be parsed is undefined. complete: false after the
   * buffer overflowed.
   */
  #buffered: { batches: Array<Batch | undefined>, bytes: number, complete: boolean } | undefined
  #catchingUp: Promise<void> | undefined
  /** Whether pages wait for `deliver`. */
  #isWaiting = false

  /**
   * @param read resolves with the next entries and changes after a head; without one, with the head of the room
   * @param published resolves when the messages published before the call have been received, except for lost ones
   * @param deliverSoon schedules a call of `deliver` in a later tick; not called again until then
   */
  constructor (
    read: (after: RoomHead | undefined) => Promise<StreamPage>, published: () => Promise<void>, deliverSoon: (feed: RoomFeed) => void
  ) {
    this.#read = read
    this.#published = published
    this.#deliverSoon = deliverSoon
  }

  /** Head of the room; defined only after `catchUp`. */
  get head (): Head { return this.#chain.head }

  /** Adds a follower, which receives pages from the head on. Returns a function that removes it. */
  add (deliver: (page: FeedPage) => void): () => void {
    const follower: Follower = { deliver, undelivered: [] }
    this.#followers.add(follower)
    return () => {
      this.#followers.delete(follower)
      follower.undelivered = []
    }
  }

  /** Takes a message of the room's channel. */
  receive (message: Buffer): void {
    const buffered = this.#buffered
    if (buffered === undefined) {
      // The first read, which follows the subscription, covers it.
      if (this.#chain.last === undefined) return
      if (!this.#chain.take(parseBatch(message))) this.catchUp().catch(() => {})
      return
    }
    buffered.bytes += message.length
    buffered.complete &&= buffered.batches.length < MAX_BATCHES && buffered.bytes <= MAX_BUFFERED_BYTES
    if (buffered.complete) buffered.batches.push(parseBatch(message))
  }

  /** Catches up if a poll found another head than that of the feed. */
  compareHead (head: RoomHead | undefined): void {
    if (this.#buffered === undefined && !this.#chain.isAt(head)) this.catchUp().catch(() => {})
  }

  /** Reads from the last position on. Resolves when all entries and changes acknowledged before the call are read. */
  async catchUp (): Promise<void> {
    const before = this.#catchingUp
    const reading = (async () => {
      if (before !== undefined) await before.catch(() => {})
      await this.#readOn()
    })()
    this.#catchingUp = reading
    try {
      await reading
    } finally {
      if (this.#catchingUp === reading) this.#catchingUp = undefined
    }
  }

  /** Delivers the waiting pages to the followers. */
  deliver (): void {
    this.#isWaiting = false
    for (const follower of this.#followers) {
      const pages = follower.undelivered
      follower.undelivered = []
      for (const page of joined(pages)) {
        if (!this.#followers.has(follower)) break
        try {
          follower.deliver(page)
        } catch (error) {
          process.emitWarning(error instanceof Error ? error : inspect(error))
        }
      }
    }
  }

  async #readOn (): Promise<void> {
    const buffered = this.#buffered ??= { batches: [], bytes: 0, complete: true }
    try {
      for (let more = true; more;) {
        const after = this.#chain.last
        const page = await this.#read(after)
        // The changes of the page were published too, with the member who made each. They may arrive later, on the other connection.
        if (after !== undefined && !this.#chain.isAt(page.head)) await this.#published()
        buffered.batches = buffered.batches.filter((batch) => !this.#chain.take(batch))
        more = this.#chain.takePage(page, after)
      }
    } finally {
      this.#buffered = undefined
      const lost = buffered.batches.filter((batch) => !this.#chain.take(batch))
      if (lost.length > 0 || !buffered.complete) this.catchUp().catch(() => {})
    }
  }

  #push (page: FeedPage): void {
    if (this.#followers.size === 0) return
    for (const { undelivered } of this.#followers) undelivered.push(page)
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#deliverSoon(this)
  }
}

/** Joins consecutive complete pages into one. Incomplete pages stay separate. Controls stay after what was stored before them. */
function joined (pages: readonly FeedPage[]): readonly FeedPage[] {
  if (pages.length < 2) return pages
  const all: Array<Omit<FeedPage, 'head'> & { head: Head, readonly entries: Entry[], readonly changes: Changed[] }> = []
  for (const page of pages) {
    const last = all.at(-1)
    if (last?.complete === true && page.complete && page.controls === undefined) {
      last.entries.push(...page.entries)
      last.changes.push(...page.changes)
      last.head = page.head
    } else {
      all.push({ ...page, entries: [...page.entries], changes: [...page.changes] })
    }
  }
  return all
}

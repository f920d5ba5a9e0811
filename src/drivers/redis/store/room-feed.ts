import { inspect } from 'node:util'
import { parseBatch, type PublishedBatch } from './published-batch.ts'
import { headOf } from './record.ts'
import type { StreamPage } from './room-scripts.ts'
import type { PositionParts } from '../../position.ts'
import type { Changed, Head } from '../../../change.ts'
import type { Entry, FeedPage } from '../../../store.ts'

/** undelivered: pages that are delivered at the end of the tick. */
interface Follower { readonly deliver: (page: FeedPage) => void, undelivered: FeedPage[] }

/** Published batches, and their bytes, that a feed buffers while it catches up. It reads further ones again. */
const [MAX_BATCHES, MAX_BUFFERED_BYTES] = [100, 256 * 1024]

const NONE: Changed[] = []

/** One room as this process follows it. Delivers entries in order; a gap is delivered as an incomplete page. */
export class RoomFeed {
  readonly #read: (after: PositionParts | undefined) => Promise<StreamPage>
  readonly #deliverSoon: (feed: RoomFeed) => void
  readonly #followers = new Set<Follower>()
  /** Position up to which entries were delivered or wait for delivery; undefined before the first read. */
  #last: PositionParts | undefined
  /**
   * Batches received while the feed catches up. A message that can't be parsed is undefined. complete: false after the
   * buffer overflowed.
   */
  #buffered: { readonly batches: Array<PublishedBatch | undefined>, bytes: number, complete: boolean } | undefined
  #catchingUp: Promise<void> | undefined
  /** Whether pages wait for `deliver`. */
  #isWaiting = false

  /**
   * @param read resolves with the next entries after a position; without one, with the head of the room
   * @param deliverSoon schedules a call of `deliver` in a later tick; not called again until then
   */
  constructor (read: (after: PositionParts | undefined) => Promise<StreamPage>, deliverSoon: (feed: RoomFeed) => void) {
    this.#read = read
    this.#deliverSoon = deliverSoon
  }

  /** Head of the room; defined only after `catchUp`. */
  get head (): Head { return headOf(this.#last!) }

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
      if (this.#last === undefined) return
      if (!this.#takeBatch(parseBatch(message))) this.catchUp().catch(() => {})
      return
    }
    buffered.bytes += message.length
    buffered.complete &&= buffered.batches.length < MAX_BATCHES && buffered.bytes <= MAX_BUFFERED_BYTES
    if (buffered.complete) buffered.batches.push(parseBatch(message))
  }

  /** Catches up if a poll found another head than that of the feed. */
  compareHead (head: PositionParts | undefined): void {
    if (this.#buffered === undefined && !isSame(head, this.#last)) this.catchUp().catch(() => {})
  }

  /** Reads from the last position on. Resolves when all entries acknowledged before the call are read. */
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
      for (let more = true; more;) more = this.#takePage(await this.#read(this.#last))
    } finally {
      this.#buffered = undefined
      const lost = buffered.batches.filter((batch) => !this.#takeBatch(batch))
      if (lost.length > 0 || !buffered.complete) this.catchUp().catch(() => {})
    }
  }

  /** Takes a page that was read. Returns whether to read on. */
  #takePage ({ entries, complete, more, head, beginning }: StreamPage): boolean {
    if (this.#last === undefined) {
      this.#last = head
    } else if (complete) {
      const last = entries.at(-1)
      if (last === undefined) return false
      this.#last = { epoch: head.epoch, at: last.at, offset: last.offset }
      this.#push({ entries, changes: NONE, complete: true, head: headOf(this.#last) })
      return more
    } else {
      // A new epoch is read from its beginning, if that is still stored. Otherwise the feed continues from the head.
      const continues = isSame(this.#last, beginning) || this.#last.epoch === head.epoch
      this.#last = continues ? head : beginning
      this.#push({ entries: [], changes: NONE, complete: false, head: headOf(this.#last) })
      return !continues
    }
    return false
  }

  /** Takes a published batch. Returns whether it follows the last position, or was delivered already. */
  #takeBatch (batch: PublishedBatch | undefined): boolean {
    if (batch === undefined) return false
    const { before, at, entries } = batch
    const last = this.#last
    if (last === undefined || before.epoch !== last.epoch) return false
    if (!isSame(before, last)) return before.offset + entries.length <= last.offset && at <= last.at
    this.#last = { epoch: before.epoch, at, offset: before.offset + entries.length }
    this.#push({ entries, changes: NONE, complete: true, head: headOf(this.#last) })
    return true
  }

  #push (page: FeedPage): void {
    if (this.#followers.size === 0) return
    for (const { undelivered } of this.#followers) undelivered.push(page)
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#deliverSoon(this)
  }
}

/** Joins consecutive complete pages into one. Incomplete pages stay separate. */
function joined (pages: readonly FeedPage[]): readonly FeedPage[] {
  if (pages.length < 2) return pages
  const all: FeedPage[] = []
  let entries: Entry[] = []
  for (const [i, page] of pages.entries()) {
    if (page.complete && pages[i + 1]?.complete === true) {
      entries.push(...page.entries)
    } else {
      all.push(entries.length === 0 ? page : { ...page, entries: [...entries, ...page.entries] })
      entries = []
    }
  }
  return all
}

function isSame (one: PositionParts | undefined, other: PositionParts | undefined): boolean {
  return one !== undefined && other !== undefined && one.offset === other.offset && one.at === other.at && one.epoch === other.epoch
}

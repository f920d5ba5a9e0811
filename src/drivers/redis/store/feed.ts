import { inspect } from 'node:util'
import { entryOf, markOf, placeOf, type Content, type Place } from './record.ts'
import type { Entry, Cursor, Page } from '../../../store.ts'

/** Result of one read while a feed catches up. born: beginning of the room's current epoch. */
export interface Stretch {
  readonly entries: readonly Entry[]
  readonly complete: boolean
  readonly more: boolean
  readonly head: Place
  readonly born: Place
}

/** A published batch: the head before it, its time, and its entries. */
interface PublishedBatch { readonly before: Place, readonly at: number, readonly entries: readonly Entry[] }

/** undelivered: pages that are delivered at the end of the tick. */
interface Follower { readonly deliver: (page: Page) => void, undelivered: Page[] }

/** Published batches, and their bytes, that a feed buffers while it catches up. It reads further ones again. */
const [MAX_BATCHES, MAX_BUFFERED_BYTES] = [100, 256 * 1024]

/** One room as this process follows it. Delivers entries in order; a gap is delivered as an incomplete page. */
export class RedisFeed {
  readonly #read: (after: Place | undefined) => Promise<Stretch>
  readonly #deliverSoon: (feed: RedisFeed) => void
  readonly #followers = new Set<Follower>()
  /** Last position given to the followers; undefined before the first read. */
  #last: Place | undefined
  /** Batches received while the feed catches up; complete: false after the buffer overflowed. */
  #buffered: { readonly messages: Array<PublishedBatch | undefined>, bytes: number, complete: boolean } | undefined
  #catchingUp: Promise<void> | undefined

  /**
   * @param read resolves with the next entries after a position; without one, with the head of the room
   * @param deliverSoon schedules a call of `deliver` in a later tick
   */
  constructor (read: (after: Place | undefined) => Promise<Stretch>, deliverSoon: (feed: RedisFeed) => void) {
    this.#read = read
    this.#deliverSoon = deliverSoon
  }

  get size (): number { return this.#followers.size }

  /** Head of the room; defined only after `catchUp`. */
  get head (): Cursor { return markOf(this.#last!) }

  /** Adds a follower, which receives pages from the head on. Returns a function that removes it. */
  add (deliver: (page: Page) => void): () => void {
    const follower: Follower = { deliver, undelivered: [] }
    this.#followers.add(follower)
    return () => {
      this.#followers.delete(follower)
      follower.undelivered = []
    }
  }

  hear (text: Buffer): void {
    const buffered = this.#buffered
    if (buffered === undefined) {
      if (!this.#takeBatch(parse(text))) this.catchUp().catch(() => {})
      return
    }
    buffered.bytes += text.length
    buffered.complete &&= buffered.messages.length < MAX_BATCHES && buffered.bytes <= MAX_BUFFERED_BYTES
    if (buffered.complete) buffered.messages.push(parse(text))
  }

  /** Called with the head that a poll found. Catches up if the feed has another one. */
  see (place: Place | undefined): void {
    if (this.#buffered === undefined && !isSame(place, this.#last)) this.catchUp().catch(() => {})
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

  deliver (): void {
    for (const follower of [...this.#followers]) {
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
    const buffered = this.#buffered ??= { messages: [], bytes: 0, complete: true }
    try {
      for (let more = true; more;) more = this.#takePage(await this.#read(this.#last))
    } finally {
      this.#buffered = undefined
      const lost = buffered.messages.filter((message) => !this.#takeBatch(message))
      if (lost.length > 0 || !buffered.complete) this.catchUp().catch(() => {})
    }
  }

  /** Takes a page that was read. Returns whether to read on. */
  #takePage ({ entries, complete, more, head, born }: Stretch): boolean {
    if (this.#last === undefined) {
      this.#last = head
    } else if (complete) {
      const last = entries.at(-1)
      if (last === undefined) return false
      this.#last = { tag: head.tag, at: last.at, n: last.offset }
      this.#push({ entries, complete: true, more: false, head: last })
      return more
    } else {
      // A new epoch is read from its beginning, if that is still stored. Otherwise the feed continues from the head.
      const known = isSame(this.#last, born) || this.#last.tag === head.tag
      this.#last = known ? head : born
      this.#push({ entries: [], complete: false, more: false, head: markOf(this.#last) })
      return !known
    }
    return false
  }

  /** Takes a published batch. Returns whether it follows the last position, or was delivered already. */
  #takeBatch (message: PublishedBatch | undefined): boolean {
    if (message === undefined) return false
    const { before, at, entries } = message
    const last = this.#last
    if (last === undefined || before.tag !== last.tag) return false
    if (!isSame(before, last)) return before.n + entries.length <= last.n && at <= last.at
    this.#last = { tag: before.tag, at, n: before.n + entries.length }
    this.#push({ entries, complete: true, more: false, head: markOf(this.#last) })
    return true
  }

  #push (page: Page): void {
    if (this.#followers.size === 0) return
    for (const { undelivered } of this.#followers) undelivered.push(page)
    this.#deliverSoon(this)
  }
}

/** Joins consecutive complete pages into one. Yields incomplete pages separately. */
function * joined (pages: readonly Page[]): Iterable<Page> {
  let entries: Entry[] = []
  for (const [i, page] of pages.entries()) {
    if (page.complete && pages[i + 1]?.complete === true) {
      entries.push(...page.entries)
    } else {
      yield entries.length === 0 ? page : { ...page, entries: [...entries, ...page.entries] }
      entries = []
    }
  }
}

/** Parses `<epoch>-<time>-<offset>-<time of the batch>[<content>,…]`. Returns undefined for any other message. */
function parse (text: Buffer): PublishedBatch | undefined {
  const start = text.indexOf('[')
  const [, position = '', time = ''] = /^(.*)-(\d+)$/.exec(text.toString('latin1', 0, start)) ?? []
  const before = placeOf(position)
  if (before === undefined) return undefined
  const { tag, n } = before
  const at = Number(time)
  try {
    const contents = JSON.parse(text.toString('utf8', start)) as Content[]
    return { before, at, entries: contents.map((content, i) => entryOf(content, { tag, at, n: n + i + 1 })) }
  } catch {
    return undefined
  }
}

function isSame (one: Place | undefined, other: Place | undefined): boolean {
  return one !== undefined && other !== undefined && one.n === other.n && one.at === other.at && one.tag === other.tag
}

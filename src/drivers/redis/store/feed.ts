import { inspect } from 'node:util'
import { entryOf, markOf, placeOf, type Content, type Place } from './record.ts'
import type { Entry, Cursor, Page } from '../../../store.ts'

/** What a feed reads to catch up: born is where the room's present life began. */
export interface Stretch {
  readonly entries: readonly Entry[]
  readonly complete: boolean
  readonly more: boolean
  readonly head: Place
  readonly born: Place
}

/** A batch as published: what it follows on, its time, and its entries. */
interface Message { readonly before: Place, readonly at: number, readonly entries: readonly Entry[] }

/** undelivered: pages to be given at the end of the turn. */
interface Follower { readonly deliver: (page: Page) => void, undelivered: Page[] }

/** Messages, and bytes of them, kept while it catches up; more are read again. */
const [KEPT, KEPT_BYTES] = [100, 256 * 1024]

/** One room as this process follows it: in order, without holes, or saying so. */
export class RedisFeed {
  readonly #read: (after: Place | undefined) => Promise<Stretch>
  readonly #deliverSoon: (feed: RedisFeed) => void
  readonly #followers = new Set<Follower>()
  /** The last given to the followers; undefined before the first reading. */
  #last: Place | undefined
  /** Heard while it catches up; `complete` until there were too many. */
  #heard: { readonly messages: Array<Message | undefined>, bytes: number, complete: boolean } | undefined
  #catchingUp: Promise<void> | undefined

  /**
   * @param read the next entries after a place; without one, where the room is
   * @param deliverSoon asks for `deliver` to be called, in a turn of its own
   */
  constructor (read: (after: Place | undefined) => Promise<Stretch>, deliverSoon: (feed: RedisFeed) => void) {
    this.#read = read
    this.#deliverSoon = deliverSoon
  }

  get size (): number { return this.#followers.size }

  /** After catching up only. */
  get head (): Cursor { return markOf(this.#last!) }

  /** Gets what comes after the head. */
  add (deliver: (page: Page) => void): () => void {
    const follower: Follower = { deliver, undelivered: [] }
    this.#followers.add(follower)
    return () => {
      this.#followers.delete(follower)
      follower.undelivered = []
    }
  }

  hear (text: Buffer): void {
    const heard = this.#heard
    if (heard === undefined) {
      if (!this.#take(parse(text))) this.catchUp().catch(() => {})
      return
    }
    heard.bytes += text.length
    heard.complete &&= heard.messages.length < KEPT && heard.bytes <= KEPT_BYTES
    if (heard.complete) heard.messages.push(parse(text))
  }

  /** The room is there, as a look at it showed. */
  see (place: Place | undefined): void {
    if (this.#heard === undefined && !same(place, this.#last)) this.catchUp().catch(() => {})
  }

  /** Reads on from where it is, to no less than what was acknowledged before the call. */
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
    const heard = this.#heard ??= { messages: [], bytes: 0, complete: true }
    try {
      for (let more = true; more;) more = this.#followOn(await this.#read(this.#last))
    } finally {
      this.#heard = undefined
      const lost = heard.messages.filter((message) => !this.#take(message))
      if (lost.length > 0 || !heard.complete) this.catchUp().catch(() => {})
    }
  }

  /** @returns whether to read on */
  #followOn ({ entries, complete, more, head, born }: Stretch): boolean {
    if (this.#last === undefined) {
      this.#last = head
    } else if (complete) {
      const last = entries.at(-1)
      if (last === undefined) return false
      this.#last = { tag: head.tag, at: last.at, n: last.n }
      this.#push({ entries, complete: true, more: false, head: last })
      return more
    } else {
      // All of a new life, if it is still kept; else from here.
      const known = same(this.#last, born) || this.#last.tag === head.tag
      this.#last = known ? head : born
      this.#push({ entries: [], complete: false, more: false, head: markOf(this.#last) })
      return !known
    }
    return false
  }

  /** @returns whether it follows on, or was given already */
  #take (message: Message | undefined): boolean {
    if (message === undefined) return false
    const { before, at, entries } = message
    const last = this.#last
    if (last === undefined || before.tag !== last.tag) return false
    if (!same(before, last)) return before.n + entries.length <= last.n && at <= last.at
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

/** Entries of one turn go out as one page; what isn't vouched for stands by itself. */
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

/** `<tag>-<at>-<n>-<at>[<content>,…]`: the place it follows on, its own time, its entries. undefined for a stranger's. */
function parse (text: Buffer): Message | undefined {
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

function same (one: Place | undefined, other: Place | undefined): boolean {
  return one !== undefined && other !== undefined && one.n === other.n && one.at === other.at && one.tag === other.tag
}

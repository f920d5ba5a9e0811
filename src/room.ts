import { Outbox, type Seat } from './outbox.ts'
import type { ChatStore, Entry, Feed, Page } from './store/store.ts'

/** Entries delivered while a join is reading that are kept for it, at most. */
const RING = 16_384

/** What a member is given when it joins: `entries` of the store's newest, and the number it is level with. */
export interface History { readonly limit: number, readonly maxBytes: number }

/** One room on this node: what its store delivers goes to the members here. */
export class Room {
  readonly name: string
  readonly #store: ChatStore
  readonly #outbox = new Outbox()
  #ring: Entry[] = []
  #joining = 0
  /** Counts how often the store could not vouch for what came before: numbers of two lives don't compare. */
  #life = 0
  #feed: Feed | undefined

  private constructor (name: string, store: ChatStore) {
    this.name = name
    this.#store = store
  }

  /** Resolves when the store delivers; rejects as `store.follow` does. */
  static async open (name: string, store: ChatStore): Promise<Room> {
    const room = new Room(name, store)
    room.#feed = await store.follow(name, (page) => room.#deliver(page))
    return room
  }

  get size (): number { return this.#outbox.size }

  /**
   * Gives a member the newest entries, then every later one, with nothing between lost or doubled.
   */
  async join (seat: Seat, history: History): Promise<void> {
    this.#joining++
    try {
      await this.#join(seat, history)
    } finally {
      if (--this.#joining === 0) this.#ring = []
    }
  }

  async #join (seat: Seat, history: History): Promise<void> {
    let page: Page
    let life: number
    do {
      life = this.#life
      page = await this.#store.read(this.name, history)
    } while (seat.connection.open && (life !== this.#life || !this.#reachesBackTo(page.head.n)))

    // From here to the end is one synchronous step: nothing can be delivered between.
    if (!seat.connection.open) return
    const between = this.#ring.filter(({ n }) => n > page.head.n && n < this.#outbox.next)
    seat.mark = between.at(-1)?.n ?? page.head.n
    const frames = [...page.entries, ...between].map(seat.format)
    if (frames.length > 0) seat.connection.write(Buffer.concat(frames), frames.length)
    this.#outbox.add(seat)
  }

  leave (seat: Seat): void { this.#outbox.delete(seat) }

  flush (): void { this.#outbox.flush() }

  close (): void { this.#feed?.stop() }

  #deliver (page: Page): void {
    if (!page.complete) {
      this.#life++
      this.#ring = []
      this.#outbox.restart(page.head.n)
    }
    if (this.#joining > 0) for (const entry of page.entries) this.#ring.push(entry)
    if (this.#ring.length > RING * 2) this.#ring = this.#ring.slice(-RING)
    this.#outbox.push(page.entries)
  }

  /** What was read is never older than what had been delivered when the read began, where the ring begins too. */
  #reachesBackTo (n: number): boolean {
    const oldest = this.#ring[0]
    return oldest === undefined || oldest.n <= n + 1
  }
}

import { frame, frames, type Payload } from '../connection/frame.ts'
import { difference } from './presence-diff.ts'
import { FanOut, type Waiting } from './fan-out.ts'
import { CloseCode } from '../protocol.ts'
import { Ring, type Rings } from './ring.ts'
import type { Presence, Roster } from '../roster.ts'
import { acknowledgeAll, takeAcks, type Membership } from './membership.ts'
import type { ChatStore, Entry, Page, Position } from '../store.ts'
import type { Counters } from '../observability/stats.ts'

/** A member that is far behind is given pages of this size, each when the one before has left. */
const PAGE = { limit: 1_000, maxBytes: 64 * 1024 }

/** The newest entries that members are given when their view no longer holds. */
const RESTART = { limit: 50, maxBytes: PAGE.maxBytes }

/** What a member is to be given when it joins. */
export interface JoinQuery {
  /** the newest entries, at most so many and so large */
  readonly limit: number
  readonly maxBytes: number
  /** or all after this place, where the store can vouch for them */
  readonly after?: Position | undefined
}

export interface RoomContext {
  readonly store: ChatStore
  readonly roster: Roster
  /** ms that a batch may gather */
  readonly flushInterval: number
  /** in the outboxes of all rooms */
  readonly waiting: Waiting
  readonly rings: Rings
  readonly tally: Counters
}

/** One room on this node: what its store delivers goes to the members here. */
export class Room {
  readonly name: string
  readonly #store: ChatStore
  readonly #tally: Counters
  readonly #outbox: FanOut
  readonly #listeners = new Set<(entry: Entry) => void>()
  #presence: Presence = { members: [], count: 0, stale: false }
  readonly #ring: Ring
  #readers = 0
  /** Counts how often the store could not vouch for what came before: numbers of two lives don't compare. */
  #epoch = 0
  /** Members that are not level yet. */
  readonly #joining = new Set<Membership>()
  /** Members that are being told that their view no longer holds. */
  readonly #adrift = new Set<Membership>()
  #stop: Array<() => void> = []

  private constructor (name: string, { store, flushInterval, waiting, rings, tally }: RoomContext) {
    this.name = name
    this.#store = store
    this.#ring = new Ring(rings)
    this.#tally = tally
    this.#outbox = new FanOut(name, flushInterval, waiting, tally)
  }

  /** Resolves when store and roster deliver; rejects as they do. */
  static async open (name: string, context: RoomContext): Promise<Room> {
    const room = new Room(name, context)
    const { store, roster } = context
    const feed = await store.follow(name, (page) => room.#deliver(page))
    room.#stop.push(() => feed.stop())
    try {
      room.#stop.push(await roster.watch(name, (now) => room.#see(now)))
      room.#stop.push(await roster.listen(name, ({ typing }) => room.#outbox.announce({ typing })))
    } catch (error) {
      room.close()
      throw error
    }
    return room
  }

  get presence (): Presence { return this.#presence }

  /** The address of a member who is level; undefined for none. */
  get address (): string | undefined {
    const [seat] = this.#outbox.memberships
    return seat?.connection.address.name
  }

  /**
   * Tells the member that it joined, gives it what it missed, then every later entry, with nothing between lost or
   * doubled. A member that is far behind is attached when it is level.
   * @param told called when the member was told that it joined
   */
  async join (seat: Membership, { after, ...newest }: JoinQuery, told: () => void): Promise<void> {
    let place = after
    let joined = false
    this.#joining.add(seat)
    for (let level = false; !level && this.#awaits(seat); await seat.connection.drained()) {
      level = await this.#reading(async () => {
        const life = this.#epoch
        let page = await this.#store.read(this.name, place === undefined ? newest : { after: place, ...PAGE })
        const resumed = place !== undefined && page.complete
        if (!page.complete) page = { ...await this.#store.read(this.name, newest), complete: false }
        if (!this.#awaits(seat) || life !== this.#epoch) return false
        seat.epoch = life
        const isLevel = !(resumed && page.more) && this.#ring.reachesBackTo(page.head.n)
        const payloads = joined && resumed ? this.#encode(seat, page.entries) : this.#joined(seat, page)
        const end = resumed && page.more ? page.entries.at(-1)! : page.head
        if (isLevel) this.#attach(seat, page, payloads)
        else this.#give(seat, payloads, end.n, page.entries.length)
        place = end.position
        joined = true
        told()
        return isLevel
      })
    }
    this.#joining.delete(seat)
  }

  leave (seat: Membership): void {
    this.#outbox.delete(seat)
    this.#adrift.delete(seat)
    this.#joining.delete(seat)
    acknowledgeAll(seat)
  }

  /** Calls the listener with each entry from now on; gives how to stop, which gives whether it had not been stopped. */
  subscribe (listener: (entry: Entry) => void): () => boolean {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  flush (): void { this.#outbox.flush() }

  close (): void {
    for (const stop of this.#stop) stop()
  }

  #deliver (page: Page): void {
    if (!page.complete) {
      this.#restart().catch(() => { /* told to the members, each by its close code */ })
      return
    }
    if (this.#readers > 0) this.#ring.push(page.entries)
    this.#outbox.push(page.entries)
    for (const entry of page.entries) {
      for (const listener of this.#listeners) listener(entry)
    }
  }

  /** What came before can't be vouched for any more: every member throws its view away and is given the newest. */
  async #restart (): Promise<void> {
    const life = ++this.#epoch
    this.#ring.clear()
    this.#outbox.flush()
    for (const seat of this.#outbox.memberships) {
      this.#outbox.delete(seat)
      this.#adrift.add(seat)
    }
    try {
      await this.#reading(async () => {
        let page: Page
        do page = { ...await this.#store.read(this.name, RESTART), complete: false }
        while (life === this.#epoch && !this.#ring.reachesBackTo(page.head.n))
        // A later restart has them all adrift, and attaches them.
        if (life !== this.#epoch) return
        for (const seat of this.#adrift) this.#attach(seat, page, this.#joined(seat, page))
        this.#adrift.clear()
      })
    } catch {
      if (life !== this.#epoch) return
      for (const { connection } of this.#adrift) connection.close(CloseCode.tryAgainLater, 'try again later')
      this.#adrift.clear()
    }
  }

  /** What is delivered meanwhile is kept: what was read is never older than what had been delivered when the read began. */
  async #reading<T> (read: () => Promise<T>): Promise<T> {
    this.#readers++
    try {
      return await read()
    } finally {
      if (--this.#readers === 0) this.#ring.clear()
    }
  }

  #see (now: Presence): void {
    const notice = difference(this.#presence, now)
    this.#presence = now
    if (notice !== undefined) this.#outbox.announce(notice)
  }

  /** One synchronous step: nothing can be delivered between what was read, what the ring holds, and the next batch. */
  #attach (seat: Membership, { head, entries }: Page, payloads: readonly Payload[]): void {
    if (seat.epoch !== this.#epoch) acknowledgeAll(seat)
    seat.epoch = this.#epoch
    const between = this.#ring.between(head.n, this.#outbox.next)
    this.#give(seat, [...payloads, ...this.#encode(seat, between)], between.at(-1)?.n ?? head.n, entries.length + between.length)
    // What changed while it was catching up.
    const notice = seat.presence && difference(seat.presence, this.#presence)
    const told = notice && seat.format.notice(this.name, notice)
    if (told !== undefined) seat.connection.reply(frame(told))
    seat.presence = undefined
    this.#outbox.add(seat)
  }

  #give (seat: Membership, payloads: readonly Payload[], mark: number, messages: number): void {
    seat.mark = mark
    const acks = takeAcks(seat)
    const { bytes } = frames(payloads)
    const written = seat.connection.replay(acks === undefined ? bytes : Buffer.concat([bytes, acks]), messages)
    if (written) this.#tally.deliveries += messages
  }

  #joined (seat: Membership, page: Page): readonly Payload[] {
    seat.presence = this.#presence
    return seat.format.joined(this.name, page, this.#presence, seat.member)
  }

  #encode ({ format, member, hearsItself }: Membership, entries: readonly Entry[]): Payload[] {
    return entries.filter(({ from }) => hearsItself || from?.id !== member.id).map((entry) => format.entry(this.name, entry))
  }

  #awaits (seat: Membership): boolean { return this.#joining.has(seat) && seat.connection.open }
}

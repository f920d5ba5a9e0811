import type { Payload } from '../connection/writer.ts'
import { difference } from './presence-diff.ts'
import { FanOut, type Waiting } from './fan-out.ts'
import { CloseCode } from '../protocol.ts'
import { Ring, type Rings } from './ring.ts'
import type { Presence, Roster } from '../roster.ts'
import { acknowledgeAll, takeAcks, type Membership } from './membership.ts'
import type { Store, Entry, Page, Position } from '../store.ts'
import type { Counters } from '../observability/stats.ts'

/** Size of the pages for a member that is far behind. Each is written when the connection has sent the previous one. */
const PAGE = { limit: 1_000, maxBytes: 64 * 1024 }

/** The newest entries that members receive when their view is no longer valid. */
const RESTART = { limit: 50, maxBytes: PAGE.maxBytes }

/** The entries that a member receives when it joins. */
export interface JoinQuery {
  /** at most so many of the newest entries, and at most `maxBytes` of them */
  readonly limit: number
  readonly maxBytes: number
  /** instead, all entries after this position, if the store can guarantee that none is missing */
  readonly after?: Position | undefined
}

export interface RoomContext {
  readonly store: Store
  readonly roster: Roster
  /** ms that entries may gather into a batch */
  readonly flushInterval: number
  /** shared by the fan-outs of all rooms */
  readonly waiting: Waiting
  readonly rings: Rings
  readonly counters: Counters
}

/** One room on this node. Passes the entries that its store delivers to the memberships of this node. */
export class Room {
  readonly name: string
  readonly #store: Store
  readonly #counters: Counters
  readonly #fanOut: FanOut
  readonly #listeners = new Set<(entry: Entry) => void>()
  #presence: Presence = { members: [], count: 0, stale: false }
  readonly #ring: Ring
  #readers = 0
  /** Increases whenever the store delivers an incomplete page: offsets of different epochs can't be compared. */
  #epoch = 0
  /** Memberships that are still catching up. */
  readonly #joining = new Set<Membership>()
  /** Memberships whose view is no longer valid, until they receive the newest entries. */
  readonly #restarting = new Set<Membership>()
  #stop: Array<() => void> = []

  private constructor (name: string, { store, flushInterval, waiting, rings, counters }: RoomContext) {
    this.name = name
    this.#store = store
    this.#ring = new Ring(rings)
    this.#counters = counters
    this.#fanOut = new FanOut(name, flushInterval, waiting, counters)
  }

  /** Resolves when the store and the roster deliver to the room. Rejects as they do. */
  static async open (name: string, context: RoomContext): Promise<Room> {
    const room = new Room(name, context)
    const { store, roster } = context
    const feed = await store.follow(name, (page) => room.#deliver(page))
    room.#stop.push(() => feed.stop())
    try {
      room.#stop.push(await roster.watch(name, (now) => room.#onPresence(now)))
      room.#stop.push(await roster.listen(name, ({ typing }) => room.#fanOut.announce({ typing })))
    } catch (error) {
      room.close()
      throw error
    }
    return room
  }

  get presence (): Presence { return this.#presence }

  /** The address of a membership that has caught up; undefined for none. */
  get address (): string | undefined {
    const [membership] = this.#fanOut.memberships
    return membership?.connection.address.name
  }

  /**
   * Writes the answer to the join and the missed entries, then every later entry, without gaps or duplicates. Resolves when
   * the member has caught up, or has left.
   * @param onJoined called when the answer was written, and again after each further page
   */
  async join (membership: Membership, { after, ...newest }: JoinQuery, onJoined: () => void): Promise<void> {
    let position = after
    let joined = false
    this.#joining.add(membership)
    for (let isAttached = false; !isAttached && this.#isJoining(membership); await membership.connection.writer.drained()) {
      isAttached = await this.#whileReading(async () => {
        const epoch = this.#epoch
        let page = await this.#store.read(this.name, position === undefined ? newest : { after: position, ...PAGE })
        const resumed = position !== undefined && page.complete
        if (!page.complete) page = { ...await this.#store.read(this.name, newest), complete: false }
        if (!this.#isJoining(membership) || epoch !== this.#epoch) return false
        membership.epoch = epoch
        const hasCaughtUp = !(resumed && page.more) && this.#ring.reachesBackTo(page.head.offset)
        const payloads = joined && resumed ? this.#encode(membership, page.entries) : this.#joined(membership, page)
        const end = resumed && page.more ? page.entries.at(-1)! : page.head
        if (hasCaughtUp) this.#attach(membership, page, payloads)
        else this.#replay(membership, payloads, end.offset, page.entries.length)
        position = end.position
        joined = true
        onJoined()
        return hasCaughtUp
      })
    }
    this.#joining.delete(membership)
  }

  leave (membership: Membership): void {
    this.#fanOut.delete(membership)
    this.#restarting.delete(membership)
    this.#joining.delete(membership)
    acknowledgeAll(membership)
  }

  /** Calls the listener with each later entry. Returns an unsubscribe function, which returns false from its second call on. */
  subscribe (listener: (entry: Entry) => void): () => boolean {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  flush (): void { this.#fanOut.flush() }

  close (): void {
    for (const stop of this.#stop) stop()
  }

  #deliver (page: Page): void {
    if (!page.complete) {
      this.#restart().catch(() => { /* the connections were closed */ })
      return
    }
    if (this.#readers > 0) this.#ring.push(page.entries)
    this.#fanOut.push(page.entries)
    for (const entry of page.entries) {
      for (const listener of this.#listeners) listener(entry)
    }
  }

  /** Called when entries may be missing. Each member discards its view and receives the newest entries. */
  async #restart (): Promise<void> {
    const epoch = ++this.#epoch
    this.#ring.clear()
    this.#fanOut.flush()
    for (const membership of this.#fanOut.memberships) {
      this.#fanOut.delete(membership)
      this.#restarting.add(membership)
    }
    try {
      await this.#whileReading(async () => {
        let page: Page
        do page = { ...await this.#store.read(this.name, RESTART), complete: false }
        while (epoch === this.#epoch && !this.#ring.reachesBackTo(page.head.offset))
        // A later restart has taken over these memberships, and attaches them.
        if (epoch !== this.#epoch) return
        for (const membership of this.#restarting) this.#attach(membership, page, this.#joined(membership, page))
        this.#restarting.clear()
      })
    } catch {
      if (epoch !== this.#epoch) return
      for (const { connection } of this.#restarting) connection.close(CloseCode.tryAgainLater, 'try again later')
      this.#restarting.clear()
    }
  }

  /** Keeps the entries delivered during a read: the page has at least those that were delivered before the read began. */
  async #whileReading<T> (read: () => Promise<T>): Promise<T> {
    this.#readers++
    try {
      return await read()
    } finally {
      if (--this.#readers === 0) this.#ring.clear()
    }
  }

  #onPresence (now: Presence): void {
    const signal = difference(this.#presence, now)
    this.#presence = now
    if (signal !== undefined) this.#fanOut.announce(signal)
  }

  /** Adds a membership to the fan-out. Synchronous: no entry can be delivered between the page, the ring and the next batch. */
  #attach (membership: Membership, { head, entries }: Page, payloads: readonly Payload[]): void {
    if (membership.epoch !== this.#epoch) acknowledgeAll(membership)
    membership.epoch = this.#epoch
    const between = this.#ring.between(head.offset, this.#fanOut.next)
    const mark = between.at(-1)?.offset ?? head.offset
    this.#replay(membership, [...payloads, ...this.#encode(membership, between)], mark, entries.length + between.length)
    // The change of presence while the member was catching up.
    const signal = membership.presence && difference(membership.presence, this.#presence)
    const payload = signal && membership.format.signal(this.name, signal)
    if (payload !== undefined) membership.connection.writer.reply(payload)
    membership.presence = undefined
    this.#fanOut.add(membership)
  }

  #replay (membership: Membership, payloads: readonly Payload[], mark: number, messages: number): void {
    membership.mark = mark
    const acks = takeAcks(membership)
    if (membership.connection.writer.replay(acks === undefined ? payloads : [...payloads, ...acks], messages)) this.#counters.deliveries += messages
  }

  #joined (membership: Membership, page: Page): readonly Payload[] {
    membership.presence = this.#presence
    return membership.format.joined(this.name, page, this.#presence, membership.member)
  }

  #encode ({ format, member, hearsItself }: Membership, entries: readonly Entry[]): Payload[] {
    return entries.filter(({ from }) => hearsItself || from?.id !== member.id).map((entry) => format.entry(this.name, entry))
  }

  #isJoining (membership: Membership): boolean { return this.#joining.has(membership) && membership.connection.open }
}

import type { Waiting } from './batch-queue.ts'
import { FanOut } from './fan-out.ts'
import { Joins, type JoinQuery } from './join.ts'
import type { Membership } from './membership.ts'
import { Ring, type Rings } from './ring.ts'
import { RoomPresence } from './room-presence.ts'
import type { Presence, Roster } from '../roster.ts'
import type { Store, Entry, Page } from '../store.ts'
import type { Counters } from '../observability/stats.ts'

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
  readonly #fanOut: FanOut
  readonly #joins: Joins
  readonly #listeners = new Set<(entry: Entry) => void>()
  readonly #presence = new RoomPresence()
  #stop: Array<() => void> = []

  private constructor (name: string, { store, flushInterval, waiting, rings, counters }: RoomContext) {
    this.name = name
    this.#fanOut = new FanOut(name, flushInterval, waiting, counters)
    this.#joins = new Joins(this, store, this.#fanOut, new Ring(rings), counters)
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

  get presence (): Presence { return this.#presence.current }

  /** The address of a membership that has caught up; undefined for none. */
  get address (): string | undefined {
    const [membership] = this.#fanOut.memberships
    return membership?.connection.address.name
  }

  /** Adds a membership to the room. See `Joins.join`. Its member has entered the roster. */
  join (membership: Membership, query: JoinQuery, onJoined: () => void): Promise<void> {
    this.#presence.enter(membership)
    return this.#joins.join(membership, query, onJoined)
  }

  leave (membership: Membership): void {
    this.#fanOut.delete(membership)
    this.#joins.leave(membership)
    this.#presence.leave(membership)
    membership.end()
  }

  /**
   * Calls the listener with each later entry. Returns an unsubscribe function. Its first call returns true; later calls return
   * false.
   */
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
      this.#joins.restart().catch(() => { /* the connections were closed */ })
      return
    }
    this.#joins.keep(page.entries)
    this.#fanOut.push(page.entries)
    for (const entry of page.entries) {
      for (const listener of this.#listeners) listener(entry)
    }
  }

  #onPresence (now: Presence): void {
    const presence = this.#presence.report(now)
    if (presence !== undefined) this.#fanOut.announce({ presence })
  }
}

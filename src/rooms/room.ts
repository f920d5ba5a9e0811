import type { Waiting } from './batch/batch-queue.ts'
import { CatchUp } from './catch-up.ts'
import type { Control, Head } from '../change.ts'
import { DeliveredHead } from './delivered-head.ts'
import { FanOut } from './fan-out.ts'
import type { HeldPages } from './replay/held-pages.ts'
import { Joins } from './join.ts'
import type { JoinQuery } from './join-query.ts'
import type { KeptEntries } from './replay/kept-entries.ts'
import type { Membership } from './membership/membership.ts'
import type { PageReader } from './replay/missed-streams.ts'
import { OwnReactions } from './own-reactions.ts'
import type { ReadTurns } from './replay/read-turns.ts'
import { Restarts } from './restart.ts'
import type { Rings } from './replay/ring.ts'
import { RoomPresence } from './room-presence.ts'
import type { Presence, Roster, Signal } from '../roster.ts'
import type { Store, Entry, FeedPage, Page, Query } from '../store.ts'
import { StreamWatch, type WatchedStore } from './replay/stream-watch.ts'
import type { Counters } from '../observability/stats.ts'

export interface RoomContext {
  readonly store: Store
  /** Passes a change to the store, and reports it to the app. */
  readonly amend: WatchedStore['amend']
  readonly roster: Roster
  /** ms that entries may gather into a batch */
  readonly flushInterval: number
  /** ms without a renewal after which a stream is ended */
  readonly streamLease: number
  /** shared by the fan-outs of all rooms */
  readonly waiting: Waiting
  readonly rings: Rings
  readonly turns: ReadTurns
  readonly heldPages: HeldPages
  readonly keptEntries: Pick<KeptEntries, 'clear'>
  readonly counters: Counters
}

/** One room on this node. Passes the entries and changes that its store delivers to the memberships of this node. */
export class Room {
  readonly name: string
  readonly #fanOut: FanOut
  readonly #streams: StreamWatch
  readonly #delivered = new DeliveredHead()
  readonly #catchUp: CatchUp
  readonly #joins: Joins
  readonly #pages: PageReader = { read: async (query) => await this.read(query), get: async (position) => await this.#streams.get(position) }
  /** Created for the first restart. */
  #restarts: Restarts | undefined
  #controls = 0
  readonly #context: Pick<RoomContext, 'turns' | 'keptEntries' | 'counters'>
  readonly #ownReactions: OwnReactions
  /** Created for the first listener. */
  #listeners: Set<(entry: Entry) => void> | undefined
  readonly #presence = new RoomPresence()
  /** Resolves with unsubscribe functions when the store and the roster deliver to the room. Rejects as they do. */
  readonly opened: Promise<ReadonlyArray<() => void>>

  constructor (name: string, context: RoomContext) {
    const { store, amend, roster, flushInterval, streamLease, waiting, rings, turns, heldPages, counters } = context
    this.name = name
    this.#context = context
    this.#fanOut = new FanOut(name, flushInterval, waiting, counters)
    this.#streams = new StreamWatch(name, { amend, get: (...args) => store.get(...args), read: (...args) => store.read(...args) }, streamLease, (position) => { this.#fanOut.forget(position) })
    this.#catchUp = new CatchUp(this, this.#fanOut, rings)
    this.#joins = new Joins(this.#catchUp, this.#pages, this.#fanOut, { turns, heldPages, counters })
    this.#ownReactions = new OwnReactions(name, store, this.#fanOut, this.#delivered)
    const subscriptions = [
      this.#follow(store),
      roster.watch(name, (now) => this.#onPresence(now)),
      roster.listen(name, (signal) => this.#onSignal(signal))
    ]
    this.opened = Promise.all(subscriptions)
    this.opened.catch(() => {
      for (const subscription of subscriptions) subscription.then((unsubscribe) => unsubscribe(), () => { /* `opened` has rejected */ })
    })
  }

  /** Number of the controls and breaks that the store has delivered; undefined until the room follows it. */
  get controls (): number | undefined { return this.#delivered.head && this.#controls }

  get presence (): Presence { return this.#presence.current }

  /** The address of a membership that has caught up; undefined for none. */
  get address (): string | undefined {
    const [membership] = this.#fanOut.memberships
    return membership?.connection.address.name
  }

  /** Adds a membership to the room once `entered` resolves. See `Joins.join`. */
  join (membership: Membership, entered: Promise<void>, query: JoinQuery, onJoined: () => void): Promise<void> {
    return this.#joins.join(membership, entered, query, () => {
      onJoined()
      void this.#streams.find(this.#context.turns, (query) => this.read(query))
    })
  }

  /** Called when the member has entered the roster. */
  enter (membership: Membership): void { this.#presence.enter(membership) }

  leave (membership: Membership): void {
    this.#fanOut.delete(membership)
    this.#joins.leave(membership)
    this.#restarts?.leave(membership)
    this.#presence.leave(membership)
    membership.end()
  }

  /**
   * Calls the listener with each later entry. Returns an unsubscribe function. Its first call returns true; later calls return
   * false.
   */
  subscribe (listener: (entry: Entry) => void): () => boolean {
    const listeners = (this.#listeners ??= new Set()).add(listener)
    return () => listeners.delete(listener)
  }

  /** Resolves with a page of its entries, once the controls that were stored before them were applied. */
  async read (query: Query): Promise<Page> {
    const { epoch } = this.#catchUp
    const page = await this.#delivered.read(async () => await this.#streams.read(query))
    // Clients without changes don't receive its streams. The room may not know them: they may have begun before it was opened.
    if (epoch === this.#catchUp.epoch) this.#fanOut.learnFrom(page)
    return page
  }

  flush (): void { this.#fanOut.flush() }

  close (): void {
    this.#streams.close()
    this.#delivered.close()
    this.opened.then((unsubscribes) => {
      for (const unsubscribe of unsubscribes) unsubscribe()
    }, () => { /* the others were ended */ })
  }

  async #follow (store: Store): Promise<() => void> {
    const feed = await store.follow(this.name, (page) => this.#deliver(page))
    this.#joins.follow(feed.head)
    this.#delivered.advance(feed.head)
    return () => feed.stop()
  }

  #deliver (page: FeedPage): void {
    for (const { control } of page.controls ?? []) this.#apply(control)
    if (!page.complete) return this.#restart(page.head)
    this.#catchUp.keep(page)
    this.#streams.deliver(page)
    if (page.entries.length > 0) this.#fanOut.push(page.entries)
    if (page.changes.length > 0) this.#ownReactions.deliver(page.changes)
    this.#fanOut.change(page.changes, page.head.change.number)
    this.#delivered.advance(page.head)
    this.#fanOut.deliver()
    if (this.#listeners === undefined) return
    for (const entry of page.entries) {
      for (const listener of this.#listeners) listener(entry)
    }
  }

  /** Sends a new view of the room to all members. A control may have been lost too: the app is asked for the rights of each of them. */
  #restart (head: Head): void {
    this.#controls++
    this.#ownReactions.restart()
    this.#context.keptEntries.clear(this.name)
    for (const { rights } of [...this.#memberships()]) rights.question()
    this.#delivered.restart(head)
    this.#catchUp.restart()
    this.#restarts ??= new Restarts(this.#catchUp, this.#pages, this.#fanOut, this.#context.counters)
    this.#restarts.restart(head).catch(() => { /* the connections were closed */ })
  }

  #apply (control: Control): void {
    this.#controls++
    const member = 'remove' in control ? control.remove.member : control.reauthorize.member
    const concerned = [...this.#memberships()].filter(({ member: { id } }) => member === undefined || id === member)
    if ('remove' in control) for (const { rights } of concerned) rights.remove(control.remove.reason)
    else for (const { rights } of concerned) rights.question()
    const suspended = concerned.filter(({ isSuspended }) => isSuspended)
    if (suspended.length === 0) return
    this.#joins.suspend(suspended, this.#delivered.head!)
    for (const membership of suspended) this.#restarts?.wait(membership)
  }

  * #memberships (): Iterable<Membership> {
    yield * this.#fanOut.memberships
    yield * this.#joins.memberships
    if (this.#restarts !== undefined) yield * this.#restarts.memberships
  }

  #onSignal (signal: Signal): void {
    // No wire has signals of the app.
    if ('typing' in signal) this.#fanOut.announce(signal)
    else if (signal.from !== null) this.#fanOut.announce({ from: signal.from, data: signal.data })
  }

  #onPresence (now: Presence): void {
    const presence = this.#presence.report(now)
    if (presence !== undefined) this.#fanOut.announce({ presence })
  }
}

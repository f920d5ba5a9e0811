import type { FanOut } from './fan-out.ts'
import type { Membership } from './membership.ts'
import type { Counters } from '../observability/stats.ts'
import { CloseCode } from '../protocol.ts'
import type { Ring } from './ring.ts'
import type { Presence } from '../roster.ts'
import type { Cursor, Store, Entry, Page, Position } from '../store.ts'

/** Size of the pages for a member that missed many entries. Each page is written when the previous one was sent. */
const PAGE = { limit: 1_000, maxBytes: 64 * 1024 }

/** The newest entries that members receive when their view is no longer valid. */
const RESTART = { limit: 50, maxBytes: PAGE.maxBytes }

/** The entries that a member receives when it joins. */
export interface JoinQuery {
  /** maximum number of newest entries */
  readonly limit: number
  /** maximum bytes of the newest entries */
  readonly maxBytes: number
  /** position to resume from; replaces the newest entries if the store guarantees that none is missing */
  readonly after?: Position | undefined
}

/** Sends entries from the store to memberships that join and, after a break, to all. Then adds them to the fan-out. */
export class Joins {
  readonly #room: { readonly name: string, readonly presence: Presence }
  readonly #store: Store
  readonly #fanOut: FanOut
  readonly #ring: Ring
  readonly #counters: Counters
  /** Reads in progress. */
  #readers = 0
  /** Increases whenever the store delivers an incomplete page: offsets of different epochs can't be compared. */
  #epoch = 0
  /** The position after which the store delivers; undefined until the room follows it. */
  #followed: Position | undefined
  /** Memberships that are still catching up. */
  readonly #joining = new Set<Membership>()
  /** Memberships whose view is no longer valid, until they receive the newest entries. */
  readonly #restarting = new Set<Membership>()

  /** @param ring keeps the entries that are delivered during a read */
  constructor (room: { readonly name: string, readonly presence: Presence }, store: Store, fanOut: FanOut, ring: Ring, counters: Counters) {
    this.#room = room
    this.#store = store
    this.#fanOut = fanOut
    this.#ring = ring
    this.#counters = counters
  }

  /** Called when the store delivers every entry after the head. */
  follow (head: Cursor): void { this.#followed = head.position }

  /**
   * Writes the answer to the join and the missed entries. Adds the membership to the fan-out, which writes every later entry,
   * without gaps or duplicates. Resolves when the member has caught up, or has left.
   * @param entered resolves when the room is open and the member has entered it; the first read doesn't wait for it
   * @param onJoined called when the answer was written, and again after each later page
   */
  async join (membership: Membership, entered: Promise<void>, { after, ...newest }: JoinQuery, onJoined: () => void): Promise<void> {
    const { name } = this.#room
    let position = after
    let joined = false
    this.#joining.add(membership)
    try {
      for (let isAttached = false; !isAttached && this.#isJoining(membership); await membership.connection.writer.drained()) {
        isAttached = await this.#whileReading(async () => {
          const epoch = this.#epoch
          const isFollowed = this.#followed !== undefined
          const reading = this.#store.read(name, position === undefined ? newest : { after: position, ...PAGE })
          reading.catch(() => { /* rethrown below */ })
          await entered
          let page = await reading
          // The store doesn't deliver an entry that was stored between the two.
          if (!isFollowed && page.head.position !== this.#followed) return false
          const resumed = position !== undefined && page.complete
          if (!page.complete) page = { ...await this.#store.read(name, newest), complete: false }
          if (!this.#isJoining(membership) || epoch !== this.#epoch) return false
          membership.enter(epoch)
          const isPart = resumed && page.more
          const end = isPart ? page.entries.at(-1)! : page.head
          const hasCaughtUp = !isPart && this.#ring.isCompleteAfter(end.offset)
          const later = hasCaughtUp ? this.#laterThan(page) : []
          const offset = later.at(-1)?.offset ?? end.offset
          this.#counters.deliveries += joined && resumed
            ? membership.sendMissed([...page.entries, ...later], offset)
            : membership.sendJoined(page, this.#room.presence, later, offset)
          if (hasCaughtUp) this.#attach(membership)
          position = end.position
          joined = true
          onJoined()
          return hasCaughtUp
        })
      }
    } finally {
      this.#joining.delete(membership)
    }
  }

  leave (membership: Membership): void {
    this.#restarting.delete(membership)
    this.#joining.delete(membership)
  }

  /** Called with the entries that the store delivers. */
  keep (entries: readonly Entry[]): void {
    if (this.#readers > 0) this.#ring.push(entries)
  }

  /** Called when entries may be missing. Sends the newest entries to all members, which discard their view. */
  async restart (): Promise<void> {
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
        do page = { ...await this.#store.read(this.#room.name, RESTART), complete: false }
        while (epoch === this.#epoch && !this.#ring.isCompleteAfter(page.head.offset))
        // A later restart has taken over these memberships, and attaches them.
        if (epoch !== this.#epoch) return
        const later = this.#laterThan(page)
        for (const membership of this.#restarting) {
          membership.enter(epoch)
          this.#counters.deliveries += membership.sendJoined(page, this.#room.presence, later, later.at(-1)?.offset ?? page.head.offset)
          this.#attach(membership)
        }
        this.#restarting.clear()
      })
    } catch {
      if (epoch !== this.#epoch) return
      for (const { connection } of this.#restarting) connection.close(CloseCode.tryAgainLater, 'the store failed')
      this.#restarting.clear()
    }
  }

  /** Keeps the entries that are delivered during a read. The page contains every entry delivered before the read. */
  async #whileReading<T> (read: () => Promise<T>): Promise<T> {
    this.#readers++
    try {
      return await read()
    } finally {
      if (--this.#readers === 0) this.#ring.clear()
    }
  }

  /** Returns the entries between a page and the next entry of the fan-out. */
  #laterThan ({ head }: Page): readonly Entry[] { return this.#ring.between(head.offset, this.#fanOut.next) }

  /** Adds a membership to the fan-out. Call it in the same tick as `#laterThan`, so that no entry is delivered in between. */
  #attach (membership: Membership): void {
    membership.caughtUp(this.#room.presence)
    this.#fanOut.add(membership)
  }

  #isJoining (membership: Membership): boolean { return this.#joining.has(membership) && membership.connection.open }
}

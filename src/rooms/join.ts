import type { Head } from '../change.ts'
import type { FanOut } from './fan-out.ts'
import type { JoinQuery } from './join-query.ts'
import type { Later, Membership } from './membership.ts'
import { readWithStreams } from './missed-streams.ts'
import type { Counters } from '../observability/stats.ts'
import { CloseCode } from '../protocol.ts'
import type { ReadTurns } from './read-turns.ts'
import { byReader } from './readers.ts'
import { Recent } from './recent.ts'
import type { Rings } from './ring.ts'
import type { Presence } from '../roster.ts'
import type { StreamWatch } from './stream-watch.ts'
import type { Cursor, FeedPage, Page, Position, Query } from '../store.ts'
import { WholeReplay } from './whole-replay.ts'

/** Size of the pages for a member that missed many entries. Each page is written when the previous one was sent. */
const PAGE = { limit: 1_000, maxBytes: 64 * 1024 }

/** The newest entries that members receive when their view is no longer valid. */
const RESTART = { limit: 50, maxBytes: PAGE.maxBytes }

/** Maximum number of members for which the newest entries are read at the same time. */
const RESTART_READS = 32

/** Of a page that is followed by another one. */
const NOTHING: Omit<Later, 'offset'> = { entries: [], changes: [], change: 0 }

/** Sends entries from the store to memberships that join and, after a break, to all. Then adds them to the fan-out. */
export class Joins {
  readonly #room: { readonly presence: Presence }
  readonly #streams: StreamWatch
  readonly #fanOut: FanOut
  readonly #recent: Recent
  readonly #turns: ReadTurns
  readonly #counters: Counters
  #epoch = 0
  /** The head after which the store delivers; undefined until the room follows it. */
  #followed: Head | undefined
  /** Memberships that are still catching up. */
  readonly #joining = new Set<Membership>()
  /** Memberships whose view is no longer valid, until they receive the newest entries. */
  readonly #restarting = new Set<Membership>()

  constructor (room: { readonly presence: Presence }, streams: StreamWatch, fanOut: FanOut, rings: Rings, turns: ReadTurns, counters: Counters) {
    this.#room = room
    this.#streams = streams
    this.#fanOut = fanOut
    this.#recent = new Recent(rings)
    this.#turns = turns
    this.#counters = counters
  }

  /** Increases whenever the store delivers an incomplete page: offsets of different epochs can't be compared. */
  get epoch (): number { return this.#epoch }

  /** Called when the store delivers every entry and every change after the head. */
  follow (head: Head): void {
    this.#followed = head
    this.#fanOut.startAt(head)
  }

  /**
   * Writes the answer to the join and what the member missed. Adds the membership to the fan-out, which writes every later entry
   * and change, without gaps or duplicates. Resolves when the member has caught up, or has left.
   * @param entered resolves when the room is open and the member has entered it; the first read doesn't wait for it
   * @param onJoined called when the answer was written, and again after each later page
   */
  async join (membership: Membership, entered: Promise<void>, { after, revision: since, ...query }: JoinQuery, onJoined: () => void): Promise<void> {
    const { reader } = membership
    const newest: Query = { ...query, for: reader }
    const whole = reader === undefined ? new WholeReplay(after) : undefined
    let position = whole === undefined ? after : whole.after
    let revision = reader === undefined ? undefined : since
    let joined = false
    let oldest: Position | undefined
    entered.catch(() => { /* rethrown below, unless the connection is closed first */ })
    this.#joining.add(membership)
    try {
      for (let isAttached = false; !isAttached && this.#isJoining(membership); await membership.connection.writer.drained()) {
        const hasChanges = revision !== undefined
        if (hasChanges) await this.#turns.wait(PAGE.limit)
        if (!this.#isJoining(membership)) return
        isAttached = await this.#recent.whileReading(async () => {
          const epoch = this.#epoch
          const isFollowed = this.#followed !== undefined
          const query = position === undefined ? newest : { after: position, revision, for: reader, ...PAGE }
          const reading = readWithStreams(this.#streams, query, whole?.outstanding)
          reading.catch(() => { /* rethrown below */ })
          await entered
          const read = await reading
          if (read === undefined) return false
          let { page } = read
          if (hasChanges) this.#turns.release(PAGE.limit - page.entries.length - page.changed.length)
          // The store doesn't deliver an entry or a change that was stored between the two.
          if (!isFollowed && !this.#isFollowedAfter(page.head)) return false
          const resumed = position !== undefined && page.complete
          if (!page.complete) page = { ...await this.#streams.read(newest), complete: false }
          if (!this.#isJoining(membership) || epoch !== this.#epoch) return false
          membership.enter(epoch)
          const end: Cursor = resumed && page.more ? page.entries.at(-1)! : page.head
          const hasCaughtUp = !(resumed && (page.more || page.moreChanged)) && this.#recent.isCompleteAfter(page.head)
          const later = hasCaughtUp ? this.#laterThan(page.head) : { ...NOTHING, offset: end.offset }
          // Only `joined` can tell the member that messages which it has are out of date.
          const isTold = page.oldest === undefined || page.oldest === oldest
          if (joined && resumed && isTold) {
            whole?.push(page, read)
            this.#counters.deliveries += membership.sendMissed(page, later, whole)
          } else {
            const answer = whole?.joined(page, end, this.#fanOut.streams, resumed ? read : undefined) ?? { ...page, position: end.position }
            this.#counters.deliveries += membership.sendJoined(answer, this.#room.presence, later, whole)
          }
          oldest = page.oldest ?? oldest
          if (hasCaughtUp) this.#attach(membership, whole)
          position = end.position
          if (reader !== undefined) revision = page.revision
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

  /** Called with what the store delivers. */
  keep (page: FeedPage): void { this.#recent.push(page) }

  /**
   * Called when entries or changes may be missing. Sends the newest entries to all members, which discard their view.
   * @param head after which the store delivers now
   */
  async restart (head: Head): Promise<void> {
    const epoch = ++this.#epoch
    this.#recent.clear()
    this.#fanOut.flush()
    for (const membership of this.#fanOut.memberships) {
      this.#fanOut.delete(membership)
      this.#restarting.add(membership)
    }
    this.#fanOut.startAt(head)
    try {
      await this.#sendNewest(epoch, undefined, this.#restarting)
      // One iterator, so that each loop takes the next member.
      const members = byReader(this.#restarting).entries()
      const readOn = async (): Promise<void> => {
        for (const [reader, memberships] of members) {
          if (memberships.some((membership) => this.#restarting.has(membership))) await this.#sendNewest(epoch, reader, memberships)
        }
      }
      await Promise.all(Array.from({ length: RESTART_READS }, readOn))
    } catch {
      if (epoch !== this.#epoch) return
      for (const { connection } of this.#restarting) connection.close(CloseCode.tryAgainLater, 'the store failed')
      this.#restarting.clear()
    }
  }

  /**
   * Sends the newest entries to restarting memberships.
   * @param reader id of their member; undefined for those of all members, except for those that need to know which reactions are
   *   their own
   */
  async #sendNewest (epoch: number, reader: string | undefined, memberships: Iterable<Membership>): Promise<void> {
    await this.#recent.whileReading(async () => {
      let page: Page
      do {
        if (epoch !== this.#epoch) return
        page = { ...await this.#streams.read({ ...RESTART, for: reader }), complete: false }
      } while (!this.#recent.isCompleteAfter(page.head))
      // A later restart has taken over these memberships, and attaches them.
      if (epoch !== this.#epoch) return
      const later = this.#laterThan(page.head)
      const isForAll = page.entries.every(({ reactions }) => reactions === undefined)
      for (const membership of memberships) {
        if ((!isForAll && membership.reader !== reader) || !this.#restarting.delete(membership)) continue
        membership.enter(epoch)
        const whole = membership.reader === undefined ? new WholeReplay() : undefined
        const answer = whole?.joined(page, page.head, []) ?? { ...page, position: page.head.position }
        this.#counters.deliveries += membership.sendJoined(answer, this.#room.presence, later, whole)
        this.#attach(membership, whole)
      }
    })
  }

  #isFollowedAfter ({ position, change: { revision } }: Head): boolean {
    return this.#followed?.position === position && this.#followed.change.revision === revision
  }

  /** Returns what was delivered between a page with this head and what the fan-out writes next. */
  #laterThan (head: Head): Later {
    const entries = this.#recent.entriesAfter(head, this.#fanOut.next)
    const change = Math.max(head.change.number, this.#fanOut.lastChange)
    return { entries, changes: this.#recent.changesAfter(head, change + 1), offset: entries.at(-1)?.offset ?? head.offset, change }
  }

  /** Adds a membership to the fan-out. Call it in the same tick as `#laterThan`, so that nothing is delivered in between. */
  #attach (membership: Membership, whole: WholeReplay | undefined): void {
    membership.caughtUp(this.#room.presence)
    this.#fanOut.add(membership)
    if (whole !== undefined) this.#fanOut.learn(whole.streams)
  }

  #isJoining (membership: Membership): boolean { return this.#joining.has(membership) && membership.connection.open }
}

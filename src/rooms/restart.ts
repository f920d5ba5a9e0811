import { NEWEST, type CatchUp } from './catch-up.ts'
import type { Head } from '../change.ts'
import type { FanOut } from './fan-out.ts'
import type { Membership } from './membership/membership.ts'
import type { PageReader } from './replay/missed-streams.ts'
import type { Counters } from '../observability/stats.ts'
import { CloseCode } from '../protocol.ts'
import { byReader, byReadPosition } from './readers.ts'
import type { Page, Position } from '../store.ts'
import { withUnread } from './replay/unread.ts'
import { WholeReplay } from './replay/whole-replay.ts'

/** Maximum number of members for which the newest entries are read at the same time. */
const RESTART_READS = 32

/** Memberships that receive the same page. */
interface Group {
  /** Id of their member; undefined for memberships of all members. */
  readonly reader: string | undefined
  readonly readPosition: Position | undefined
  readonly memberships: readonly Membership[]
}

/** Sends the newest entries to all memberships when entries or changes may be missing. Then adds them to the fan-out. */
export class Restarts {
  readonly #catchUp: CatchUp
  readonly #pages: PageReader
  readonly #fanOut: FanOut
  readonly #counters: Counters
  /** Memberships whose view is no longer valid, until they receive the newest entries. */
  readonly #restarting = new Set<Membership>()
  /** The rights that are awaited. */
  readonly #awaited = new WeakSet<Promise<void>>()
  /** Whether the newest entries will be sent to the memberships whose rights have become known. */
  #isScheduled = false

  constructor (catchUp: CatchUp, pages: PageReader, fanOut: FanOut, counters: Counters) {
    this.#catchUp = catchUp
    this.#pages = pages
    this.#fanOut = fanOut
    this.#counters = counters
  }

  get memberships (): ReadonlySet<Membership> { return this.#restarting }

  leave (membership: Membership): void { this.#restarting.delete(membership) }

  /**
   * Called when entries or changes may be missing. Sends the newest entries to all members, which discard their view: to a suspended
   * one when its rights are known.
   * @param head after which the store delivers now
   */
  async restart (head: Head): Promise<void> {
    this.#fanOut.flush()
    for (const membership of this.#fanOut.memberships) {
      this.#fanOut.delete(membership)
      membership.suspend(this.#catchUp.presence)
      this.#restarting.add(membership)
    }
    for (const membership of this.#restarting) this.wait(membership)
    this.#fanOut.startAt(head)
    await this.#send(this.#catchUp.epoch)
  }

  /** Called when a membership may be suspended, for each control. */
  wait (membership: Membership): void {
    const { rightsKnown } = membership
    if (rightsKnown === undefined || !this.#restarting.has(membership) || this.#awaited.has(rightsKnown)) return
    this.#awaited.add(rightsKnown)
    void rightsKnown.then(this.#schedule)
  }

  /** Joins the memberships whose rights become known in one turn of the event loop. */
  readonly #schedule = () => {
    if (this.#isScheduled || this.#restarting.size === 0) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      void this.#send(this.#catchUp.epoch)
    })
  }

  async #send (epoch: number): Promise<void> {
    if (![...this.#restarting].some((membership) => this.#isDue(membership))) return
    try {
      await this.#sendTo(epoch, byPosition(undefined, this.#restarting))
      await this.#sendTo(epoch, [...byReader(this.#restarting)].flatMap(([reader, memberships]) => byPosition(reader, memberships)))
    } catch {
      if (epoch !== this.#catchUp.epoch) return
      for (const { connection } of this.#restarting) connection.close(CloseCode.tryAgainLater, 'the store failed')
      this.#restarting.clear()
    }
  }

  async #sendTo (epoch: number, all: readonly Group[]): Promise<void> {
    // One iterator, so that each loop takes the next group.
    const groups = all.values()
    const readOn = async (): Promise<void> => {
      for (const group of groups) {
        if (group.memberships.some((membership) => this.#isDue(membership))) await this.#sendNewest(epoch, group)
      }
    }
    await Promise.all(Array.from({ length: RESTART_READS }, readOn))
  }

  /** Sends the newest entries to a group. One of all members leaves out those that need to know which reactions are their own. */
  async #sendNewest (epoch: number, { reader, readPosition, memberships }: Group): Promise<void> {
    const catchUp = this.#catchUp
    await catchUp.whileReading(async () => {
      let page: Page
      do {
        if (epoch !== catchUp.epoch) return
        page = { ...await this.#pages.read({ ...NEWEST, for: reader, readPosition }), complete: false }
      } while (!catchUp.isCompleteAfter(page.head))
      // A later restart has taken over these memberships, and attaches them.
      if (epoch !== catchUp.epoch) return
      const later = catchUp.laterThan(page.head)
      const isForAll = page.entries.every(({ reactions }) => reactions === undefined)
      for (const membership of memberships) {
        if ((!isForAll && membership.reader !== reader) || !this.#isDue(membership)) continue
        this.#restarting.delete(membership)
        membership.enter(epoch)
        const whole = membership.reader === undefined ? new WholeReplay() : undefined
        const answer = whole?.joined(page, page.head, []) ?? { ...page, position: page.head.position }
        this.#counters.deliveries += membership.sendJoined(withUnread(answer, page.head, readPosition, whole?.streams), catchUp.presence, later, whole)
        catchUp.attach(membership, whole)
      }
    })
  }

  #isDue (membership: Membership): boolean { return this.#restarting.has(membership) && !membership.isSuspended && !membership.isRefused }
}

/** @param reader id of the member of the memberships; undefined if they are of several */
function byPosition (reader: string | undefined, memberships: Iterable<Membership>): Group[] {
  return [...byReadPosition(memberships)].map(([readPosition, group]) => ({ reader, readPosition, memberships: group }))
}

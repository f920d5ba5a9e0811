import { NEWEST, type CatchUp } from './catch-up.ts'
import type { Head } from '../change.ts'
import type { FanOut } from './fan-out.ts'
import type { HeldPages } from './replay/held-pages.ts'
import type { JoinQuery } from './join-query.ts'
import { JoinPages, PAGE, type Start } from './join-pages.ts'
import type { Later, Membership } from './membership/membership.ts'
import type { PageReader } from './replay/missed-streams.ts'
import type { Counters } from '../observability/stats.ts'
import { CloseCode } from '../protocol.ts'
import type { ReadTurns } from './replay/read-turns.ts'
import type { Cursor, Position } from '../store.ts'
import { withUnread } from './replay/unread.ts'
import { WholeReplay } from './replay/whole-replay.ts'

/** Of a page that is followed by another one. */
const NOTHING: Omit<Later, 'offset'> = { entries: [], changes: [], change: 0 }

/** Shared by all rooms. */
export interface JoinsContext { readonly turns: ReadTurns, readonly heldPages: HeldPages, readonly counters: Counters }

/** Sends entries from the store to memberships that join, or that were suspended. Then adds them to the fan-out. */
export class Joins {
  readonly #catchUp: CatchUp
  readonly #pages: JoinPages
  readonly #fanOut: FanOut
  readonly #turns: ReadTurns
  readonly #heldPages: HeldPages
  readonly #counters: Counters
  /** Memberships that are still catching up. */
  readonly #joining = new Set<Membership>()

  constructor (catchUp: CatchUp, pages: PageReader, fanOut: FanOut, { turns, heldPages, counters }: JoinsContext) {
    this.#catchUp = catchUp
    this.#pages = new JoinPages(pages, turns)
    this.#fanOut = fanOut
    this.#turns = turns
    this.#heldPages = heldPages
    this.#counters = counters
  }

  get memberships (): ReadonlySet<Membership> { return this.#joining }

  /** Called when the store delivers every entry and every change after the head. */
  follow (head: Head): void {
    this.#pages.follow(head)
    this.#fanOut.startAt(head)
  }

  /**
   * Writes the answer to the join and what the member missed. Adds the membership to the fan-out, which writes every later entry
   * and change, without gaps or duplicates. Resolves when the member has caught up, or has left.
   * @param entered resolves when the room is open and the member has entered it; the first read doesn't wait for it
   * @param onJoined called when the answer was written, and again after each later page
   * @throws Forbidden, HookFailed if the rights of the member were in question before the answer was written
   */
  async join (membership: Membership, entered: Promise<void>, { after, revision, readKnown, ...newest }: JoinQuery, onJoined: () => void): Promise<void> {
    const whole = membership.reader === undefined ? new WholeReplay(after) : undefined
    const start: Start = { position: whole === undefined ? after : whole.after, revision: whole === undefined ? revision : undefined, whole, newest, readKnown }
    entered.catch(() => { /* rethrown by `#read`, unless the connection is closed first */ })
    this.#joining.add(membership)
    let isAttached = false
    try {
      isAttached = await this.#read(membership, entered, start, onJoined)
      if (membership.hasJoined) return
      // The caller removes a member that has entered. One that entered later would stay.
      await entered
      membership.assertMay('join')
    } finally {
      this.#joined(membership, isAttached)
    }
  }

  /**
   * Takes suspended memberships from the fan-out. Sends what they have missed when their rights are known, and adds them to it again.
   * @param head up to which the store has delivered
   */
  suspend (memberships: Iterable<Membership>, head: Head): void {
    this.#fanOut.flush()
    const { streams } = this.#fanOut
    for (const membership of memberships) {
      if (!this.#fanOut.memberships.has(membership)) continue
      this.#fanOut.delete(membership)
      membership.suspend(this.#catchUp.presence)
      this.#resume(membership, head, streams).catch((err: unknown) => {
        membership.connection.close(CloseCode.tryAgainLater, 'try again later', { err })
      })
    }
  }

  leave (membership: Membership): void { this.#joining.delete(membership) }

  async #resume (membership: Membership, head: Head, streams: readonly Cursor[]): Promise<void> {
    const catchUp = this.#catchUp
    const { epoch } = catchUp
    const whole = membership.reader === undefined ? WholeReplay.after(head.position, streams) : undefined
    const start = { position: head.position, revision: whole === undefined ? head.change.revision : undefined }
    this.#joining.add(membership)
    let isAttached = false
    try {
      isAttached = await catchUp.whileReading(async () => {
        await this.#rightsOf(membership)
        if (!this.#isJoining(membership) || epoch !== catchUp.epoch || !catchUp.isCompleteAfter(head)) return false
        const later = catchUp.laterThan(head)
        // A reader needs to know which reactions are its own.
        if (later.changes.some(({ entry }) => entry?.reactions !== undefined)) return false
        this.#counters.deliveries += membership.sendMissed({ entries: [], changed: [] }, later, whole)
        this.#attach(membership, whole)
        return true
      })
      if (!isAttached) isAttached = await this.#read(membership, Promise.resolve(), { ...start, whole, newest: NEWEST }, () => {})
    } finally {
      this.#joined(membership, isAttached)
    }
  }

  /** Adds a membership to the fan-out. From this step on it may be suspended, which adds it to `#joining` again. */
  #attach (membership: Membership, whole: WholeReplay | undefined): void {
    this.#joining.delete(membership)
    this.#catchUp.attach(membership, whole)
  }

  /** Called at the end of a join or a resume. One that has attached the membership has taken it from `#joining`. */
  #joined (membership: Membership, isAttached: boolean): void {
    if (!isAttached) this.#joining.delete(membership)
  }

  /** Returns whether the membership was attached. */
  async #read (membership: Membership, entered: Promise<void>, start: Start, onJoined: () => void): Promise<boolean> {
    const { reader } = membership
    const { whole } = start
    const catchUp = this.#catchUp
    let { position, revision, readKnown } = start
    let oldest: Position | undefined
    let isAttached = false
    for (; !isAttached && this.#isJoining(membership); await membership.connection.writer.drained()) {
      if (revision !== undefined) await this.#turns.wait(PAGE.limit)
      if (!this.#isJoining(membership)) break
      isAttached = await catchUp.whileReading(async () => {
        const { epoch } = catchUp
        const known = readKnown
        readKnown = undefined
        let found = await this.#pages.find(membership, entered, { ...start, position, revision, readKnown: known })
        if (membership.isSuspended && found !== undefined) {
          const held = this.#heldPages.hold(found, [...found.read.page.entries, ...found.read.page.changed])
          found = undefined
          await this.#rightsOf(membership)
          found = held.take()
        }
        if (found === undefined || !this.#isJoining(membership) || epoch !== catchUp.epoch) return false
        const { read, read: { page }, readPosition } = found
        membership.enter(epoch)
        const resumed = position !== undefined && page.complete
        const end: Cursor = resumed && page.more ? page.entries.at(-1)! : page.head
        const hasCaughtUp = !(resumed && (page.more || page.moreChanged)) && catchUp.isCompleteAfter(page.head)
        const later = hasCaughtUp ? catchUp.laterThan(page.head) : { ...NOTHING, offset: end.offset }
        // Only `joined` can tell the member that messages which it has are out of date.
        const isTold = page.oldest === undefined || page.oldest === oldest
        if (membership.hasJoined && resumed && isTold) {
          whole?.push(page, read)
          this.#counters.deliveries += membership.sendMissed(page, later, whole)
        } else {
          const answer = whole?.joined(page, end, this.#fanOut.streams, resumed ? read : undefined) ?? { ...page, position: end.position }
          this.#counters.deliveries += membership.sendJoined(withUnread(answer, end, readPosition, whole?.streams), catchUp.presence, later, whole)
        }
        oldest = page.oldest ?? oldest
        if (hasCaughtUp) this.#attach(membership, whole)
        position = end.position
        if (reader !== undefined) revision = page.revision
        onJoined()
        return hasCaughtUp
      })
    }
    return isAttached
  }

  /** Resolves when the membership isn't suspended, or no longer joins. */
  async #rightsOf (membership: Membership): Promise<void> {
    while (membership.isSuspended && this.#isJoining(membership)) await membership.rightsKnown
  }

  #isJoining (membership: Membership): boolean {
    return this.#joining.has(membership) && membership.connection.open && !membership.isRefused
  }
}

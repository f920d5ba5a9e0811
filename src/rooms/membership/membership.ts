import { Acknowledgements, type Requester } from './acknowledgements.ts'
import type { Changed } from '../../change.ts'
import type { Connection } from '../../connection/connection.ts'
import type { Payload } from '../../connection/writer.ts'
import type { Batch } from '../batch/batch.ts'
import type { Received } from '../batch/batch-parts.ts'
import type { Format, JoinedPage, Revocation } from '../batch/format.ts'
import { KnownPresence } from '../batch/known-presence.ts'
import type { MemberForms } from './member-forms.ts'
import { MembershipRights, type RightsOwner } from './membership-rights.ts'
import type { WholeMessage } from '../batch/outstanding-streams.ts'
import { CloseCode } from '../../protocol.ts'
import { encodeChanged, encodeChanges, encodeEntries, encodeMessages, encodeReactions, type MembershipOptions, type Receiver } from '../batch/receiver.ts'
import { ReadReports, type ReadReportsOwner } from './read-reports.ts'
import type { Presence } from '../../roster.ts'
import type { Appended, Entry, Member, Page, Position } from '../../store.ts'
import type { WholeReplay } from '../replay/whole-replay.ts'

/** The epoch of a membership that has ended. Rooms count theirs from 0. */
const ENDED = -1

/** The peer of a membership. */
export interface MembershipOwner extends RightsOwner {
  /** Returns the read position of the member in a room; undefined if there is none. */
  readPosition (room: string): Position | undefined
  /** Called when a post of the membership is stored. */
  posted (membership: Membership, appended: Appended): void
}

/** What a member receives after a page from the store: later entries, then later changes; and up to where it has received them then. */
export interface Later extends Received {
  readonly entries: readonly Entry[]
  readonly changes: readonly Changed[]
}

/** A peer's part in one room: what it has received. */
export class Membership implements Receiver, Requester, ReadReportsOwner {
  readonly connection: Connection
  readonly forms: MemberForms
  readonly room: string
  readonly format: Format
  readonly includeSender: boolean
  #offset = 0
  #change = 0
  #joinedOffset = 0
  /** Offsets of different epochs can't be compared. */
  #epoch = 0
  /** Undefined unless the member catches up or is suspended. */
  #presence: KnownPresence | undefined
  readonly #owner: MembershipOwner | undefined
  /** Created when they are first in question, or asked for to signal. */
  #rights: MembershipRights | undefined
  #hasJoined = false
  /** Created when they are first needed. */
  #acknowledgements: Acknowledgements | undefined
  #isAnnounced = false
  /** Created when it is first needed. */
  #reads: ReadReports | undefined

  constructor (connection: Connection, forms: MemberForms, room: string, { format, includeSender }: MembershipOptions, owner?: MembershipOwner) {
    this.connection = connection
    this.#owner = owner
    this.forms = forms
    this.room = room
    this.format = format
    this.includeSender = includeSender
  }

  /** The sender of its messages. */
  get member (): Member { return this.forms.sender }

  /** Whether `onJoin` was called, so that `onLeave` must be called. */
  get isAnnounced (): boolean { return this.#isAnnounced }

  announce (): void { this.#isAnnounced = true }

  /** The id of a member that receives changes, for which the store reads entries; undefined for any other. */
  get reader (): string | undefined { return this.format.change && this.member.id }

  get offset (): number { return this.#offset }
  get change (): number { return this.#change }
  get epoch (): number { return this.#epoch }
  get joinedOffset (): number { return this.#joinedOffset }

  get acknowledgements (): Acknowledgements { return (this.#acknowledgements ??= new Acknowledgements(this)) }

  /** Whether the member waits for a change of its own. */
  get awaitsChange (): boolean { return this.#acknowledgements?.awaitsChange === true }

  /**
   * Whether a batch can be written before the end of the tick. False while bytes are pending: the connection compares them with the limit
   * at its first write of a tick. False while a request is unsettled: its acknowledgement is sent in the write of its message.
   */
  get isReady (): boolean { return this.connection.writer.pendingBytes === 0 && this.#acknowledgements?.areSettled !== false }

  get hasEnded (): boolean { return this.#epoch === ENDED }

  /** Whether the answer to the join was sent. */
  get hasJoined (): boolean { return this.#hasJoined }

  get isLive (): boolean {
    return this.#hasJoined && this.#presence === undefined && !this.isSuspended && !this.isRefused && !this.hasEnded
  }

  /** Reports the read position of the member to its client. */
  get reads (): ReadReports { return (this.#reads ??= new ReadReports(this)) }

  get rights (): MembershipRights { return (this.#rights ??= new MembershipRights(this, this.#owner)) }

  /** How often the rights of the member were in question, or revoked. */
  get questions (): number { return this.#rights?.questions ?? 0 }

  /** Whether the member receives nothing, because the app is asked for its rights. */
  get isSuspended (): boolean { return this.#rights?.known !== undefined }

  /** Resolves when the membership isn't suspended, its rights were revoked, or it has ended; undefined if it isn't suspended. */
  get rightsKnown (): Promise<void> | undefined { return this.#rights?.known }

  /** Whether `assertMay` throws. */
  get isRefused (): boolean { return this.#rights?.areRefused === true }

  /** @throws Forbidden if the rights of the member were revoked; HookFailed if the hook has failed */
  assertMay (action: string): void { this.#rights?.assertMay(action) }

  /** Begins an epoch of the room. Sends the acknowledgements of the previous epoch. */
  enter (epoch: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#acknowledgements?.endEpoch()
  }

  /** Called when the member has left. Later acknowledgements are sent immediately. */
  end (): void {
    this.enter(ENDED)
    this.#rights?.end()
  }

  /** Called when the member, which has caught up, must catch up again. @param presence at this moment */
  suspend (presence: Presence): void {
    this.#presence = new KnownPresence(presence, true)
    // The client has received each move so far, or knows it from a message of its own.
    this.#clientKnows(this.readPosition)
  }

  /** Sends the last message of the room after `end`. Closes the connection if its wire has none. */
  sendLeft ({ code, message }: Revocation): void {
    const { left } = this.format
    if (left === undefined) this.connection.close(CloseCode.forbidden, message)
    else this.connection.writer.reply(left(this.room, code, message))
  }

  /** Sends the answer to the join, or a new view of the room after a break. Returns the number of messages sent. */
  sendJoined (page: JoinedPage, presence: Presence, later: Later, whole?: WholeReplay): number {
    this.#presence = new KnownPresence(presence, false)
    const resumed = page.complete ? whole?.resumed : undefined
    if (resumed !== undefined || this.#acknowledgements !== undefined) this.acknowledgements.resumeAfter(resumed)
    this.#hasJoined = true
    this.#joinedOffset = later.offset
    this.#clientKnows(page.readPosition)
    return this.#replay(this.format.joined(this.room, page, presence, this.forms.listed), page.entries.length + page.changed.length, later, whole)
  }

  /** Sends further missed entries, and the entries that changed. Returns the number of messages sent. */
  sendMissed ({ entries, changed }: Pick<Page, 'entries' | 'changed'>, later: Later, whole?: WholeReplay): number {
    const payloads = whole === undefined ? [...encodeEntries(this, entries), ...encodeChanged(this, changed)] : []
    return this.#replay(payloads, whole === undefined ? entries.length + changed.length : 0, later, whole)
  }

  /** Sends which reactions of an entry are the member's own. @param entry read for this member */
  sendReactions (entry: Entry): void {
    const payload = encodeReactions(this, entry)
    if (payload !== undefined) this.connection.writer.reply(payload)
  }

  /** Called when the member has caught up. Sends the change of presence since `sendJoined` or `suspend`. */
  caughtUp (presence: Presence): void {
    const diff = this.#presence?.changeTo(presence)
    const payload = diff && this.format.signal(this.room, { presence: diff })
    if (payload !== undefined) this.connection.writer.reply(payload)
    this.#presence = undefined
    if (this.#reads !== undefined || this.readPosition !== undefined) this.reads.report()
  }

  get readPosition (): Position | undefined { return this.format.read && this.#owner?.readPosition(this.room) }

  posted (appended: Appended): void { this.#owner?.posted(this, appended) }

  /** Sends a batch. Returns the number of messages sent. */
  deliver (batch: Batch): number {
    const offset = this.#offset
    const change = this.#change
    const { writer } = this.connection
    const encoded = batch.encodedIn(this.format)
    if (offset < batch.last) this.#offset = batch.last
    if (change < batch.lastChange) this.#change = batch.lastChange
    if (batch.messages !== undefined && this.reader === undefined && batch.hasSender(this.member.id)) this.#keepPositions(batch.messages)
    const acks = this.#acknowledgements?.take(this.#offset, this.#change)
    if (offset < batch.first && change < batch.firstChange && this.#receivesAll(batch)) {
      const { bytes, payloads: { length }, signals } = encoded
      // A batch of streaming entries has no message for a member without changes.
      if (bytes.length === 0 && acks === undefined) return 0
      return writer.write(bytes, length + signals, acks) ? length : 0
    }
    let sent = -encoded.signals
    for (const { framed, messages, own } of batch.parts.of(encoded, this, { offset, change }, acks)) {
      if (!writer.write(framed, messages, own)) return 0
      sent += messages
    }
    return Math.max(sent, 0)
  }

  /** Returns whether all of a batch is for this member, and nothing else. */
  #receivesAll (batch: Batch): boolean {
    const hasOwnPart = this.reader === undefined ? batch.hasChanges : !batch.isShared
    return !hasOwnPart && (this.includeSender || !batch.hasSender(this.member.id))
  }

  /**
   * Resolves when the posts and changes so far were sent to the member or refused, or may never be sent; undefined if that is now.
   * Never rejects. Call it only once.
   */
  delivered (): Promise<unknown> | undefined { return this.#acknowledgements?.delivered() }

  #clientKnows (position: Position | undefined): void {
    if (position !== undefined || this.#reads !== undefined) this.reads.clientKnows(position)
  }

  #keepPositions (messages: readonly WholeMessage[]): void {
    for (const { entry } of messages) if (entry.from?.id === this.member.id) this.acknowledgements.keepPosition(entry)
  }

  /** @param count of the messages in `payloads` */
  #replay (payloads: readonly Payload[], count: number, later: Later, whole: WholeReplay | undefined): number {
    this.#offset = later.offset
    this.#change = later.change
    const wholeMessages = whole?.take(later)
    if (wholeMessages !== undefined) this.#keepPositions(wholeMessages)
    const rest = wholeMessages === undefined
      ? [...encodeEntries(this, later.entries), ...encodeChanges(this, later.changes)]
      : encodeMessages(this, wholeMessages)
    const all = [...payloads, ...rest, ...this.#acknowledgements?.take(this.#offset, this.#change) ?? []]
    const messages = count + (whole === undefined ? later.entries.length + later.changes.length : rest.length)
    return this.connection.writer.replay(all, messages) ? messages : 0
  }
}

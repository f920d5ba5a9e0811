import type { Amended, Changed } from '../change.ts'
import type { Connection } from '../connection/connection.ts'
import type { Payload } from '../connection/writer.ts'
import type { Batch } from './batch.ts'
import type { Received } from './batch-parts.ts'
import type { Format, JoinedPage } from './format.ts'
import type { MemberForms } from './member-forms.ts'
import { MembershipRights, type Revocation, type RightsOwner } from './membership-rights.ts'
import { ownReactions, reactionsOf, wholeChange } from './merged-change.ts'
import { OwnPositions } from './own-positions.ts'
import type { WholeMessage } from './outstanding-streams.ts'
import { difference, wholeList } from './presence-diff.ts'
import { CloseCode } from '../protocol.ts'
import { encodeChanged, encodeChanges, encodeEntries, encodeMessages, type MembershipOptions, type Receiver } from './receiver.ts'
import type { Presence } from '../roster.ts'
import type { Cursor, Entry, Member, Page, Position } from '../store.ts'
import { UndeliveredRequests } from './undelivered-requests.ts'
import type { WholeReplay } from './whole-replay.ts'

/** ms for which an answer of `authorize` is reused for signals: clients send `typing` every few seconds. */
const SIGNALS_ALLOWED = 5_000

/** The epoch of a membership that has ended. Rooms count theirs from 0. */
const ENDED = -1

/** What a member receives after a page from the store: later entries, then later changes; and up to where it has received them then. */
export interface Later extends Received {
  readonly entries: readonly Entry[]
  readonly changes: readonly Changed[]
}

/** A peer's part in one room: what it has received, and the acknowledgements that wait. */
export class Membership implements Receiver {
  readonly connection: Connection
  readonly forms: MemberForms
  readonly room: string
  readonly format: Format
  readonly includeSender: boolean
  /** Entries up to this offset were sent to the member, or are not sent. */
  #offset = 0
  /** Changes up to this number were sent to the member, or are not sent. */
  #change = 0
  /** The epoch of the room to which `#offset` and `#change` belong: offsets of different epochs can't be compared. */
  #epoch = 0
  /** The presence that the member knows, while it catches up or is suspended; else undefined. */
  #presence: Presence | undefined
  /** Whether the member may not have been sent all members of `#presence`: those that have entered since the last report. */
  #mayLackMembers = false
  readonly #owner: RightsOwner | undefined
  /** Created when they are first in question. */
  #rights: MembershipRights | undefined
  #hasJoined = false
  /** Created for the first post. */
  #posts: UndeliveredRequests | undefined
  /** Created for the first change. */
  #changes: UndeliveredRequests | undefined
  /** Created for the first position on the wire that differs from the one in the store. */
  #positions: OwnPositions | undefined
  #isAnnounced = false
  /** The last answer of `authorize` for signals. until: as of `performance.now()`. questions: as of the answer. */
  #signals: { readonly isAllowed: boolean, readonly until: number, readonly questions: number } | undefined

  constructor (connection: Connection, forms: MemberForms, room: string, { format, includeSender }: MembershipOptions, owner?: RightsOwner) {
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

  /** Whether the member waits for a change of its own. */
  get awaitsChange (): boolean { return this.#changes?.isEmpty === false }

  get hasEnded (): boolean { return this.#epoch === ENDED }

  /** Whether the answer to the join was sent. */
  get hasJoined (): boolean { return this.#hasJoined }

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

  /** The answer that was passed to `rememberSignals`; undefined when it is no longer valid. */
  get isSignalAllowed (): boolean | undefined {
    const answer = this.#signals
    return answer !== undefined && answer.until > performance.now() && answer.questions === this.questions ? answer.isAllowed : undefined
  }

  /** Remembers the answer of `authorize` for signals for `SIGNALS_ALLOWED` ms. */
  rememberSignals (isAllowed: boolean): void {
    this.#signals = { isAllowed, until: performance.now() + SIGNALS_ALLOWED, questions: this.questions }
  }

  /** Begins an epoch of the room. Sends the acknowledgements of the previous epoch. Their messages may never be sent. */
  enter (epoch: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    for (const ack of this.#takeAcks(Infinity, Infinity) ?? []) this.connection.writer.reply(ack)
    this.#positions = undefined
  }

  /** Called when the member has left. Later acknowledgements are sent immediately. */
  end (): void {
    this.enter(ENDED)
    this.#rights?.end()
  }

  /** Called when the membership is suspended while it isn't catching up. @param presence at this moment */
  suspend (presence: Presence): void {
    this.#presence = presence
    this.#mayLackMembers = true
  }

  /** Sends the last message of the room after `end`. Closes the connection if its wire has none. */
  sendLeft ({ code, message }: Revocation): void {
    const { left } = this.format
    if (left === undefined) this.connection.close(CloseCode.forbidden, message)
    else this.connection.writer.reply(left(this.room, code, message))
  }

  /** Sends the answer to the join, or a new view of the room after a break. Returns the number of messages sent. */
  sendJoined (page: JoinedPage, presence: Presence, later: Later, whole?: WholeReplay): number {
    this.#presence = presence
    this.#resumeAfter(page.complete ? whole?.resumed : undefined)
    this.#mayLackMembers = false
    this.#hasJoined = true
    return this.#replay(this.format.joined(this.room, page, presence, this.forms.listed), page.entries.length + page.changed.length, later, whole)
  }

  /** Sends further missed entries, and the entries that changed. Returns the number of messages sent. */
  sendMissed ({ entries, changed }: Pick<Page, 'entries' | 'changed'>, later: Later, whole?: WholeReplay): number {
    const payloads = whole === undefined ? [...encodeEntries(this, entries), ...encodeChanged(this, changed)] : []
    return this.#replay(payloads, whole === undefined ? entries.length + changed.length : 0, later, whole)
  }

  /** Sends which reactions of an entry are the member's own. @param entry read for this member */
  sendReactions (entry: Entry): void {
    const { change } = this.format
    if (change !== undefined) this.connection.writer.reply(change(this.room, reactionsOf(wholeChange(entry)), ownReactions(entry)))
  }

  /** Called when the member has caught up. Sends the change of presence since `sendJoined` or `suspend`. */
  caughtUp (presence: Presence): void {
    const change = this.#presence && difference(this.#presence, presence)
    const isTold = !this.#mayLackMembers || this.#presence === presence
    const diff = isTold ? change : { ...wholeList(presence), left: change?.left ?? [] }
    this.#mayLackMembers = false
    const payload = diff && this.format.signal(this.room, { presence: diff })
    if (payload !== undefined) this.connection.writer.reply(payload)
    this.#presence = undefined
  }

  /** Sends a batch. Returns the number of messages sent. */
  deliver (batch: Batch): number {
    const offset = this.#offset
    const { writer } = this.connection
    const encoded = batch.encodedIn(this.format)
    if (offset < batch.last) this.#offset = batch.last
    if (batch.messages !== undefined && this.reader === undefined && batch.hasSender(this.member.id)) this.#keepPositions(batch.messages)
    if (!batch.hasChanges && offset < batch.first && (this.includeSender || !batch.hasSender(this.member.id))) {
      const { bytes, payloads: { length }, signals } = encoded
      const acks = this.#takePosts(this.#offset)
      // A batch of streaming entries has no message for a member without changes.
      if (bytes.length === 0 && acks === undefined) return 0
      return writer.write(bytes, length + signals, acks) ? length : 0
    }
    const received = { offset, change: this.#change }
    if (received.change < batch.lastChange) this.#change = batch.lastChange
    let sent = -encoded.signals
    for (const { framed, messages, own } of batch.parts.of(encoded, this, received, this.#takeAcks())) {
      if (!writer.write(framed, messages, own)) return 0
      sent += messages
    }
    return Math.max(sent, 0)
  }

  /**
   * Acknowledges a post of this member once it is stored. Sends the acknowledgement with the message. Sends it immediately if
   * the message was sent already, or may never be sent. MUST be called for each post.
   * @param id of the post, chosen by the client; empty for none
   * @param onRejected called if the post was not stored
   */
  acknowledge (stored: Promise<Cursor & { readonly again: boolean }>, id: string, onRejected: (error: unknown) => void): void {
    const epoch = this.#epoch
    const posts = this.#posts ??= new UndeliveredRequests(this.connection.writer)
    posts.add()
    stored.then(({ offset, position, again }) => {
      const ack = this.format.ack(this.room, id, this.#positions?.of({ offset, position }) ?? position)
      if (!again && offset > this.#offset && this.#epoch === epoch && epoch !== ENDED) posts.expect(offset, id, ack)
      else if (ack !== undefined) this.connection.writer.reply(ack)
      posts.settle()
    }, (error: unknown) => {
      onRejected(error)
      posts.settle()
    })
  }

  /**
   * Acknowledges a change that this member has made, once it is stored. Sends the acknowledgement with the change, or immediately,
   * as `acknowledge` does. MUST be called for each change.
   * @param id of the request, chosen by the client
   * @param position of the changed entry
   * @param onRejected called if nothing was changed
   */
  acknowledgeChange (stored: Promise<Amended>, id: string, position: Position, onRejected: (error: unknown) => void): void {
    const epoch = this.#epoch
    const changes = this.#changes ??= new UndeliveredRequests(this.connection.writer)
    changes.add()
    stored.then(({ number, revision, again }) => {
      const ack = this.format.ack(this.room, id, position, revision)
      if (!again && number > this.#change && this.#epoch === epoch && epoch !== ENDED) changes.expect(number, id, ack)
      else if (ack !== undefined) this.connection.writer.reply(ack)
      changes.settle()
    }, (error: unknown) => {
      onRejected(error)
      changes.settle()
    })
  }

  /**
   * Resolves when the posts and changes so far were sent to the member or refused, or may never be sent; undefined if that is now.
   * Never rejects. Call it only once.
   */
  delivered (): Promise<unknown> | undefined {
    const posts = this.#posts?.delivered()
    const changes = this.#changes?.delivered()
    return posts === undefined || changes === undefined ? posts ?? changes : Promise.all([posts, changes])
  }

  /** Returns the acknowledgements of the entries and changes that were sent; undefined for none. */
  #takeAcks (offset = this.#offset, change = this.#change): readonly string[] | undefined {
    const posts = this.#takePosts(offset)
    const changes = this.#changes?.take(change)
    return posts === undefined || changes === undefined ? posts ?? changes : [...posts, ...changes]
  }

  /** Returns the acknowledgements of the posts that were sent, each with the position of its message. */
  #takePosts (offset: number): string[] | undefined {
    const positions = this.#positions
    return this.#posts?.take(offset, positions && ((number, id) => {
      const position = positions.get(number)
      return position && this.format.ack(this.room, id, position)
    }))
  }

  /** @param position see `OwnPositions.resume` */
  #resumeAfter (position: Position | undefined): void {
    if (position !== undefined) this.#positions ??= new OwnPositions()
    this.#positions?.resume(position)
  }

  #keepPositions (messages: readonly WholeMessage[]): void {
    for (const { entry } of messages) if (entry.from?.id === this.member.id) (this.#positions ??= new OwnPositions()).keep(entry)
  }

  /** @param count of the messages in `payloads` */
  #replay (payloads: readonly Payload[], count: number, later: Later, whole: WholeReplay | undefined): number {
    this.#offset = later.offset
    this.#change = later.change
    const rest = whole === undefined
      ? [...encodeEntries(this, later.entries), ...encodeChanges(this, later.changes)]
      : this.#encodeWhole(whole.take(later))
    const all = [...payloads, ...rest, ...this.#takeAcks() ?? []]
    const messages = count + (whole === undefined ? later.entries.length + later.changes.length : rest.length)
    return this.connection.writer.replay(all, messages) ? messages : 0
  }

  #encodeWhole (messages: readonly WholeMessage[]): Payload[] {
    this.#keepPositions(messages)
    return encodeMessages(this, messages)
  }
}

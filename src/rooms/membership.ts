import type { Connection } from '../connection/connection.ts'
import type { Payload } from '../connection/writer.ts'
import type { Batch } from './batch.ts'
import type { Format } from './format.ts'
import { difference } from './presence-diff.ts'
import type { Presence } from '../roster.ts'
import type { Cursor, Entry, Member, Page } from '../store.ts'

/** An acknowledgement that waits for the message at this offset. */
interface Ack { readonly offset: number, readonly text: string }

/** ms for which an answer of `authorize` is reused for typing, which clients send every few seconds. */
const TYPING_ALLOWED = 5_000

/** The epoch of a membership that has ended. Rooms count theirs from 0. */
const ENDED = -1

/** How a member receives the messages of a room. */
export interface MembershipOptions {
  readonly format: Format
  /** whether the member receives its own messages */
  readonly includeSender: boolean
}

/** A peer's part in one room: the offset up to which it has received messages, and the acknowledgements that wait. */
export class Membership {
  readonly connection: Connection
  readonly member: Member
  /** Name of the room. */
  readonly room: string
  readonly #format: Format
  readonly #includeSender: boolean
  /** Entries up to this offset were sent to the member, or are not sent. */
  #offset = 0
  /** The epoch of the room to which `#offset` belongs: offsets of different epochs can't be compared. */
  #epoch = 0
  /** The presence that was sent with `joined`, while the member catches up; undefined afterwards. */
  #presence: Presence | undefined
  /** Acknowledgements that wait for their messages; undefined for none. */
  #acks: Ack[] | undefined
  /** Posts of the member whose outcome is unknown yet. */
  #unsettled = 0
  /** Offset of the last post of the member that is stored; 0 for none in this epoch. */
  #lastPost = 0
  /** Called when all posts of the member were sent to it. */
  #onDelivered: (() => void) | undefined
  #isAnnounced = false
  /** The last answer of `authorize` for typing. until: as of `performance.now()`. */
  #typing: { readonly isAllowed: boolean, readonly until: number } | undefined

  constructor (connection: Connection, member: Member, room: string, { format, includeSender }: MembershipOptions) {
    this.connection = connection
    this.member = member
    this.room = room
    this.#format = format
    this.#includeSender = includeSender
  }

  /** Whether `onJoin` was called, so that `onLeave` must be called. */
  get isAnnounced (): boolean { return this.#isAnnounced }

  announce (): void { this.#isAnnounced = true }

  /** The answer that was passed to `rememberTyping`; undefined when it is no longer valid. */
  get isTypingAllowed (): boolean | undefined {
    return this.#typing !== undefined && this.#typing.until > performance.now() ? this.#typing.isAllowed : undefined
  }

  /** Remembers the answer of `authorize` for typing for `TYPING_ALLOWED` ms. */
  rememberTyping (isAllowed: boolean): void {
    this.#typing = { isAllowed, until: performance.now() + TYPING_ALLOWED }
  }

  /** Begins an epoch of the room. Sends the acknowledgements of the previous epoch. Their messages may never be sent. */
  enter (epoch: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#lastPost = 0
    this.#sendAllAcks()
    this.#reportDelivered()
  }

  /** Called when the member has left. Later acknowledgements are sent immediately. */
  end (): void { this.enter(ENDED) }

  /**
   * Sends the answer to the join, or a new view of the room after a break.
   * @param later entries that were stored after the page was read
   * @param offset offset of the last entry that the member has afterwards
   * @returns the number of messages sent
   */
  sendJoined (page: Page, presence: Presence, later: readonly Entry[], offset: number): number {
    this.#presence = presence
    const payloads = this.#format.joined(this.room, page, presence, this.member)
    return this.#replay(later.length === 0 ? payloads : [...payloads, ...this.#encode(later)], offset, page.entries.length + later.length)
  }

  /**
   * Sends further missed entries.
   * @param offset offset of the last entry that the member has afterwards
   * @returns the number of messages sent
   */
  sendMissed (entries: readonly Entry[], offset: number): number {
    return this.#replay(this.#encode(entries), offset, entries.length)
  }

  /** Called when the member has caught up. Sends the change of presence since `sendJoined`. */
  caughtUp (presence: Presence): void {
    const diff = this.#presence && difference(this.#presence, presence)
    const payload = diff && this.#format.signal(this.room, { presence: diff })
    if (payload !== undefined) this.connection.writer.reply(payload)
    this.#presence = undefined
  }

  /** Sends a batch. Returns the number of messages sent. */
  deliver (batch: Batch): number {
    const offset = this.#offset
    const { writer } = this.connection
    const encoded = batch.encodedIn(this.#format)
    if (offset < batch.last) this.#offset = batch.last
    if (offset < batch.first && (this.#includeSender || !batch.hasSender(this.member.id))) {
      const { bytes, payloads: { length }, signals } = encoded
      return writer.write(bytes, length + signals, this.#takeAcks()) ? length : 0
    }
    const entries = batch.entriesAfter(offset, this.#includeSender ? undefined : this.member.id, encoded)
    const acks = this.#takeAcks()
    if (entries.length + encoded.signals > 0) {
      const bytes = Buffer.concat([...entries, batch.signalsOf(encoded)])
      return writer.write(bytes, entries.length + encoded.signals, acks) ? entries.length : 0
    }
    for (const ack of acks ?? []) writer.reply(ack)
    return 0
  }

  /**
   * Acknowledges a post of this member once it is stored. Sends the acknowledgement with the message. Sends it immediately if
   * the message was sent already, or may never be sent. MUST be called for each post.
   * @param id of the post, chosen by the client; empty for none
   * @param onRejected called if the post was not stored
   */
  acknowledge (stored: Promise<Cursor & { readonly again: boolean }>, id: string, onRejected: (error: unknown) => void): void {
    const epoch = this.#epoch
    this.#unsettled++
    stored.then(({ offset, position, again }) => {
      this.#unsettled--
      const { writer } = this.connection
      const text = this.#format.ack(this.room, id, position)
      const isSent = again || this.#offset >= offset || this.#epoch !== epoch || epoch === ENDED
      if (!isSent) this.#lastPost = Math.max(this.#lastPost, offset)
      if (text !== undefined && isSent) {
        writer.reply(text)
      } else if (text !== undefined) {
        (this.#acks ??= []).push({ offset, text })
        writer.charge(ackCost(text))
      }
      this.#reportDelivered()
    }, (error: unknown) => {
      this.#unsettled--
      onRejected(error)
      this.#reportDelivered()
    })
  }

  /**
   * Resolves when the posts so far were sent to the member or refused, or may never be sent; undefined if that is now. Never
   * rejects. Call it only once.
   */
  delivered (): Promise<void> | undefined {
    return this.#hasUndelivered ? new Promise((resolve) => { this.#onDelivered = resolve }) : undefined
  }

  get #hasUndelivered (): boolean { return this.#unsettled > 0 || this.#lastPost > this.#offset }

  #reportDelivered (): void {
    if (this.#onDelivered !== undefined && !this.#hasUndelivered) this.#onDelivered()
  }

  #replay (payloads: readonly Payload[], offset: number, messages: number): number {
    this.#offset = offset
    const acks = this.#takeAcks()
    return this.connection.writer.replay(acks === undefined ? payloads : [...payloads, ...acks], messages) ? messages : 0
  }

  #encode (entries: readonly Entry[]): Payload[] {
    return entries.filter(({ from }) => this.#includeSender || from?.id !== this.member.id).map((entry) => this.#format.entry(this.room, entry))
  }

  /** Removes and returns the acknowledgements of messages up to `#offset`; undefined for none. */
  #takeAcks (): string[] | undefined {
    this.#reportDelivered()
    const acks = this.#acks
    if (acks === undefined) return undefined
    const due = acks.filter(({ offset }) => offset <= this.#offset)
    if (due.length === 0) return undefined
    this.#acks = due.length === acks.length ? undefined : acks.filter(({ offset }) => offset > this.#offset)
    return due.map((ack) => this.#release(ack))
  }

  #sendAllAcks (): void {
    const acks = this.#acks ?? []
    this.#acks = undefined
    for (const ack of acks) this.connection.writer.reply(this.#release(ack))
  }

  /** Releases the charge for an acknowledgement. Returns its text. */
  #release ({ text }: Ack): string {
    this.connection.writer.release(ackCost(text))
    return text
  }
}

/** Returns the bytes of memory of an acknowledgement: its text, the strings that it is joined from, and its object. */
function ackCost (text: string): number { return 256 + 2 * text.length }

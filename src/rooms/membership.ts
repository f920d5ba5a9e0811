import type { Connection } from '../connection/connection.ts'
import type { Payload } from '../connection/writer.ts'
import type { Batch } from './batch.ts'
import type { Format } from './format.ts'
import { difference } from './presence-diff.ts'
import type { Presence } from '../roster.ts'
import type { Cursor, Entry, Member, Page } from '../store.ts'
import { UndeliveredPosts } from './undelivered-posts.ts'

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
  /** Created for the first post. */
  #posts: UndeliveredPosts | undefined
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

  get hasEnded (): boolean { return this.#epoch === ENDED }

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
    for (const ack of this.#posts?.take(Infinity) ?? []) this.connection.writer.reply(ack)
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
      return writer.write(bytes, length + signals, this.#posts?.take(this.#offset)) ? length : 0
    }
    const entries = batch.entriesAfter(offset, this.#includeSender ? undefined : this.member.id, encoded)
    const acks = this.#posts?.take(this.#offset)
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
    const posts = this.#posts ??= new UndeliveredPosts(this.connection.writer)
    posts.add()
    stored.then(({ offset, position, again }) => {
      const ack = this.#format.ack(this.room, id, position)
      if (!again && offset > this.#offset && this.#epoch === epoch && epoch !== ENDED) posts.expect(offset, ack)
      else if (ack !== undefined) this.connection.writer.reply(ack)
      posts.settle()
    }, (error: unknown) => {
      onRejected(error)
      posts.settle()
    })
  }

  /**
   * Resolves when the posts so far were sent to the member or refused, or may never be sent; undefined if that is now. Never
   * rejects. Call it only once.
   */
  delivered (): Promise<void> | undefined { return this.#posts?.delivered() }

  #replay (payloads: readonly Payload[], offset: number, messages: number): number {
    this.#offset = offset
    const acks = this.#posts?.take(offset)
    return this.connection.writer.replay(acks === undefined ? payloads : [...payloads, ...acks], messages) ? messages : 0
  }

  #encode (entries: readonly Entry[]): Payload[] {
    return entries.filter(({ from }) => this.#includeSender || from?.id !== this.member.id).map((entry) => this.#format.entry(this.room, entry))
  }
}

import type { ClientTypes, DataOf, MemberDataOf, Message } from '../app-data.ts'
import { assertArgument, assertPosition } from '../argument-checks.ts'
import { PAGE_SIZE } from '../bounds.ts'
import { deliveries } from './deliveries.ts'
import { dispose } from '../dispose.ts'
import { Emitter } from '../emitter.ts'
import type { ChatError } from '../error.ts'
import type { Post, RequestedChange, RoomState } from '../requests/pending-request.ts'
import { waitingPosts, type WaitingPost } from '../requests/request-queue.ts'
import type { HistoryPage, Member, RoomEvents, RoomMessage } from '../room-events.ts'
import { updatedMembers } from './present-members.ts'
import type { RoomClient } from './room-client.ts'
import type { RoomReads } from './room-reads.ts'
import { sendSignal, typingIn } from './signals.ts'
import { streamedTexts } from './streamed-texts.ts'
import { Timeline } from './timeline/timeline.ts'

/**
 * A joined room: its messages, its members, and methods to post and to change messages. Events that arrive between `join()` and
 * the first listener or iteration are buffered, including the end but not `typing` and `signal`. They are replayed to it and to all listeners
 * that are attached synchronously after it. If there are more than 1,000, one `joined` with `complete: false` replaces them.
 */
export class ClientRoom<Types extends ClientTypes = ClientTypes> extends Emitter<RoomEvents<Types>> implements AsyncIterable<Message<DataOf<Types>>> {
  readonly name: string
  /** The members that are present, by id; at most as many as the server lists. Replaced by another map at each change. */
  members: ReadonlyMap<string, Member<MemberDataOf<Types>>> = new Map()
  /** Number of members that are present, listed or not. */
  count = 0
  /** Whether `members` and `count` may be out of date, because the server has lost contact with the other nodes. */
  stale = false
  /**
   * Position of the last message that was received. A slow loop may not have reached it yet. To continue in a later client,
   * keep the position of the last message that the app has handled.
   */
  position: string | undefined
  /** Revision of the last change that was received; undefined if the server doesn't support changes. */
  revision: string | undefined
  /**
   * Whether the server keeps messages before the first one of the view: of the last `joined` that began a view, and of the pages of
   * `history()` that continue it. As of the last of these pages; undefined without one, because `joined` doesn't report it.
   */
  hasOlder: boolean | undefined
  /** Position before which the next page continues the view. undefined: not known yet. */
  #first: string | undefined
  readonly #client: RoomClient
  readonly #reads: RoomReads
  readonly #typing: (on: boolean) => void
  readonly #resumed: boolean
  readonly #checkStreams = streamedTexts()
  readonly #deliveries = deliveries((name, event) => this.emit(name, event as RoomEvents<Types>[typeof name]), () => this.#gap())
  #ended: ChatError | undefined

  /** @param state what an earlier client has received of the room */
  constructor (name: string, { position, revision }: RoomState, client: RoomClient) {
    super(['joined', 'message', 'changed', 'presence', 'typing', 'signal', 'readPosition', 'left'])
    this.name = name
    this.position = position
    this.revision = revision
    this.#client = client
    this.#reads = client.reads.open(name)
    this.#typing = typingIn(client.server, name)
    this.#resumed = position !== undefined
    this.#reads.onMoved = () => this.#deliveries.push({ type: 'readPosition', position: this.readPosition, unread: this.unread })
  }

  /** Position of the message up to which this member has read the room, on any device; undefined if the member has none. */
  get readPosition (): string | undefined { return this.#reads.position }

  /** Number of messages after `readPosition`; undefined if there is none. */
  get unread (): number | undefined { return this.#reads.unread }

  protected override add<Name extends keyof RoomEvents> (name: Name, listener: (event: RoomEvents<Types>[Name]) => void, once: boolean): () => void {
    const off = super.add(name, listener, once)
    this.#deliveries.replay()
    return off
  }

  /**
   * Posts a message. Resolves with its position once it is stored. If the connection is lost, the post is sent again, and
   * stored once. Posts of a room are stored in order, except those in flight when the server couldn't store an earlier one.
   * Rejects with a ChatError. Its code is the error code of the server (`stale_post` if the server no longer knows whether it
   * stored the post), `unknown` if the room was left before the outcome was known, `overflow` if too many posts are waiting,
   * `invalid`, `too_large`, `left` or `closed`. Rejects with a TypeError if `data` can't be serialized as JSON.
   * The promise has the id of the request as its `id`.
   * @param data a JSON value for the app's own use; the app may validate it on the server
   */
  post (text: string, data?: DataOf<Types>): Post {
    const post = this.#client.requests.post(this.name, text, data, this.#ended)
    this.onPost({ post, text, data })
    return post
  }

  /**
   * Replaces the text and the data of a message. Resolves when it is changed for all members, who receive `changed`. If the
   * connection is lost, the change is sent again, and made once. Changes of one message are made in order. Rejects with a
   * ChatError. Its code is the error code of the server, such as `not_kept`, `deleted` or `forbidden`; `unsupported` if the server
   * has no changes; or one of those of `post`. Rejects with a TypeError if `data` can't be serialized as JSON.
   * @param position of the message
   * @param data a JSON value for the app's own use; without it, the message has none afterwards
   */
  edit (position: string, text: string, data?: DataOf<Types>): Promise<void> {
    return this.#change({ type: 'edit', position, text, data })
  }

  /** Removes the content and the reactions of a message. Resolves and rejects as `edit`. Deleting twice has no further effect. */
  delete (position: string): Promise<void> { return this.#change({ type: 'delete', position }) }

  /**
   * Adds this member's reaction to a message. Resolves and rejects as `edit`. Reacting twice has no further effect.
   * @param reaction such as '👍': any text of 1 to 64 characters, without control characters
   */
  react (position: string, reaction: string): Promise<void> {
    return this.#change({ type: 'react', position, reaction, on: true })
  }

  /** Removes this member's reaction from a message. Resolves and rejects as `edit`. */
  unreact (position: string, reaction: string): Promise<void> {
    return this.#change({ type: 'react', position, reaction, on: false })
  }

  /**
   * Reports to the other members that this member is typing, at most once a second, or with `false` that it has stopped. Dropped while
   * offline, and beyond the server's rate limit.
   */
  typing (on = true): void { if (this.#isJoined) this.#typing(on) }

  /**
   * Sends an event of the app's own to the members of the room. It is stored nowhere. Returns whether it was sent: not while
   * offline, nor beyond the server's rate limit. The client emits `error` if the server refuses it.
   * @param data a JSON value
   * @throws TypeError if `data` can't be serialized as JSON; ChatError with `invalid`, `too_large` or, if the server has no signals,
   * `unsupported`
   */
  signal (data: unknown): boolean { return this.#isJoined && sendSignal(this.#client.server, this.name, data) }

  /**
   * Marks the room as read up to a message, on all devices of the member. Never moves the read position back. The server is notified
   * at most once a second, after the next reconnect if the client is offline. A server without read positions isn't notified: the
   * client then counts until the room is left.
   * @param position of the message; default: the last one that was received
   * @throws ChatError with `invalid` if it isn't a position
   */
  markRead (position = this.position): void {
    assertPosition('position', position)
    if (this.#ended === undefined) this.#reads.move(position, true)
  }

  /**
   * Resolves with a page of older messages. Rejects with a ChatError. Its code is the error code of the server, `invalid` for a
   * wrong argument, `offline` if the room is not joined now or the connection is lost, `left` or `closed`.
   * @param before position of a message; the page ends just before it
   * @param limit maximum messages of the page; the server may send fewer
   */
  history (before: string, limit = PAGE_SIZE): Promise<HistoryPage<DataOf<Types>>> {
    const page = this.#client.pages.history(this, before, limit, 'before', this.#ended)
    page.then(({ messages, more }) => {
      if (before !== (this.#first ??= before)) return
      this.#first = messages[0]?.position
      this.hasOlder = more
    }, () => { /* reported by `page` */ })
    return page as Promise<HistoryPage<DataOf<Types>>>
  }

  /**
   * Returns the messages of the room as an app shows them. A rejection of `post` is handled by it: the post is shown as failed.
   * @param options size: maximum stored messages in the window, at least 50; default: 500
   * @throws ChatError with `invalid`
   */
  timeline ({ size = 500 }: { readonly size?: number | undefined } = {}): Timeline<Types> {
    assertArgument(Number.isInteger(size) && size >= 50, 'size must be an integer of at least 50')
    const timeline = new Timeline(this, this.#client, this.#deliveries, size)
    waitingPosts(this.#client.requests.queue, this.name).forEach((post) => timeline.onPost(post))
    this.#deliveries.attach(timeline)
    return timeline
  }

  /**
   * Leaves the room permanently. A later `join()` resolves with another object. Posts and changes that were not sent yet reject
   * with `left`. Those in flight settle with the server's answer, or reject with `unknown` if the connection is lost first.
   */
  leave (): void {
    if (this.#ended === undefined) this.#client.leave(this.name)
    else this.end(this.#ended, true)
  }

  /** Leaves the room, like `leave()`, at the end of a block with `using`. */
  [dispose] (): void { this.leave() }

  /**
   * Iterates over all later messages, including those missed while offline, each as it is when the loop receives it: a streamed
   * message with the text that it has by then, and `streaming: true`. After an
   * incomplete `joined`, iterates over the messages that it contains. Ends when the room is left or the client is closed. Throws a
   * ChatError when the server ends the membership. Throws one with `overflow` when the loop is 10,000 messages behind, or when
   * events before the first listener were dropped.
   */
  [Symbol.asyncIterator] (): AsyncIterableIterator<Message<DataOf<Types>>> {
    return this.#deliveries.iterate() as AsyncIterableIterator<Message<DataOf<Types>>>
  }

  /**
   * Called by the client with each server message of this room.
   * @throws if a part of a streamed text is missing: the client then has to resume from what the room had received before
   */
  receive (message: RoomMessage): void {
    this.#checkStreams(message)
    const again = this.position !== undefined
    this.#update(message, again)
    this.#deliveries.push(message.type === 'joined' ? { ...message, again } : message)
  }

  /** Called with each post that waits for acknowledgement: of this room, and of earlier clients. */
  onPost (post: WaitingPost): void {
    for (const timeline of this.#deliveries.timelines) timeline.onPost(post)
  }

  /** Called by the client when the membership has ended. @param own whether by `leave()` or `close()` */
  end (error: ChatError, own: boolean): void {
    this.#ended = error
    if (own) this.drop()
    this.#deliveries.end(error, own)
  }

  /** Whether this object is the room that is joined on this connection: another object may have its name. */
  get #isJoined (): boolean { return this.#client.server.joinedRooms.get(this.name) === this }

  #change (change: RequestedChange): Promise<void> {
    return this.#client.requests.change(this.name, change, this.#ended)
  }

  #gap (): RoomEvents['joined'] {
    const { name: room, count, stale, position = '', revision } = this
    const now = { room, members: [...this.members.values()], count, ...stale && { stale }, position, ...revision !== undefined && { revision } }
    return { type: 'joined', ...now, messages: [], complete: false, again: this.#resumed }
  }

  #update (message: RoomMessage, again: boolean): void {
    if (message.type === 'joined') {
      const isContinued = again && message.complete
      this.#reads.join(message, isContinued)
      if (!isContinued) {
        this.#first = message.messages[0]?.position
        this.hasOlder = undefined
      }
    } else if (message.type === 'message') this.#reads.add(message)
    if (message.type === 'joined' || message.type === 'message') this.position = message.position
    if (message.type === 'joined' || message.type === 'changed') this.revision = message.revision
    if (message.type !== 'joined' && message.type !== 'presence') return
    this.members = updatedMembers(this.members, message) as typeof this.members
    this.count = message.count
    this.stale = message.stale === true
  }
}

import type { Message } from '../messages.ts'
import type { ServerMessage } from '../protocol.ts'
import { rejected } from './deferred.ts'
import { Emitter } from './emitter.ts'
import { ChatError } from './error.ts'
import { Iteration } from './iteration.ts'

type Of<Type extends ServerMessage['type']> = Extract<ServerMessage, { type: Type }>
export type Joined = Of<'joined'>
/** id: the same for all connections of a member. name: empty if the member has none. */
export type Identity = Joined['members'][number]
/** messages: oldest first. more: older ones exist. complete: false if the server no longer knows the position. */
export type HistoryPage = Pick<Of<'history'>, 'messages' | 'more' | 'complete'>

export interface RoomEvents {
  /**
   * Emitted when the room is joined, and again (`again`) after each reconnect or when the server has lost the room's history.
   * If `complete` is true, `messages` are those missed, or the first part of them: `message` events deliver the rest.
   * Otherwise `messages` are the newest ones; discard the earlier ones, because there may be a gap. If too many events
   * arrived before the first listener, `complete` is false and `messages` is empty.
   */
  joined: Joined & { readonly again: boolean }
  message: Message
  /** Emitted when members joined or left, after the update of `room.members` and `room.count`. */
  presence: Pick<Of<'presence'>, 'joined' | 'left' | 'count' | 'stale'>
  typing: Identity
  /**
   * Emitted last, when the server ends the membership, with the reason; `closed` if the server closed the client. Not emitted
   * after `leave()` and `close()`.
   */
  left: ChatError
}

/** The operations that a room delegates to its client. */
export interface RoomLink {
  post (text: string, data: unknown): Promise<string>
  history (before: string, limit: number): Promise<HistoryPage>
  typing (): void
  leave (): void
}

type Incoming =
  | Of<'message' | 'presence' | 'typing'>
  | RoomEvents['joined']
  /** Replaces the buffered events when there are too many. */
  | { readonly type: 'gap', readonly joined: RoomEvents['joined'] }
  | { readonly type: 'end', readonly error: ChatError }

/** Most events that are buffered for the first listener. */
const MAX_BUFFERED = 1_000

/**
 * A joined room: its messages, its members and a method to post. Events that arrive between `join()` and the first listener
 * or iteration are buffered, including the end but not `typing`. They are replayed to it and to all listeners that are
 * attached synchronously after it. If there are more than 1,000, one `joined` with `complete: false` replaces them.
 */
export class ClientRoom extends Emitter<RoomEvents> implements AsyncIterable<Message> {
  readonly name: string
  /** The members that are present, by id; at most as many as the server lists. */
  readonly members = new Map<string, Identity>()
  /** Number of members that are present, listed or not. */
  count = 0
  /** Whether `members` and `count` may be out of date, because the server has lost contact with the other nodes. */
  stale = false
  /**
   * Position of the last entry that was received; a slow loop may not have reached it yet. To continue in a later client,
   * keep the position of the last message that you handled.
   */
  position: string | undefined
  readonly #link: RoomLink
  readonly #resumed: boolean
  readonly #iterations = new Set<Iteration>()
  #buffered: Incoming[] | undefined = []
  #ended: ChatError | undefined
  /** Whether `leave()` or `close()` ended the room: iterations then end without an error. */
  #endedLocally = false

  constructor (name: string, position: string | undefined, link: RoomLink) {
    super()
    this.name = name
    this.position = position
    this.#link = link
    this.#resumed = position !== undefined
  }

  override on<Name extends keyof RoomEvents> (name: Name, listener: (event: RoomEvents[Name]) => void): () => void {
    this.#replay()
    return super.on(name, listener)
  }

  /**
   * Posts a message. Resolves with its position once it is stored. If the connection is lost, the post is sent again, and
   * stored once. Posts of a room are stored in order, except those in flight when the server could not store an earlier one.
   * Rejects with a ChatError: the code with which the server refused (`stale_post` if it no longer knows whether the post was
   * stored), `unknown` if the room was left before the outcome was known, `overflow` if too many posts are waiting,
   * `invalid`, `too_large`, `left` or `closed`. Rejects with a TypeError if `data` can't be serialized as JSON.
   * @param data a JSON value for the app's own use; the app may validate it on the server
   */
  post (text: string, data?: unknown): Promise<string> {
    return this.#ended === undefined ? this.#link.post(text, data) : rejected(this.#ended)
  }

  /** Signals to the other members that this one is typing. Sent at most once a second; dropped while offline. */
  typing (): void { this.#link.typing() }

  /**
   * Resolves with a page of older messages. Rejects with a ChatError: the code with which the server refused, `invalid` for a
   * wrong argument, `offline` if the room is not joined now or the connection is lost, `left` or `closed`.
   * @param before position of a message; the page ends just before it
   * @param limit most messages of the page; the server may send fewer
   */
  history (before: string, limit = 50): Promise<HistoryPage> {
    return this.#ended === undefined ? this.#link.history(before, limit) : rejected(this.#ended)
  }

  /**
   * Leaves the room for good; a later `join()` resolves with another object. Posts that were not sent yet reject with `left`.
   * Posts in flight settle with the server's answer, or reject with `unknown` if the connection is lost first.
   */
  leave (): void {
    if (this.#ended === undefined) this.#link.leave()
    else this.end(this.#ended, true)
  }

  /**
   * Iterates over the messages from now on, including those missed while offline; after an incomplete `joined`, those that it
   * contains. Ends when the room is left or the client closed. Throws a ChatError when the server ends the membership, or
   * with `overflow` when the loop is 10,000 messages behind or events before the first listener were dropped.
   */
  [Symbol.asyncIterator] (): AsyncIterableIterator<Message> {
    const iteration: Iteration = new Iteration(() => this.#iterations.delete(iteration))
    this.#iterations.add(iteration)
    if (this.#ended !== undefined && !this.#buffered?.length) this.#endIterations()
    this.#replay()
    return iteration
  }

  /** Called by the client with each message of this room. */
  receive (message: Of<'joined' | 'message' | 'presence' | 'typing'>): void {
    const incoming = message.type === 'joined' ? { ...message, again: this.position !== undefined } : message
    this.#update(message)
    if (this.#buffered === undefined) this.#dispatch(incoming)
    else if (message.type !== 'typing' && this.#buffered.push(incoming) > MAX_BUFFERED) this.#buffered = [this.#gap()]
  }

  /** Called by the client when the membership has ended. @param own whether by `leave()` or `close()` */
  end (error: ChatError, own: boolean): void {
    this.#ended = error
    this.#endedLocally = own
    if (own) {
      this.#buffered = undefined
      this.forget()
      this.#endIterations()
    } else if (this.#buffered === undefined) {
      this.#dispatch({ type: 'end', error })
    } else {
      this.#buffered.push({ type: 'end', error })
    }
  }

  /** Replays the buffered events in a microtask, when all listeners are attached. */
  #replay (): void {
    if (this.#buffered === undefined) return
    queueMicrotask(() => {
      // A listener may end the room, which drops the buffer.
      for (let next = this.#buffered?.shift(); next !== undefined; next = this.#buffered?.shift()) this.#dispatch(next)
      this.#buffered = undefined
    })
  }

  #gap (): Incoming {
    const { name: room, count, stale, position = '' } = this
    const now = { room, members: [...this.members.values()], count, ...stale && { stale }, position }
    return { type: 'gap', joined: { type: 'joined', ...now, messages: [], complete: false, again: this.#resumed } }
  }

  #update (message: Of<'joined' | 'message' | 'presence' | 'typing'>): void {
    switch (message.type) {
      case 'joined':
        this.position = message.position
        this.members.clear()
        for (const member of message.members) this.members.set(member.id, member)
        this.count = message.count
        this.stale = message.stale === true
        break
      case 'message':
        this.position = message.position
        break
      case 'presence':
        for (const { id } of message.left) this.members.delete(id)
        for (const member of message.joined) this.members.set(member.id, member)
        this.count = message.count
        this.stale = message.stale === true
    }
  }

  #dispatch (incoming: Incoming): void {
    switch (incoming.type) {
      case 'joined':
        this.emit('joined', incoming)
        if (incoming.again) for (const missed of incoming.messages) this.#iterate(missed)
        break
      case 'message':
        this.emit('message', incoming)
        this.#iterate(incoming)
        break
      case 'presence':
        this.emit('presence', incoming)
        break
      case 'typing':
        this.emit('typing', incoming.from)
        break
      case 'gap':
        this.#endIterations(new ChatError('overflow', `more than ${MAX_BUFFERED} events came before the iteration began`))
        this.emit('joined', incoming.joined)
        break
      case 'end':
        this.#endIterations()
        this.emit('left', incoming.error)
    }
  }

  #iterate (message: Message): void {
    for (const iteration of this.#iterations) iteration.push(message)
  }

  #endIterations (error = this.#endedLocally ? undefined : this.#ended): void {
    for (const iteration of this.#iterations) iteration.end(error)
  }
}

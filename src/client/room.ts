import type { Message } from '../messages.ts'
import { rejected } from './deferred.ts'
import { Emitter } from './emitter.ts'
import { ChatError } from './error.ts'
import { Iteration } from './iteration.ts'
import { ReplayBuffer } from './replay-buffer.ts'
import type { HistoryPage, Member, Of, RoomEvents } from './room-events.ts'

/** The operations that a room delegates to its client. */
export interface RoomOperations {
  post (text: string, data: unknown): Promise<string>
  history (before: string, limit: number): Promise<HistoryPage>
  typing (): void
  leave (): void
}

type RoomMessage = Of<'joined' | 'message' | 'presence' | 'typing'>

/** An event that a room delivers to its listeners and iterations. */
type Delivery =
  | Of<'message' | 'presence' | 'typing'>
  | RoomEvents['joined']
  /** Replaces the buffered events when there are too many. */
  | { readonly type: 'gap', readonly joined: RoomEvents['joined'] }
  | { readonly type: 'end', readonly error: ChatError }

/** Maximum events that are buffered for the first listener. */
const MAX_BUFFERED = 1_000

/**
 * A joined room: its messages, its members and a method to post. Events that arrive between `join()` and the first listener
 * or iteration are buffered, including the end but not `typing`. They are replayed to it and to all listeners that are
 * attached synchronously after it. If there are more than 1,000, one `joined` with `complete: false` replaces them.
 */
export class ClientRoom extends Emitter<RoomEvents> implements AsyncIterable<Message> {
  readonly name: string
  /** The members that are present, by id; at most as many as the server lists. */
  readonly members = new Map<string, Member>()
  /** Number of members that are present, listed or not. */
  count = 0
  /** Whether `members` and `count` may be out of date, because the server has lost contact with the other nodes. */
  stale = false
  /**
   * Position of the last message that was received. A slow loop may not have reached it yet. To continue in a later client,
   * keep the position of the last message that the app has handled.
   */
  position: string | undefined
  readonly #operations: RoomOperations
  readonly #resumed: boolean
  readonly #iterations = new Set<Iteration>()
  readonly #buffer = new ReplayBuffer<Delivery>((delivery) => this.#dispatch(delivery))
  #ended: ChatError | undefined
  /** Whether `leave()` or `close()` ended the room: iterations then end without an error. */
  #endedLocally = false

  constructor (name: string, position: string | undefined, operations: RoomOperations) {
    super(['joined', 'message', 'presence', 'typing', 'left'])
    this.name = name
    this.position = position
    this.#operations = operations
    this.#resumed = position !== undefined
  }

  override on<Name extends keyof RoomEvents> (name: Name, listener: (event: RoomEvents[Name]) => void): () => void {
    const off = super.on(name, listener)
    this.#buffer.replay()
    return off
  }

  /**
   * Posts a message. Resolves with its position once it is stored. If the connection is lost, the post is sent again, and
   * stored once. Posts of a room are stored in order, except those in flight when the server couldn't store an earlier one.
   * Rejects with a ChatError. Its code is the error code of the server (`stale_post` if the server no longer knows whether it
   * stored the post), `unknown` if the room was left before the outcome was known, `overflow` if too many posts are waiting,
   * `invalid`, `too_large`, `left` or `closed`. Rejects with a TypeError if `data` can't be serialized as JSON.
   * @param data a JSON value for the app's own use; the app may validate it on the server
   */
  post (text: string, data?: unknown): Promise<string> {
    return this.#ended === undefined ? this.#operations.post(text, data) : rejected(this.#ended)
  }

  /** Signals to the other members that this member is typing. Sent at most once a second. Dropped while offline. */
  typing (): void { this.#operations.typing() }

  /**
   * Resolves with a page of older messages. Rejects with a ChatError. Its code is the error code of the server, `invalid` for a
   * wrong argument, `offline` if the room is not joined now or the connection is lost, `left` or `closed`.
   * @param before position of a message; the page ends just before it
   * @param limit maximum messages of the page; the server may send fewer
   */
  history (before: string, limit = 50): Promise<HistoryPage> {
    return this.#ended === undefined ? this.#operations.history(before, limit) : rejected(this.#ended)
  }

  /**
   * Leaves the room permanently. A later `join()` resolves with another object. Posts that were not sent yet reject with `left`.
   * Posts in flight settle with the server's answer, or reject with `unknown` if the connection is lost first.
   */
  leave (): void {
    if (this.#ended === undefined) this.#operations.leave()
    else this.end(this.#ended, true)
  }

  /**
   * Iterates over all later messages, including those missed while offline. After an incomplete `joined`, iterates over the
   * messages that it contains. Ends when the room is left or the client is closed. Throws a ChatError when the server ends the
   * membership. Throws one with `overflow` when the loop is 10,000 messages behind, or when events before the first listener were
   * dropped.
   */
  [Symbol.asyncIterator] (): AsyncIterableIterator<Message> {
    const iteration: Iteration = new Iteration(() => this.#iterations.delete(iteration))
    this.#iterations.add(iteration)
    if (this.#ended !== undefined && this.#buffer.size === 0) this.#endIterations()
    this.#buffer.replay()
    return iteration
  }

  /** Called by the client with each server message of this room. */
  receive (message: RoomMessage): void {
    const delivery = message.type === 'joined' ? { ...message, again: this.position !== undefined } : message
    this.#update(message)
    if (message.type === 'typing' && this.#buffer.open) return
    this.#buffer.push(delivery)
    if (this.#buffer.size > MAX_BUFFERED) this.#buffer.replace(this.#gap())
  }

  /** Called by the client when the membership has ended. @param own whether by `leave()` or `close()` */
  end (error: ChatError, own: boolean): void {
    this.#ended = error
    this.#endedLocally = own
    if (own) {
      this.#buffer.close()
      this.forget()
      this.#endIterations()
    } else {
      this.#buffer.push({ type: 'end', error })
    }
  }

  #gap (): Delivery {
    const { name: room, count, stale, position = '' } = this
    const now = { room, members: [...this.members.values()], count, ...stale && { stale }, position }
    return { type: 'gap', joined: { type: 'joined', ...now, messages: [], complete: false, again: this.#resumed } }
  }

  #update (message: RoomMessage): void {
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

  #dispatch (delivery: Delivery): void {
    switch (delivery.type) {
      case 'joined':
        this.emit('joined', delivery)
        if (delivery.again) for (const missed of delivery.messages) this.#iterate(missed)
        break
      case 'message':
        this.emit('message', delivery)
        this.#iterate(delivery)
        break
      case 'presence':
        this.emit('presence', delivery)
        break
      case 'typing':
        this.emit('typing', delivery.from)
        break
      case 'gap':
        this.#endIterations(new ChatError('overflow', `more than ${MAX_BUFFERED} events arrived before the first listener`))
        this.emit('joined', delivery.joined)
        break
      case 'end':
        this.#endIterations()
        this.emit('left', delivery.error)
    }
  }

  #iterate (message: Message): void {
    for (const iteration of this.#iterations) iteration.push(message)
  }

  #endIterations (error = this.#endedLocally ? undefined : this.#ended): void {
    for (const iteration of this.#iterations) iteration.end(error)
  }
}

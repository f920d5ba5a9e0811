import { CloseCode, ErrorCode, type ServerMessage } from '../protocol.ts'
import { Connection, type Status, type Welcome } from './reconnector.ts'
import { rejected } from './deferred.ts'
import { Emitter } from './emitter.ts'
import { ChatError } from './error.ts'
import { withDefaults, type ChatClientOptions } from './options.ts'
import { Outgoing } from './pending-posts.ts'
import { Pace } from './rate-limiter.ts'
import { Pages } from './history-requests.ts'
import type { ClientRoom } from './room.ts'
import { Seats, type JoinOptions } from './memberships.ts'

export interface ChatClientEvents {
  status: Status
  /** An error from the server that rejects no promise. */
  error: ChatError
}

/** A chat client. After a reconnect it joins its rooms again and repeats the posts that were not acknowledged. */
export class ChatClient extends Emitter<ChatClientEvents> {
  readonly #connection: Connection
  readonly #outgoing: Outgoing
  readonly #pages: Pages
  readonly #memberships: Seats
  readonly #rateLimiter = new Pace()
  #member: string | undefined
  #closed: ChatError | undefined

  /**
   * Connects, and reconnects until `close()` is called or the server closes with a terminal code.
   * @param url of the chat route, such as wss://example.com/chat
   */
  constructor (url: string, options: ChatClientOptions = {}) {
    super()
    const settings = withDefaults(options)
    this.#pages = new Pages((message) => this.#connection.send(message), this.#rateLimiter, settings.backoff())
    this.#outgoing = new Outgoing({
      place: (room) => this.#memberships.live(room)?.position,
      wanted: (room) => this.#memberships.wanted(room),
      send: (json) => this.#connection.send(json)
    }, settings.queue, settings.backoff(), this.#rateLimiter)
    this.#memberships = new Seats({
      send: (message) => {
        const json = JSON.stringify(message)
        this.#rateLimiter.ask(1, json.length, () => this.#connection.send(json))
      },
      typing: (room) => {
        const json = JSON.stringify({ type: 'typing', room })
        if (this.#rateLimiter.take(json.length) === 0) this.#connection.send(json)
      },
      joined: () => this.#outgoing.flush(),
      left: (room, error) => {
        this.#outgoing.left(room, error)
        this.#pages.left(room, error)
      }
    }, { outgoing: this.#outgoing, pages: this.#pages }, settings.backoff)
    this.#connection = new Connection(url, settings, {
      status: (status) => this.emit('status', status),
      welcomed: (welcome) => this.#welcomed(welcome),
      received: (message) => this.#receive(message),
      lost: () => this.#lost(),
      ended: (code, reason) => {
        this.#ended(new ChatError('closed', `closed with code ${code}${reason && `: ${reason}`}`), code === CloseCode.normal)
      }
    })
  }

  /** The current status. Each change emits `status`, in order. */
  get status (): Status { return this.#connection.status }

  /**
   * Joins a room as soon as the client is connected, and again after each reconnect. Returns the same promise while the
   * room is joined or being joined. Retries after `unavailable` and `rate_limited`. Rejects with a ChatError: the code with
   * which the server refused, `invalid` for a wrong argument, `left` if the room is left before it is joined, or `closed`.
   */
  join (name: string, options: JoinOptions = {}): Promise<ClientRoom> {
    return this.#closed === undefined ? this.#memberships.join(name, options) : rejected(this.#closed)
  }

  /** Leaves a room, like `ClientRoom.leave()`. A pending join rejects with `left`. */
  leave (name: string): void { this.#memberships.leave(name) }

  /** Reconnects now if the client is waiting for the next attempt. */
  reconnect (): void { this.#connection.reconnect() }

  /** Closes the client for good. Pending promises reject with `closed`, and iterations end. */
  close (): void { this.#connection.close() }

  #welcomed ({ member, limits }: Welcome): void {
    if (this.#member !== undefined && this.#member !== member.id) this.#outgoing.disown()
    this.#member = member.id
    this.#rateLimiter.reset(limits)
    this.#outgoing.online(limits.payload)
    this.#memberships.online()
  }

  #receive (message: ServerMessage): void {
    switch (message.type) {
      case 'joined':
      case 'left':
      case 'message':
      case 'presence':
      case 'typing':
        this.#memberships.receive(message)
        break
      case 'ack':
        this.#outgoing.acknowledged(message.id, message.position)
        break
      case 'history':
        this.#pages.receive(message)
        break
      case 'error':
        this.#receiveError(message)
    }
  }

  #receiveError ({ code, message, id, room = '', request, retryAfter }: Extract<ServerMessage, { type: 'error' }>): void {
    const error = new ChatError(code, message, retryAfter)
    const answered = id !== undefined
      ? this.#outgoing.refused(id, error)
      // Without `request`, the error answers the room's oldest history request if there is one, else its join or leave.
      : ((request ?? 'history') === 'history' && this.#pages.refused(room, error)) ||
        (['join', 'leave'].includes(request ?? 'join') && this.#memberships.refused(room, error))
    // Other requests (`typing`, `ping`) have no promise, and are repeated anyway.
    if (!answered && code !== ErrorCode.rateLimited) this.emit('error', error)
  }

  #lost (): void {
    this.#rateLimiter.clear()
    this.#memberships.lost()
    this.#pages.end(new ChatError('offline', 'the connection was lost'))
    this.#outgoing.lost()
  }

  /** @param own whether `close()` ended it: its code, 1000, is not terminal when a server sends it */
  #ended (error: ChatError, own: boolean): void {
    this.#closed = error
    this.#rateLimiter.clear()
    this.#outgoing.end(error)
    this.#pages.end(error)
    this.#memberships.end(error, own)
  }
}

import { CloseCode, ErrorCode, type ServerMessage } from '../protocol.ts'
import { Connection, type Status, type Welcome } from './connection.ts'
import { rejected } from './deferred.ts'
import { Emitter } from './emitter.ts'
import { ChatError } from './error.ts'
import { withDefaults, type ChatClientOptions } from './options.ts'
import { Outgoing } from './outgoing.ts'
import { Pace } from './rate-limiter.ts'
import { Pages } from './history.ts'
import type { ClientRoom } from './room.ts'
import { Seats, type JoinOptions } from './memberships.ts'

export interface ChatClientEvents {
  status: Status
  /** What the server found wrong that no promise is rejected with. */
  error: ChatError
}

/** A connection to a chat that comes back by itself, with its rooms and with what was not acknowledged. */
export class ChatClient extends Emitter<ChatClientEvents> {
  readonly #connection: Connection
  readonly #outgoing: Outgoing
  readonly #pages: Pages
  readonly #seats: Seats
  readonly #pace = new Pace()
  #member: string | undefined
  #closed: ChatError | undefined

  /**
   * Connects, and does so again until `close()` or until the server closes with a code that says not to.
   * @param url of the chat route: wss://example.com/chat
   */
  constructor (url: string, options: ChatClientOptions = {}) {
    super()
    const settings = withDefaults(options)
    this.#pages = new Pages((message) => this.#connection.send(message), this.#pace, settings.backoff())
    this.#outgoing = new Outgoing({
      place: (room) => this.#seats.live(room)?.position,
      wanted: (room) => this.#seats.wanted(room),
      send: (json) => this.#connection.send(json)
    }, settings.queue, settings.backoff(), this.#pace)
    this.#seats = new Seats({
      send: (message) => {
        const json = JSON.stringify(message)
        this.#pace.ask(1, json.length, () => this.#connection.send(json))
      },
      typing: (room) => {
        const json = JSON.stringify({ type: 'typing', room })
        if (this.#pace.take(json.length) === 0) this.#connection.send(json)
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

  /** Where it stands now; the event `status` tells of each change, in order. */
  get status (): Status { return this.#connection.status }

  /**
   * Joins a room as soon as there is a connection, and again after each reconnect; while the room is joined or being
   * joined, gives the same promise. Asks again where the server can't for now. Rejects with a ChatError: what the server
   * refused it for, `left` when the room was left meanwhile, or `closed`.
   */
  join (name: string, options: JoinOptions = {}): Promise<ClientRoom> {
    return this.#closed === undefined ? this.#seats.join(name, options) : rejected(this.#closed)
  }

  /** Leaves a room, as its `leave()` does, also while it is being joined: the join is rejected with `left` then. */
  leave (name: string): void { this.#seats.leave(name) }

  /** Tries at once, instead of waiting out the delay. */
  reconnect (): void { this.#connection.reconnect() }

  /** Ends it for good: every promise that still waits is rejected with `closed`, every iteration ends. */
  close (): void { this.#connection.close() }

  #welcomed ({ member, limits }: Welcome): void {
    if (this.#member !== undefined && this.#member !== member.id) this.#outgoing.disown()
    this.#member = member.id
    this.#pace.reset(limits)
    this.#outgoing.online(limits.payload)
    this.#seats.online()
  }

  #receive (message: ServerMessage): void {
    switch (message.type) {
      case 'joined':
      case 'left':
      case 'message':
      case 'presence':
      case 'typing':
        this.#seats.receive(message)
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
      // A server that doesn't say which request it was answers them in their order.
      : ((request ?? 'history') === 'history' && this.#pages.refused(room, error)) ||
        (['join', 'leave'].includes(request ?? 'join') && this.#seats.refused(room, error))
    // Nobody waits for what else there is to ask, and it is asked again.
    if (!answered && code !== ErrorCode.rateLimited) this.emit('error', error)
  }

  #lost (): void {
    this.#pace.clear()
    this.#seats.lost()
    this.#pages.end(new ChatError('offline', 'the connection was lost'))
    this.#outgoing.lost()
  }

  /** @param own no server closes a client for good with the code that `close()` has */
  #ended (error: ChatError, own: boolean): void {
    this.#closed = error
    this.#pace.clear()
    this.#outgoing.end(error)
    this.#pages.end(error)
    this.#seats.end(error, own)
  }
}

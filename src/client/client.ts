import { CloseCode, ErrorCode, PAGE_COST, type ClientMessage, type ServerMessage } from '../protocol.ts'
import type { ClientTypes, MemberDataOf } from './app-data.ts'
import { rejected } from './deferred.ts'
import { Emitter } from './emitter.ts'
import { ChatError } from './error.ts'
import { HistoryRequests } from './history-requests.ts'
import { Memberships, type JoinOptions } from './memberships.ts'
import { withDefaults, type ChatClientOptions } from './options.ts'
import { withOwnReactions } from './own-reactions.ts'
import { PendingRequests } from './pending-requests.ts'
import { RateLimiter } from './rate-limiter.ts'
import { Signals } from './signals.ts'
import { Reconnector, type Welcome } from './reconnector.ts'
import type { ClientRoom } from './room.ts'
import type { Changed, Direct } from './room-events.ts'
import type { Status } from './status.ts'

export interface ChatClientEvents<Types extends ClientTypes = ClientTypes> {
  status: Status<MemberDataOf<Types>>
  /** An error from the server that rejects no promise. */
  error: ChatError
  /** Data that the app has sent to this member. Not delivered later if the client is offline. */
  direct: Direct
}

/**
 * A chat client. After a reconnect it joins its rooms again and repeats the posts and changes that were not acknowledged.
 * Types: of the app's data, such as `ChatClient<{ data: Attachment, memberData: Profile }>`. They are not checked at runtime.
 */
export class ChatClient<Types extends ClientTypes = ClientTypes> extends Emitter<ChatClientEvents<Types>> {
  readonly #reconnector: Reconnector
  readonly #requests: PendingRequests
  readonly #history: HistoryRequests
  readonly #memberships: Memberships
  readonly #rateLimiter = new RateLimiter()
  readonly #signals = new Signals((json) => this.#reconnector.send(json), this.#rateLimiter)
  #member: string | undefined
  #closed: ChatError | undefined
  #features: readonly string[] = []
  /** Joins of this connection that still count as one request each. */
  #cheapJoins = Infinity

  /**
   * Connects, and reconnects until `close()` is called or the server closes with a terminal code.
   * @param url of the chat route, such as wss://example.com/chat
   */
  constructor (url: string, options: ChatClientOptions = {}) {
    super(['status', 'error', 'direct'])
    const settings = withDefaults(options)
    this.#history = new HistoryRequests((message) => this.#reconnector.send(message), this.#rateLimiter, settings.backoff())
    this.#requests = new PendingRequests({
      joinedRoom: (room) => this.#memberships.joinedRoom(room),
      includes: (room) => this.#memberships.includes(room),
      send: (json) => this.#reconnector.send(json)
    }, settings.queue, settings.backoff(), this.#rateLimiter)
    this.#memberships = new Memberships({
      send: (message) => {
        const json = JSON.stringify(message)
        this.#rateLimiter.schedule(this.#costOf(message), json.length, () => this.#reconnector.send(json))
      },
      onJoined: () => this.#requests.flush(),
      onLeft: (room, error) => {
        this.#requests.onLeft(room, error)
        this.#history.onLeft(room, error)
      }
    }, { requests: this.#requests, history: this.#history, signals: this.#signals }, settings.backoff)
    this.#reconnector = new Reconnector(url, settings, {
      onStatus: (status) => this.emit('status', status as Status<MemberDataOf<Types>>),
      onWelcome: (welcome) => this.#onWelcome(welcome),
      onMessage: (message) => this.#receive(message),
      onDisconnect: () => this.#onDisconnect(),
      onEnd: (code, reason) => {
        this.#onEnd(new ChatError('closed', `closed with code ${code}${reason && `: ${reason}`}`), code === CloseCode.normal)
      }
    })
  }

  /** The current status. Each change emits `status`, in order. */
  get status (): Status<MemberDataOf<Types>> { return this.#reconnector.status as Status<MemberDataOf<Types>> }

  /** What the server supports besides posts: `changes`, `signals`. Empty before the first connection. */
  get features (): readonly string[] { return this.#features }

  /**
   * Joins a room as soon as the client is connected, and again after each reconnect. Returns the same promise while the
   * room is joined or being joined. Retries after a retryable error. Rejects with a ChatError. Its code is the error code of the
   * server, `invalid` for a wrong argument, `left` if the room is left before it is joined, or `closed`.
   */
  join (name: string, options: JoinOptions = {}): Promise<ClientRoom<Types>> {
    return this.#closed === undefined ? this.#memberships.join(name, options) as Promise<ClientRoom<Types>> : rejected(this.#closed)
  }

  /** Leaves a room, like `ClientRoom.leave()`. A pending join rejects with `left`. */
  leave (name: string): void { this.#memberships.leave(name) }

  /** Reconnects immediately if the client is waiting for the next attempt. */
  reconnect (): void { this.#reconnector.reconnect() }

  /** Closes the client permanently. Pending promises reject with `closed`, and iterations end. */
  close (): void { this.#reconnector.close() }

  #onWelcome ({ member, limits, features = [] }: Welcome): void {
    if (this.#member !== undefined && this.#member !== member.id) this.#requests.onMemberChange()
    this.#member = member.id
    this.#features = features
    this.#rateLimiter.reset(limits)
    this.#cheapJoins = limits.rooms ?? Infinity
    this.#requests.onConnect(limits.payload, features.includes('changes'))
    this.#signals.onConnect(limits.payload, features.includes('signals'))
    this.#memberships.onConnect()
  }

  /** Returns the requests that a join or a leave counts as. */
  #costOf ({ type }: ClientMessage): number { return type === 'join' && --this.#cheapJoins < 0 ? PAGE_COST : 1 }

  #receive (message: ServerMessage): void {
    switch (message.type) {
      case 'joined':
        for (const change of message.changes ?? []) this.#history.onChanged({ type: 'changed', room: message.room, ...change })
        this.#memberships.receive(message)
        break
      case 'left':
      case 'message':
      case 'presence':
      case 'typing':
      case 'signal':
        this.#memberships.receive(message)
        break
      case 'changed':
        this.#onChanged(message)
        break
      case 'direct':
        this.emit('direct', message)
        break
      case 'ack':
        this.#requests.onAck(message.id, message.position)
        break
      case 'history':
        this.#history.receive(message)
        break
      case 'error':
        this.#onError(message)
    }
  }

  #onChanged (message: Changed): void {
    const { room, position, whole } = message
    const changed = whole === true ? withOwnReactions(message, this.#requests.reactionsTo(room, position)) : message
    this.#history.onChanged(changed)
    this.#memberships.receive(changed)
  }

  #onError ({ code, message, id, room = '', request, retryAfter }: Extract<ServerMessage, { type: 'error' }>): void {
    const error = new ChatError(code, message, retryAfter)
    const answered = id !== undefined
      ? this.#requests.onError(id, error)
      // Without `request`, the error answers the room's oldest history request if there is one, else its join or leave.
      : ((request ?? 'history') === 'history' && this.#history.onError(room, error)) ||
        (['join', 'leave'].includes(request ?? 'join') && this.#memberships.onError(room, error))
    if (!answered && !isExpected(code, request)) this.emit('error', error)
  }

  #onDisconnect (): void {
    this.#rateLimiter.clear()
    this.#memberships.onDisconnect()
    this.#history.end(new ChatError('offline', 'the connection was lost'))
    this.#requests.onDisconnect()
  }

  /** @param own whether `close()` ended the client */
  #onEnd (error: ChatError, own: boolean): void {
    this.#closed = error
    this.#rateLimiter.clear()
    this.#requests.end(error)
    this.#history.end(error)
    this.#memberships.end(error, own)
  }
}

/** Returns whether the app needn't know of an error of a request without a promise: `signal`, `typing` or `ping`. */
function isExpected (code: string, request: string | undefined): boolean {
  // `left` reports the end of the room.
  if (code === ErrorCode.notJoined) return request === 'signal' || request === 'typing'
  // `typing` and `ping` are sent again regularly.
  return code === ErrorCode.rateLimited && request !== 'signal'
}

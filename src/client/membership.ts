import { isRetryable, type ClientMessage } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import type { Deferred } from './deferred.ts'
import { ChatError, isOneOf } from './error.ts'
import type { ClientRoom } from './room.ts'
import type { Joined, Of } from './room-events.ts'

/** One `join()` of a room, until the room is left. `join()` after `leave()` creates another. */
export interface RoomJoin {
  readonly room: ClientRoom
  /** messages to request with `join`; undefined: as many as the server sends */
  readonly history: number | undefined
  readonly joined: Deferred<ClientRoom>
}

export interface MembershipEvents {
  /** Sends the message once the rate limits permit. */
  send (message: ClientMessage): void
  /** Called when requests of the room can be sent. */
  onJoined (room: string): void
  /** Called when the app has left the room, and the server has no membership. */
  onUnused (room: string): void
  /** Called when the room is left, its join is refused, or the client is closed. */
  onLeft (room: string, error: ChatError): void
}

/**
 * The client's membership in one room, across reconnects. It has at most one request in flight, `join` or `leave`, because an
 * answer doesn't identify its request.
 */
export class Membership {
  readonly name: string
  readonly #events: MembershipEvents
  readonly #backoff: Backoff
  #join: RoomJoin | undefined
  /** The join for which the last `join` was sent. The app may leave the room before the answer arrives. */
  #requestedFor: RoomJoin | undefined
  #stage: 'out' | 'joining' | 'in' | 'leaving' = 'out'
  #retry: ReturnType<typeof setTimeout> | undefined

  constructor (name: string, events: MembershipEvents, backoff: Backoff) {
    this.name = name
    this.#events = events
    this.#backoff = backoff
  }

  /** The promise of the room; undefined if the app hasn't joined the room, or has left it. */
  get promise (): Promise<ClientRoom> | undefined { return this.#join?.joined.promise }

  /** The room, if it is joined on this connection. */
  get joinedRoom (): ClientRoom | undefined {
    return this.#stage === 'in' ? this.#join?.room : undefined
  }

  /** Joins the room, immediately if the client is online. */
  join (join: RoomJoin, online: boolean): void {
    this.#join = join
    if (online && this.#stage === 'out') this.sendJoin()
  }

  /** Sends `join` unless the app has left the room. Called on a new connection and after the delay of a retry. */
  sendJoin (): void {
    const join = this.#join
    clearTimeout(this.#retry)
    if (join === undefined) return
    this.#stage = 'joining'
    this.#requestedFor = join
    const { room: { name: room, position: after, revision }, history } = join
    const resume = { ...after !== undefined && { after }, ...revision !== undefined && { revision } }
    this.#events.send({ type: 'join', room, ...resume, ...history !== undefined && { history } })
  }

  /** Leaves the room at the request of the app. */
  leave (error: ChatError): void {
    if (this.#stage === 'in') {
      this.#sendLeave()
    } else if (this.#stage === 'out') {
      clearTimeout(this.#retry)
      this.#events.onUnused(this.name)
    }
    this.#endJoin(error, true)
  }

  /** Called when the client is closed permanently. @param own whether by `close()` */
  end (error: ChatError, own: boolean): void {
    clearTimeout(this.#retry)
    this.#endJoin(error, own)
  }

  onDisconnect (): void {
    clearTimeout(this.#retry)
    this.#stage = 'out'
    if (this.#join === undefined) this.#events.onUnused(this.name)
  }

  onJoined (message: Joined): void {
    const join = this.#join
    if (this.#stage === 'in') {
      join?.room.receive(message)
    } else if (this.#stage === 'joining') {
      this.#backoff.reset()
      this.#stage = 'in'
      if (join === undefined || join !== this.#requestedFor) return this.#sendLeave()
      join.room.receive(message)
      join.joined.resolve(join.room)
      this.#events.onJoined(this.name)
    }
  }

  /** Called with the answer to `leave`, and when the server has ended the membership; then usually with a code. */
  onLeft ({ code, message }: Of<'left'>): void {
    const error = new ChatError(code ?? 'not_joined', message || 'the server ended the membership')
    if (this.#stage === 'in') this.#endByServer(error)
    // The server answers the `leave` that is under way with `not_joined`.
    else if (code === undefined && this.#stage === 'leaving') this.#sendNext()
    else if (code !== undefined && this.#stage === 'joining') this.onError(error)
  }

  /** Returns whether the error answers the request in flight. */
  onError (error: ChatError): boolean {
    if (this.#stage === 'leaving') this.#onLeaveError(error)
    else if (this.#stage !== 'joining') return false
    else if (this.#join === undefined || this.#join !== this.#requestedFor) this.#sendNext()
    else if (isRetryable(error.code)) this.#retryJoin(error.retryAfter)
    else this.#endByServer(error)
    return true
  }

  #sendLeave (): void {
    this.#stage = 'leaving'
    this.#events.send({ type: 'leave', room: this.name })
  }

  #onLeaveError ({ code, retryAfter }: ChatError): void {
    if (isOneOf(code, 'rate_limited')) this.#retry = setTimeout(() => this.#sendLeave(), this.#backoff.next(retryAfter))
    else this.#sendNext()
  }

  /** Called when the membership has ended on the server. Joins again if the app has called `join()` meanwhile. */
  #sendNext (): void {
    clearTimeout(this.#retry)
    this.#stage = 'out'
    if (this.#join === undefined) this.#events.onUnused(this.name)
    else this.sendJoin()
  }

  /** @param retryAfter minimum ms to wait, from the server */
  #retryJoin (retryAfter?: number): void {
    this.#stage = 'out'
    this.#retry = setTimeout(() => this.sendJoin(), this.#backoff.next(retryAfter))
  }

  #endByServer (error: ChatError): void {
    this.#stage = 'out'
    this.#events.onUnused(this.name)
    this.#endJoin(error, false)
  }

  #endJoin (error: ChatError, own: boolean): void {
    const join = this.#join
    this.#join = undefined
    this.#events.onLeft(this.name, error)
    join?.joined.reject(error)
    join?.room.end(error, own)
  }
}

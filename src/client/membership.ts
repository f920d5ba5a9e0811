import { ErrorCode, type ClientMessage } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred } from './deferred.ts'
import { ChatError } from './error.ts'
import type { ClientRoom, Joined } from './room.ts'

/** One `join()` of the room, until it is left. `join()` after `leave()` creates another. */
export interface Occupant {
  readonly room: ClientRoom
  /** messages to request with `join`; undefined: as many as the server sends */
  readonly history: number | undefined
  readonly joined: Deferred<ClientRoom>
}

export interface SeatEvents {
  send (message: ClientMessage): void
  /** Called when the room is joined: posts can be sent. */
  joined (): void
  /** Called when there is no occupant, and no membership on the server. */
  empty (): void
  /** Called when the occupant is gone, with the reason. */
  left (error: ChatError): void
}

/**
 * The client's membership in one room, across reconnects. It has one request in flight at a time, join or leave, because an
 * answer doesn't identify its request.
 */
export class Seat {
  readonly name: string
  readonly #events: SeatEvents
  readonly #backoff: Backoff
  #occupant: Occupant | undefined
  /** The occupant when `join` was sent; it may have left before the answer arrives. */
  #requestedFor: Occupant | undefined
  #stage: 'out' | 'joining' | 'in' | 'leaving' = 'out'
  #retry: ReturnType<typeof setTimeout> | undefined

  constructor (name: string, events: SeatEvents, backoff: Backoff) {
    this.name = name
    this.#events = events
    this.#backoff = backoff
  }

  get occupant (): Occupant | undefined { return this.#occupant }

  /** The room, if its occupant is joined on this link. */
  get live (): ClientRoom | undefined {
    return this.#stage === 'in' ? this.#occupant?.room : undefined
  }

  take (occupant: Occupant, online: boolean): void {
    this.#occupant = occupant
    if (online && this.#stage === 'out') this.ask()
  }

  /** Sends `join` for the occupant, if there is one. Called on a new link and after the delay of a retry. */
  ask (): void {
    const occupant = this.#occupant
    clearTimeout(this.#retry)
    if (occupant === undefined) return
    this.#stage = 'joining'
    this.#requestedFor = occupant
    const { room: { name: room, position: after }, history } = occupant
    this.#events.send({ type: 'join', room, ...after !== undefined && { after }, ...history !== undefined && { history } })
  }

  /** Removes the occupant, and leaves the room if it is joined. */
  vacate (error: ChatError): void {
    if (this.#stage === 'in') {
      this.#leave()
    } else if (this.#stage === 'out') {
      clearTimeout(this.#retry)
      this.#events.empty()
    }
    this.#dismiss(error, true)
  }

  /** Called when the client is closed for good. @param own whether by `close()` */
  end (error: ChatError, own: boolean): void {
    clearTimeout(this.#retry)
    this.#dismiss(error, own)
  }

  lost (): void {
    clearTimeout(this.#retry)
    this.#stage = 'out'
    if (this.#occupant === undefined) this.#events.empty()
  }

  joined (message: Joined): void {
    const occupant = this.#occupant
    if (this.#stage === 'in') {
      occupant?.room.receive(message)
    } else if (this.#stage === 'joining') {
      this.#backoff.reset()
      this.#stage = 'in'
      if (occupant === undefined || occupant !== this.#requestedFor) return this.#leave()
      occupant.room.receive(message)
      occupant.joined.resolve(occupant.room)
      this.#events.joined()
    }
  }

  left (): void {
    if (this.#stage === 'in') this.#expel(new ChatError(ErrorCode.notJoined, 'the server ended the membership'))
    else if (this.#stage === 'leaving') this.#next()
  }

  /** Returns whether the error answers the request in flight. */
  refused (error: ChatError): boolean {
    if (this.#stage === 'leaving') this.#notLeft(error)
    else if (this.#stage !== 'joining') return false
    else if (this.#occupant === undefined || this.#occupant !== this.#requestedFor) this.#next()
    else if (error.code === ErrorCode.unavailable || error.code === ErrorCode.rateLimited) this.#retryLater(error.retryAfter)
    else this.#expel(error)
    return true
  }

  #leave (): void {
    this.#stage = 'leaving'
    this.#events.send({ type: 'leave', room: this.name })
  }

  #notLeft ({ code, retryAfter }: ChatError): void {
    if (code === ErrorCode.rateLimited) this.#retry = setTimeout(() => this.#leave(), this.#backoff.next(retryAfter))
    else this.#next()
  }

  #next (): void {
    clearTimeout(this.#retry)
    this.#stage = 'out'
    if (this.#occupant === undefined) this.#events.empty()
    else this.ask()
  }

  /** @param retryAfter ms to wait at least, from the server */
  #retryLater (retryAfter?: number): void {
    this.#stage = 'out'
    this.#retry = setTimeout(() => this.ask(), this.#backoff.next(retryAfter))
  }

  #expel (error: ChatError): void {
    this.#stage = 'out'
    this.#events.empty()
    this.#dismiss(error, false)
  }

  #dismiss (error: ChatError, own: boolean): void {
    const occupant = this.#occupant
    this.#occupant = undefined
    this.#events.left(error)
    occupant?.joined.reject(error)
    occupant?.room.end(error, own)
  }
}

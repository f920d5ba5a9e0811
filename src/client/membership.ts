import { ErrorCode, type ClientMessage } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred } from './deferred.ts'
import { ChatError } from './error.ts'
import type { ClientRoom, Joined } from './room.ts'

/** Who wants to be in the room: `join()` after `leave()` makes another. */
export interface Occupant {
  readonly room: ClientRoom
  /** messages to be given at first */
  readonly history: number | undefined
  readonly joined: Deferred<ClientRoom>
}

export interface SeatEvents {
  send (message: ClientMessage): void
  /** Posts can go. */
  joined (): void
  /** Nobody wants it, and the server knows. */
  empty (): void
  /** The occupant is gone, for this reason. */
  left (error: ChatError): void
}

/**
 * The client's place in one room, on one link after another. It asks one question at a time, join or leave: an answer
 * doesn't say to which it belongs.
 */
export class Seat {
  readonly name: string
  readonly #events: SeatEvents
  readonly #backoff: Backoff
  #occupant: Occupant | undefined
  /** For whom it was asked: when the answer comes, that one may have left. */
  #askedFor: Occupant | undefined
  #stage: 'out' | 'joining' | 'in' | 'leaving' = 'out'
  #retry: ReturnType<typeof setTimeout> | undefined

  constructor (name: string, events: SeatEvents, backoff: Backoff) {
    this.name = name
    this.#events = events
    this.#backoff = backoff
  }

  get occupant (): Occupant | undefined { return this.#occupant }

  /** The room, where its occupant is joined on this link. */
  get live (): ClientRoom | undefined {
    return this.#stage === 'in' ? this.#occupant?.room : undefined
  }

  take (occupant: Occupant, online: boolean): void {
    this.#occupant = occupant
    if (online && this.#stage === 'out') this.ask()
  }

  /** On a new link, or when it is time to ask again. */
  ask (): void {
    const occupant = this.#occupant
    clearTimeout(this.#retry)
    if (occupant === undefined) return
    this.#stage = 'joining'
    this.#askedFor = occupant
    const { room: { name: room, position: after }, history } = occupant
    this.#events.send({ type: 'join', room, ...after !== undefined && { after }, ...history !== undefined && { history } })
  }

  /** The occupant wants to go, for this reason. */
  vacate (error: ChatError): void {
    if (this.#stage === 'in') {
      this.#leave()
    } else if (this.#stage === 'out') {
      clearTimeout(this.#retry)
      this.#events.empty()
    }
    this.#dismiss(error, true)
  }

  /** There will be no link any more. @param own whether this side wants none */
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
      if (occupant === undefined || occupant !== this.#askedFor) return this.#leave()
      occupant.room.receive(message)
      occupant.joined.resolve(occupant.room)
      this.#events.joined()
    }
  }

  left (): void {
    if (this.#stage === 'in') this.#expel(new ChatError(ErrorCode.notJoined, 'the server ended the membership'))
    else if (this.#stage === 'leaving') this.#next()
  }

  /** Gives whether that was the answer to its question. */
  refused (error: ChatError): boolean {
    if (this.#stage === 'leaving') this.#notLeft(error)
    else if (this.#stage !== 'joining') return false
    else if (this.#occupant === undefined || this.#occupant !== this.#askedFor) this.#next()
    else if (error.code === ErrorCode.unavailable || error.code === ErrorCode.rateLimited) this.#askLater(error.retryAfter)
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

  /** @param asked ms that the server wants */
  #askLater (asked?: number): void {
    this.#stage = 'out'
    this.#retry = setTimeout(() => this.ask(), this.#backoff.next(asked))
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

import { MAX_MESSAGES, PAGE_COST, isPosition } from '../protocol.ts'
import { applyChanges } from './apply-change.ts'
import type { Backoff } from './backoff.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError, invalid, isOneOf } from './error.ts'
import type { RateLimiter } from './rate-limiter.ts'
import type { HistoryPage, Of } from './room-events.ts'

/** Maximum changes that are kept for one page. With more, the page is requested again. */
const MAX_CHANGES = 1_000

/** The direction of a page from its position. */
export type Direction = 'before' | 'after'

interface Request {
  readonly room: string
  readonly direction: Direction
  readonly position: string
  readonly limit: number
  readonly page: Deferred<HistoryPage>
  /** The changes of the room since the request was sent, in order: the page may be older or newer than each of them. */
  changes: Array<Of<'changed'>>
  /** Whether the room was left and the page rejected, but the answer hasn't arrived. */
  left: boolean
}

/** Requests for pages of history on this connection. The server answers those of one room in order. */
export class HistoryRequests {
  readonly #send: (json: string) => boolean
  readonly #rateLimiter: RateLimiter
  readonly #backoff: Backoff
  /** Requests that the rate limiter has not sent yet. */
  readonly #waiting = new Set<Request>()
  readonly #inFlight = new Set<Request>()
  /** Answered requests, in the same tick: the app doesn't have the page yet, so it can't apply the changes that follow the page. */
  readonly #answered = new Set<Request>()

  constructor (send: (json: string) => boolean, rateLimiter: RateLimiter, backoff: Backoff) {
    this.#send = send
    this.#rateLimiter = rateLimiter
    this.#backoff = backoff
  }

  request (room: string, position: string, limit: number, isJoined: boolean, direction: Direction = 'before'): Promise<HistoryPage> {
    if (!isJoined) return rejected(offline())
    // Checked here: the server closes a connection after ten invalid frames.
    const problem = isPosition(position) ? limitProblem('limit', limit, 1) : `${direction} must be a position`
    if (problem !== undefined) return rejected(invalid(problem))
    const request: Request = { room, direction, position, limit, page: new Deferred<HistoryPage>(), changes: [], left: false }
    this.#enqueue(request)
    return request.page.promise
  }

  receive (page: Of<'history'>): void {
    this.#backoff.reset()
    const request = this.#remove(page.room, page.after === undefined ? 'before' : 'after', page.after ?? page.before)
    if (request === undefined) return
    this.#answered.add(request)
    queueMicrotask(() => this.#answer(request, page))
  }

  /** Called with each change of a message. */
  onChanged (changed: Of<'changed'>): void {
    for (const { room, changes } of [...this.#inFlight, ...this.#answered]) {
      if (room === changed.room && changes.length <= MAX_CHANGES) changes.push(changed)
    }
  }

  /** Returns whether a request for a page of that room was in flight. */
  onError (room: string, error: ChatError): boolean {
    const request = this.#remove(room)
    if (request === undefined) return false
    if (isOneOf(error.code, 'rate_limited') && !request.left) {
      this.#rateLimiter.pause(this.#backoff.next(error.retryAfter))
      this.#enqueue(request)
    } else {
      request.page.reject(error)
    }
    return true
  }

  onLeft (room: string, error: ChatError): void {
    for (const request of [...this.#waiting, ...this.#inFlight]) {
      if (request.room !== room) continue
      this.#waiting.delete(request)
      request.left = true
      request.page.reject(error)
    }
  }

  end (error: ChatError): void {
    for (const { page } of [...this.#waiting, ...this.#inFlight]) page.reject(error)
    this.#waiting.clear()
    this.#inFlight.clear()
  }

  #enqueue (request: Request): void {
    this.#waiting.add(request)
    // The page will have the changes that arrived before it is requested again.
    request.changes = []
    const { room, direction, position, limit, page } = request
    const json = JSON.stringify({ type: 'history', room, [direction]: position, limit })
    this.#rateLimiter.schedule(PAGE_COST, json.length, () => {
      if (!this.#waiting.delete(request)) return
      if (this.#send(json)) this.#inFlight.add(request)
      else page.reject(offline())
    })
  }

  #answer (request: Request, { messages, more, complete }: HistoryPage): void {
    this.#answered.delete(request)
    if (request.changes.length > MAX_CHANGES) return this.#enqueue(request)
    request.page.resolve({ messages: applyChanges(messages, request.changes), more, complete })
  }

  /** Removes and returns the room's oldest request in flight; with a direction, the oldest for that position. */
  #remove (room: string, direction?: Direction, position?: string): Request | undefined {
    for (const request of this.#inFlight) {
      if (request.room !== room || (direction !== undefined && (request.direction !== direction || request.position !== position))) continue
      this.#inFlight.delete(request)
      return request
    }
    return undefined
  }
}

/** Returns the problem of a number of messages to request; undefined if the server accepts it. */
export function limitProblem (name: string, limit: number, min: number): string | undefined {
  return Number.isInteger(limit) && limit >= min && limit <= MAX_MESSAGES ? undefined : `${name} must be an integer from ${min} to ${MAX_MESSAGES}`
}

/** Returns the error of a request while the room isn't joined. */
function offline (): ChatError { return new ChatError('offline', 'the room is not joined now') }

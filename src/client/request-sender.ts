import type { Backoff } from './backoff.ts'
import type { ChatError } from './error.ts'
import type { PendingRequest, RoomState } from './pending-request.ts'
import type { RateLimiter } from './rate-limiter.ts'
import type { RequestQueue } from './request-queue.ts'
import { RetryTimers } from './retry-timers.ts'

/** The operations that the sender needs of the client and of the saved posts. */
export interface SendOperations {
  /** Returns the room if it is joined now. */
  joinedRoom (name: string): RoomState | undefined
  /** Returns whether the message was passed to the socket. */
  send (json: string): boolean
  /** Returns whether a request of a joined room has to wait for the saved posts. */
  holds (request: PendingRequest, room: RoomState): boolean | undefined
  /** Called with a request that the server would refuse. */
  onError (request: PendingRequest, error: ChatError): void
}

/** Sends the requests of a queue, in order and within the server's limits. */
export class RequestSender {
  /** Largest message that the server accepts, in bytes. */
  payload = Infinity
  readonly #queue: RequestQueue
  readonly #operations: SendOperations
  readonly #rateLimiter: RateLimiter
  /** Set while requests wait only for the rate limiter. */
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Of rooms with a request that failed with a retryable error. Later requests of the room wait too, to keep the order. */
  readonly #retries: RetryTimers

  constructor (queue: RequestQueue, operations: SendOperations, backoff: Backoff, rateLimiter: RateLimiter) {
    this.#queue = queue
    this.#operations = operations
    this.#rateLimiter = rateLimiter
    this.#retries = new RetryTimers(backoff, () => this.flush())
  }

  /** Sends the requests that are not in flight and need not wait. */
  flush (): void {
    if (this.#timer !== undefined) return
    let costInFlight = 0
    let bytesInFlight = 0
    const count = ({ inFlight, cost, bytes }: PendingRequest) => {
      if (!inFlight) return
      costInFlight += cost
      bytesInFlight += bytes
    }
    for (const request of this.#queue) count(request)
    // A message's changes are sent one at a time: the last one that the server receives wins, and an earlier one may be repeated.
    const targets = new Set<string>()
    for (const request of this.#queue) {
      const { target, cost, bytes } = request
      const isBehind = target !== undefined && targets.has(target)
      if (target !== undefined) targets.add(target)
      if (isBehind || request.inFlight || this.#retries.has(request.room)) continue
      const room = this.#operations.joinedRoom(request.room)
      if (room === undefined || this.#operations.holds(request, room)) continue
      if (costInFlight > 0 && !this.#rateLimiter.fits(costInFlight + cost, bytesInFlight + bytes)) return
      const wait = this.#rateLimiter.take(bytes, cost)
      if (wait > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.flush()
        }, wait)
        return
      }
      this.#send(request, room)
      count(request)
    }
  }

  /** Called with a retryable error of a request: the request is sent again, and those of its room wait until then. */
  onRetryable (request: PendingRequest, { retryAfter }: ChatError): void {
    request.inFlight = false
    this.#retries.start(request.room, retryAfter)
  }

  /** Called after an answer. A later change of the same message can be sent now, and the next request may fit into the limits. */
  sendMore (answered: PendingRequest): void {
    if (this.#rateLimiter.limited || answered.target !== undefined) this.flush()
  }

  onLeft (room: string): void { this.#retries.stop(room) }

  /** Called when the connection is lost. */
  clear (): void {
    this.#retries.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #send (request: PendingRequest, room: RoomState): void {
    try {
      request.send(room, this.payload, this.#operations.send)
    } catch (error) {
      this.#operations.onError(request, error as ChatError)
    }
  }
}

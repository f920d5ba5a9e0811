import { ErrorCode, MOST_MESSAGES, PAGE_COST, isPosition, type ClientMessage } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError } from './error.ts'
import type { Pace } from './rate-limiter.ts'
import type { HistoryPage } from './room.ts'

/** left: nobody waits for it any more, but it is answered yet. */
interface Request {
  readonly room: string
  readonly before: string
  readonly limit: number
  readonly page: Deferred<HistoryPage>
  left: boolean
}

/** Pages of history that were asked for on this link; those of one room are answered in order. */
export class Pages {
  readonly #send: (json: string) => boolean
  readonly #pace: Pace
  readonly #backoff: Backoff
  /** Those whose turn to be asked for has not come. */
  readonly #waiting = new Set<Request>()
  readonly #asked = new Set<Request>()

  constructor (send: (json: string) => boolean, pace: Pace, backoff: Backoff) {
    this.#send = send
    this.#pace = pace
    this.#backoff = backoff
  }

  ask (room: string, before: string, limit: number): Promise<HistoryPage> {
    // Ten frames that the server finds not valid would cost the connection.
    if (!isPosition(before)) return rejected(new ChatError('invalid', 'before must be a position'))
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= MOST_MESSAGES)) {
      return rejected(new ChatError('invalid', `limit must be a whole number from 1 to ${MOST_MESSAGES}`))
    }
    const request: Request = { room, before, limit, page: new Deferred<HistoryPage>(), left: false }
    this.#ask(request)
    return request.page.promise
  }

  receive ({ room, before, messages, more, complete }: HistoryPage & { room: string, before: string }): void {
    this.#backoff.reset()
    this.#take(room, before)?.page.resolve({ messages, more, complete })
  }

  /** Gives whether a page of that room was asked for. */
  refused (room: string, error: ChatError): boolean {
    const request = this.#take(room)
    if (request === undefined) return false
    if (error.code === ErrorCode.rateLimited && !request.left) {
      this.#pace.pause(this.#backoff.next(error.retryAfter))
      this.#ask(request)
    } else {
      request.page.reject(error)
    }
    return true
  }

  left (room: string, error: ChatError): void {
    for (const request of [...this.#waiting, ...this.#asked]) {
      if (request.room !== room) continue
      this.#waiting.delete(request)
      request.left = true
      request.page.reject(error)
    }
  }

  end (error: ChatError): void {
    for (const { page } of [...this.#waiting, ...this.#asked]) page.reject(error)
    this.#waiting.clear()
    this.#asked.clear()
  }

  #ask (request: Request): void {
    this.#waiting.add(request)
    const { room, before, limit, page } = request
    const json = JSON.stringify({ type: 'history', room, before, limit } satisfies ClientMessage)
    this.#pace.ask(PAGE_COST, json.length, () => {
      if (!this.#waiting.delete(request)) return
      if (this.#send(json)) this.#asked.add(request)
      else page.reject(new ChatError('offline', 'history can only be asked for while connected'))
    })
  }

  /** The first that was asked of a room, of this place where one is given. */
  #take (room: string, before?: string): Request | undefined {
    for (const request of this.#asked) {
      if (request.room !== room || (before !== undefined && request.before !== before)) continue
      this.#asked.delete(request)
      return request
    }
    return undefined
  }
}

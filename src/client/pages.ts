import { ErrorCode, type ClientMessage } from '../protocol.ts'
import { Deferred } from './deferred.ts'
import { ChatError } from './error.ts'
import type { HistoryPage } from './room.ts'

/** waiting: it was asked for too fast, and is asked for again in a while. */
interface Request {
  readonly room: string
  readonly before: string
  readonly limit: number
  readonly page: Deferred<HistoryPage>
  waiting: boolean
}

/** ms, where the server doesn't say. */
const RETRY = 1_000

/** Pages of history that were asked for on this link; they are answered in order. */
export class Pages {
  readonly #requests: Request[] = []
  readonly #send: (message: ClientMessage) => boolean

  constructor (send: (message: ClientMessage) => boolean) {
    this.#send = send
  }

  ask (room: string, before: string, limit: number): Promise<HistoryPage> {
    const request: Request = { room, before, limit, page: new Deferred<HistoryPage>(), waiting: false }
    this.#requests.push(request)
    this.#ask(request)
    return request.page.promise
  }

  receive ({ room, before, messages, more, complete }: HistoryPage & { room: string, before: string }): void {
    this.#take((request) => request.room === room && request.before === before && !request.waiting)?.resolve({ messages, more, complete })
  }

  /** Gives whether a page of that room was asked for. */
  refused (room: string, error: ChatError): boolean {
    const request = this.#requests.find((request) => request.room === room && !request.waiting)
    if (request === undefined) return false
    if (error.code === ErrorCode.rateLimited) {
      request.waiting = true
      setTimeout(() => this.#askAgain(request), error.retryAfter ?? RETRY)
    } else {
      this.#take((each) => each === request)!.reject(error)
    }
    return true
  }

  end (error: ChatError): void {
    for (const { page } of this.#requests.splice(0)) page.reject(error)
  }

  #ask (request: Request): void {
    const { room, before, limit } = request
    if (this.#send({ type: 'history', room, before, limit })) return
    this.#take((each) => each === request)!.reject(new ChatError('offline', 'history can only be asked for while connected'))
  }

  #askAgain (request: Request): void {
    if (this.#take((each) => each === request) === undefined) return
    request.waiting = false
    this.#requests.push(request)
    this.#ask(request)
  }

  #take (matches: (request: Request) => boolean): Deferred<HistoryPage> | undefined {
    const at = this.#requests.findIndex(matches)
    return at === -1 ? undefined : this.#requests.splice(at, 1)[0]!.page
  }
}

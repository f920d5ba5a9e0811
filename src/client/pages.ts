import type { ClientMessage } from '../protocol.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError } from './error.ts'
import type { HistoryPage } from './room.ts'

interface Request { readonly room: string, readonly before: string, readonly page: Deferred<HistoryPage> }

/** Pages of history that were asked for on this link; they are answered in order. */
export class Pages {
  readonly #requests: Request[] = []
  readonly #send: (message: ClientMessage) => boolean

  constructor (send: (message: ClientMessage) => boolean) {
    this.#send = send
  }

  ask (room: string, before: string, limit: number): Promise<HistoryPage> {
    if (!this.#send({ type: 'history', room, before, limit })) {
      return rejected(new ChatError('offline', 'history can only be asked for while connected'))
    }
    const page = new Deferred<HistoryPage>()
    this.#requests.push({ room, before, page })
    return page.promise
  }

  receive ({ room, before, messages, more, complete }: HistoryPage & { room: string, before: string }): void {
    this.#take((request) => request.room === room && request.before === before)?.resolve({ messages, more, complete })
  }

  /** Gives whether a page of that room was asked for. */
  refused (room: string, error: ChatError): boolean {
    const page = this.#take((request) => request.room === room)
    page?.reject(error)
    return page !== undefined
  }

  end (error: ChatError): void {
    for (const { page } of this.#requests.splice(0)) page.reject(error)
  }

  #take (matches: (request: Request) => boolean): Deferred<HistoryPage> | undefined {
    const at = this.#requests.findIndex(matches)
    return at === -1 ? undefined : this.#requests.splice(at, 1)[0]!.page
  }
}

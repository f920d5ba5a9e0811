import { PAGE_COST, isRetryable, type ClientMessage } from '../protocol.ts'
import { Deferred } from './deferred.ts'
import { invalid, isOneOf, unsupported, type ChatError } from './error.ts'
import type { RateLimiter } from './rate-limiter.ts'
import type { Of } from './room-events.ts'
import { roomNameProblem } from './room-name.ts'
import { RoomReads } from './room-reads.ts'

interface Request { readonly json: string, readonly page: Deferred<Of<'rooms'>> }

/** ms to wait after an error that names no time. */
const RETRY = 1_000

/** The read positions of the member: in the rooms of this client, and in the rooms that the server lists. */
export class ReadPositions {
  readonly #send: (json: string) => boolean
  readonly #isJoined: (room: string) => boolean
  readonly #rateLimiter: RateLimiter
  readonly #rooms = new Map<string, RoomReads>()
  /** Requests for pages of rooms, by their ids. They wait for a connection, and are repeated after a reconnect. */
  readonly #requests = new Map<string, Request>()
  #ids = 0
  #member: string | undefined
  /** undefined before the first connection. */
  #isSupported: boolean | undefined
  #ended: ChatError | undefined

  constructor (send: (json: string) => boolean, isJoined: (room: string) => boolean, rateLimiter: RateLimiter) {
    this.#send = send
    this.#isJoined = isJoined
    this.#rateLimiter = rateLimiter
  }

  /** Returns the read position in a room, until the room is left. */
  open (room: string): RoomReads {
    const reads = new RoomReads({
      send: (position) => this.#isSupported && this.#isJoined(room) ? this.#sendNow({ type: 'markRead', room, position }) : Infinity,
      isOwn: ({ from }) => from !== null && from.id === this.#member
    })
    this.#rooms.set(room, reads)
    return reads
  }

  /** Iterates over the rooms of all pages. Requests a page when the loop has reached its end. */
  async * rooms (): AsyncGenerator<Of<'rooms'>['rooms'][number], void, undefined> {
    this.send()
    let after: string | undefined
    do {
      const { rooms, next } = await this.#page(after)
      yield * rooms
      after = next
    } while (after !== undefined)
  }

  /** Removes the read position. Returns whether the request was sent. @throws ChatError with `invalid` or `unsupported` */
  forget (room: string): boolean {
    const problem = roomNameProblem(room)
    if (problem !== undefined) throw invalid(problem)
    if (!this.#isSupported) throw unsupported('read positions')
    if (this.#sendNow({ type: 'forget', room }) > 0) return false
    this.#rooms.get(room)?.forget()
    return true
  }

  /** Sends the marks that wait, before a request that depends on them. @param room sends only the mark of this room */
  send (room?: string): void {
    for (const [name, reads] of this.#rooms) if (name === (room ?? name)) reads.send()
  }

  onConnect (member: string, isSupported: boolean): void {
    this.#member = member
    this.#isSupported = isSupported
    for (const id of this.#requests.keys()) this.#request(id)
  }

  onLeft (room: string): void { this.#rooms.delete(room) }

  /** Called when another connection of the member has moved its read position. */
  onReadPosition ({ room, position }: Of<'readPosition'>): void { this.#rooms.get(room)?.move(position, false) }

  /** Called with each page of history. */
  onHistory ({ room, before, messages }: Of<'history'>): void {
    if (before) this.#rooms.get(room)?.addEarlier(before, messages)
  }

  onRooms (page: Of<'rooms'>): void { this.#take(page.id)?.resolve(page) }

  /** Returns whether the error answers a mark and isn't reported to the app. */
  onMarkError (room: string, error: ChatError): boolean {
    // The server has trimmed the message, or `left` reports the end of the membership.
    if (isOneOf(error.code, 'not_kept', 'not_joined')) return true
    if (!isRetryable(error.code)) return false
    this.#pause(error)
    this.#rooms.get(room)?.retry()
    return true
  }

  /** Returns whether the error answers a request for rooms. */
  onError (id: string, error: ChatError): boolean {
    if (!this.#requests.has(id)) return false
    if (isOneOf(error.code, 'rate_limited')) {
      this.#pause(error)
      this.#request(id)
    } else this.#take(id)!.reject(error)
    return true
  }

  end (error: ChatError): void {
    this.#ended = error
    for (const id of this.#requests.keys()) this.#take(id)!.reject(error)
  }

  #page (after: string | undefined): Promise<Of<'rooms'>> {
    const id = `rooms-${++this.#ids}`
    const page = new Deferred<Of<'rooms'>>()
    this.#requests.set(id, { page, json: JSON.stringify({ type: 'rooms', id, ...after !== undefined && { after } } satisfies ClientMessage) })
    if (this.#ended === undefined) this.#request(id)
    else this.end(this.#ended)
    return page.promise
  }

  /** Sends a request once the rate limits permit. Sends none while the client is offline. */
  #request (id: string): void {
    const { json } = this.#requests.get(id)!
    if (this.#isSupported === false) this.#take(id)!.reject(unsupported('read positions'))
    else this.#rateLimiter.schedule(PAGE_COST, json.length, () => this.#send(json))
  }

  /** Returns 0 if the message was sent, else the ms after which to try again; Infinity while the client is offline. */
  #sendNow (message: ClientMessage): number {
    const json = JSON.stringify(message)
    return this.#rateLimiter.take(json.length) || (this.#send(json) ? 0 : Infinity)
  }

  #pause ({ retryAfter = RETRY }: ChatError): void { this.#rateLimiter.pause(retryAfter) }

  #take (id: string): Deferred<Of<'rooms'>> | undefined {
    const request = this.#requests.get(id)
    this.#requests.delete(id)
    return request?.page
  }
}

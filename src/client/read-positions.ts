import { PAGE_COST, isRetryable } from '../protocol.ts'
import { RETRY } from './bounds.ts'
import { deferred, type Deferred } from './deferred.ts'
import { invalid, isOneOf, unsupported, type ChatError } from './error.ts'
import { toJSON } from './outgoing.ts'
import type { RemoteServer } from './remote-server.ts'
import type { Of } from './room-events.ts'
import { roomNameProblem } from './room-name.ts'
import { roomReads, type RoomReads } from './room-reads.ts'

interface Request { readonly json: string, readonly page: Deferred<Of<'rooms'>> }

const feature = 'readPositions'

export type ReadPositions = ReturnType<typeof readPositions>

/**
 * The read positions of the member: in the rooms of this client, and in the rooms that the server lists.
 * @param isJoined returns whether a room is joined now
 */
export function readPositions (server: RemoteServer, isJoined: (room: string) => boolean) {
  const rooms = new Map<string, RoomReads>()
  /** Requests for pages of rooms, by their ids. They wait for a connection, and are repeated after a reconnect. */
  const requests = new Map<string, Request>()
  let ids = 0
  let ended: ChatError | undefined

  /** Sends the marks that wait, before a request that depends on them. @param room sends only the mark of this room */
  function send (room?: string): void {
    for (const [name, reads] of rooms) if (name === (room ?? name)) reads.send()
  }

  function page (after: string | undefined): Promise<Of<'rooms'>> {
    const id = `rooms-${++ids}`
    const page = deferred<Of<'rooms'>>()
    requests.set(id, { page, json: toJSON({ type: 'rooms', id, after }) })
    if (ended === undefined) request(id)
    else end(ended)
    return page.promise
  }

  /** Sends a request once the rate limits permit. Sends none while the client is offline. */
  function request (id: string): void {
    const { json } = requests.get(id)!
    if (server.supports(feature) === false) take(id)!.reject(unsupported(feature))
    else server.limiter.schedule(PAGE_COST, json.length, () => server.send(json))
  }

  function pause ({ retryAfter = RETRY }: ChatError): void { server.limiter.pause(retryAfter) }

  function take (id: string): Deferred<Of<'rooms'>> | undefined {
    const request = requests.get(id)
    requests.delete(id)
    return request?.page
  }

  function end (error: ChatError): void {
    ended = error
    for (const id of requests.keys()) take(id)!.reject(error)
  }

  return {
    send,
    end,

    /** Returns the read position in a room, until the room is left. */
    open (room: string): RoomReads {
      const reads = roomReads({
        send: (position) => server.supports(feature) && isJoined(room)
          ? server.sendNow(toJSON({ type: 'markRead', room, position }))
          : Infinity,
        isOwn: ({ from }) => from !== null && from.id === server.sender?.id
      })
      rooms.set(room, reads)
      return reads
    },

    /** Iterates over the rooms of all pages. Requests a page when the loop has reached its end. */
    async * rooms (): AsyncGenerator<Of<'rooms'>['rooms'][number], void, undefined> {
      send()
      let after: string | undefined
      do {
        const { rooms, next } = await page(after)
        yield * rooms
        after = next
      } while (after !== undefined)
    },

    /** Removes the read position. Returns whether the request was sent. @throws ChatError with `invalid` or `unsupported` */
    forget (room: string): boolean {
      const problem = roomNameProblem(room)
      if (problem !== undefined) throw invalid(problem)
      if (!server.supports(feature)) throw unsupported(feature)
      if (server.sendNow(toJSON({ type: 'forget', room })) > 0) return false
      rooms.get(room)?.forget()
      return true
    },

    onConnect (): void { for (const id of requests.keys()) request(id) },

    onLeft (room: string): void { rooms.delete(room) },

    /** Called when another connection of the member has moved its read position. */
    onReadPosition ({ room, position }: Of<'readPosition'>): void { rooms.get(room)?.move(position, false) },

    /** Called with each page of history. */
    onHistory ({ room, before, messages }: Of<'history'>): void {
      if (before) rooms.get(room)?.addEarlier(before, messages)
    },

    onRooms (page: Of<'rooms'>): void { take(page.id)?.resolve(page) },

    /** Returns whether the error answers a mark and isn't reported to the app. */
    onMarkError (room: string, error: ChatError): boolean {
      // The server has trimmed the message, or `left` reports the end of the membership.
      if (isOneOf(error.code, 'not_kept', 'not_joined')) return true
      if (!isRetryable(error.code)) return false
      pause(error)
      rooms.get(room)?.retry()
      return true
    },

    /** Returns whether the error answers a request for rooms. */
    onError (id: string, error: ChatError): boolean {
      if (!requests.has(id)) return false
      if (isOneOf(error.code, 'rate_limited')) {
        pause(error)
        request(id)
      } else take(id)!.reject(error)
      return true
    }
  }
}

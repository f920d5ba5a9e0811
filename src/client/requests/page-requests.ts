import type { Change } from '../../messages.ts'
import { PAGE_COST } from '../../protocol.ts'
import { applyChanges } from '../apply-change.ts'
import { assertCount, assertPosition } from '../argument-checks.ts'
import type { Backoff } from '../backoff.ts'
import { MAX_PAGE_CHANGES } from '../bounds.ts'
import { promised, type Deferred } from '../deferred.ts'
import { isOneOf, offline, unsupported, type ChatError } from '../error.ts'
import { toJSON } from './outgoing.ts'
import { randomId } from './random-id.ts'
import type { RemoteServer } from './remote-server.ts'
import type { HistoryPage, Of } from '../room-events.ts'

/** The direction of a page from its position. */
export type Direction = 'before' | 'after'

type Page = HistoryPage | Of<'rooms'>

interface Request {
  /** undefined: it requests rooms. Such a request waits for a connection, and is repeated after a reconnect */
  readonly room?: string
  /** The direction with the position, or the id. */
  readonly key: string
  readonly json: string
  readonly page: Deferred<Page>
  /** The changes of the room since the request was sent, in order: the page may be older or newer than each of them. */
  changes?: Change[]
  /**
   * `waiting` for the rate limiter or a connection; `inFlight`; `answered`, in the same tick: the app doesn't have the page yet, so it can't
   * apply the changes that follow the page.
   */
  stage?: 'waiting' | 'inFlight' | 'answered'
  /** Whether the room was left and the page rejected, but the answer hasn't arrived. */
  isLeft?: boolean
}

/** The room of a request. */
interface NamedRoom { readonly name: string }

export type PageRequests = ReturnType<typeof pageRequests>

/** Requests for pages of history and of rooms. The server answers those of one room in order. */
export function pageRequests (server: RemoteServer, delays: Backoff) {
  /** In the order in which they are sent. */
  const requests = new Set<Request>()

  function enqueue (request: Request): void {
    const { room, json } = request
    requests.delete(request)
    requests.add(request)
    // The page will have the changes that arrived before it is requested again.
    Object.assign(request, { stage: 'waiting', changes: [] } satisfies Partial<Request>)
    server.limiter.schedule(PAGE_COST, json.length, () => {
      if (!requests.has(request)) return
      if (server.send(json)) request.stage = 'inFlight'
      else if (room !== undefined) reject(request, offline())
    })
  }

  function reject (request: Request, error: ChatError): void {
    requests.delete(request)
    request.page.reject(error)
  }

  /** Returns the oldest request in flight of a room; with a key, the oldest with it. */
  function find (room: string | undefined, key?: string): Request | undefined {
    return [...requests].find((request) => request.stage === 'inFlight' && request.room === room && request.key === (key ?? request.key))
  }

  /** Resolves a request with its page in a microtask. @param pageOf returns the page with the changes that have arrived by then */
  function answer (request: Request | undefined, pageOf: (changes: readonly Change[]) => Page): void {
    delays.reset()
    if (request === undefined) return
    request.stage = 'answered'
    queueMicrotask(() => {
      const { changes = [] } = request
      if (changes.length > MAX_PAGE_CHANGES) return enqueue(request)
      requests.delete(request)
      request.page.resolve(pageOf(changes))
    })
  }

  return {
    /** @param ended why the room has ended */
    history (room: NamedRoom, position: string, limit: number, direction: Direction = 'before', ended?: ChatError): Promise<HistoryPage> {
      return promised((page) => {
        if (server.joinedRooms.get(room.name) !== room) throw ended ?? offline()
        assertPosition(direction, position)
        assertCount('limit', limit, 1)
        const json = JSON.stringify({ type: 'history', room: room.name, [direction]: position, limit })
        enqueue({ room: room.name, key: direction + position, json, page })
      })
    },

    rooms (after: string | undefined): Promise<Of<'rooms'>> {
      return promised((page) => {
        if (server.ended !== undefined) throw server.ended
        server.assertSupports('readPositions')
        const id = randomId()
        enqueue({ key: id, json: toJSON({ type: 'rooms', id, after }), page })
      })
    },

    onHistory ({ room, before, after, messages, more, complete }: Of<'history'>): void {
      const key = after === undefined ? `before${before}` : `after${after}`
      answer(find(room, key), (changes) => ({ messages: applyChanges(messages, changes), more, complete }))
    },

    onRooms (page: Of<'rooms'>): void { answer(find(undefined, page.id), () => page) },

    /** Called with changes of the messages of a room. */
    onChanges (room: string, received: readonly Change[]): void {
      for (const { room: requested, stage, changes = [] } of requests) {
        if (requested === room && stage !== 'waiting' && changes.length <= MAX_PAGE_CHANGES) changes.push(...received)
      }
    },

    /** Returns whether the error answers a request in flight: the oldest one of a room, or that for rooms with an id. */
    onError (room: string | undefined, error: ChatError, id?: string): boolean {
      const request = find(room, id)
      if (request === undefined) return false
      if (isOneOf(error.code, 'rate_limited') && !request.isLeft) {
        server.limiter.pause(delays.next(error.retryAfter))
        enqueue(request)
      } else reject(request, error)
      return true
    },

    /** Rejects the requests of a room. Those in flight are still answered. */
    onLeft (room: string, error: ChatError): void {
      for (const request of requests) {
        if (request.room !== room || request.stage === 'answered') continue
        if (request.stage === 'waiting') requests.delete(request)
        request.isLeft = true
        request.page.reject(error)
      }
    },

    onConnect (): void {
      // Only requests for rooms outlive a connection.
      for (const request of [...requests]) {
        if (server.supports('readPositions')) enqueue(request)
        else reject(request, unsupported('readPositions'))
      }
    },

    onDisconnect (): void {
      for (const request of requests) if (request.room !== undefined && request.stage !== 'answered') reject(request, offline())
    },

    /** Called when the client is closed permanently. */
    end (error: ChatError): void {
      for (const request of requests) reject(request, error)
    }
  }
}

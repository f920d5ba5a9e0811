import { MAX_MESSAGES, PAGE_COST, isPosition } from '../protocol.ts'
import { applyChanges } from './apply-change.ts'
import type { Backoff } from './backoff.ts'
import { MAX_PAGE_CHANGES } from './bounds.ts'
import { deferred, rejected, type Deferred } from './deferred.ts'
import { invalid, isOneOf, offline, type ChatError } from './error.ts'
import type { RemoteServer } from './remote-server.ts'
import type { HistoryPage, Of } from './room-events.ts'

/** The direction of a page from its position. */
export type Direction = 'before' | 'after'

interface Request {
  readonly room: string
  /** The direction with the position. */
  readonly key: string
  readonly json: string
  readonly page: Deferred<HistoryPage>
  /** The changes of the room since the request was sent, in order: the page may be older or newer than each of them. */
  changes: Array<Of<'changed'>>
  /**
   * `waiting` for the rate limiter; `inFlight`; `answered`, in the same tick: the app doesn't have the page yet, so it can't apply the
   * changes that follow the page.
   */
  stage?: 'waiting' | 'inFlight' | 'answered'
  /** Whether the room was left and the page rejected, but the answer hasn't arrived. */
  isLeft?: boolean
}

export type HistoryRequests = ReturnType<typeof historyRequests>

/** The room of a request. */
interface NamedRoom { readonly name: string }

/**
 * Requests for pages of history on this connection. The server answers those of one room in order.
 * @param isJoined returns whether a room is joined on this connection
 */
export function historyRequests (server: RemoteServer, delays: Backoff, isJoined: (room: NamedRoom) => boolean) {
  /** In the order in which they are sent. */
  const requests = new Set<Request>()

  function enqueue (request: Request): void {
    const { json } = request
    requests.delete(request)
    requests.add(request)
    // The page will have the changes that arrived before it is requested again.
    Object.assign(request, { stage: 'waiting', changes: [] } satisfies Partial<Request>)
    server.limiter.schedule(PAGE_COST, json.length, () => {
      if (!requests.has(request)) return
      if (server.send(json)) request.stage = 'inFlight'
      else reject(request, offline())
    })
  }

  function reject (request: Request, error: ChatError): void {
    requests.delete(request)
    request.page.reject(error)
  }

  /** Returns the room's oldest request in flight; with a key, the oldest with it. */
  function find (room: string, key?: string): Request | undefined {
    return [...requests].find((request) => request.stage === 'inFlight' && request.room === room && request.key === (key ?? request.key))
  }

  return {
    request (room: NamedRoom, position: string, limit: number, direction: Direction = 'before'): Promise<HistoryPage> {
      if (!isJoined(room)) return rejected(offline())
      // Checked here: the server closes a connection after ten invalid frames.
      const problem = isPosition(position) ? limitProblem('limit', limit, 1) : `${direction} must be a position`
      if (problem !== undefined) return rejected(invalid(problem))
      const page = deferred<HistoryPage>()
      const json = JSON.stringify({ type: 'history', room: room.name, [direction]: position, limit })
      enqueue({ room: room.name, key: direction + position, json, page, changes: [] })
      return page.promise
    },

    receive ({ room, before, after, messages, more, complete }: Of<'history'>): void {
      delays.reset()
      const request = find(room, after === undefined ? `before${before}` : `after${after}`)
      if (request === undefined) return
      request.stage = 'answered'
      queueMicrotask(() => {
        if (request.changes.length > MAX_PAGE_CHANGES) return enqueue(request)
        requests.delete(request)
        request.page.resolve({ messages: applyChanges(messages, request.changes), more, complete })
      })
    },

    /** Called with each change of a message. */
    onChanged (changed: Of<'changed'>): void {
      for (const { room, stage, changes } of requests) {
        if (room === changed.room && stage !== 'waiting' && changes.length <= MAX_PAGE_CHANGES) changes.push(changed)
      }
    },

    /** Returns whether a request for a page of that room was in flight. */
    onError (room: string, error: ChatError): boolean {
      const request = find(room)
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

    end (error: ChatError): void {
      for (const request of requests) if (request.stage !== 'answered') reject(request, error)
    }
  }
}

/** Returns the problem of a number of messages to request; undefined if the server accepts it. */
export function limitProblem (name: string, limit: number, min: number): string | undefined {
  return Number.isInteger(limit) && limit >= min && limit <= MAX_MESSAGES ? undefined : `${name} must be an integer from ${min} to ${MAX_MESSAGES}`
}

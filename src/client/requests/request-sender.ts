import type { Backoff } from '../backoff.ts'
import type { ChatError } from '../error.ts'
import { sizeError } from './frame-size.ts'
import type { PendingRequest, RoomState } from './pending-request.ts'
import type { RemoteServer } from './remote-server.ts'
import type { RequestQueue } from './request-queue.ts'

/** What a sender needs of the client and of the saved posts. */
export interface SendOperations {
  readonly queue: RequestQueue
  readonly server: RemoteServer
  readonly delays: Backoff
  /** Returns whether a request of a joined room has to wait for the saved posts. */
  holds (request: PendingRequest, room: RoomState): boolean | undefined
  /** Called with a request that the server would refuse. */
  onError (request: PendingRequest, error: ChatError): void
}

/** Stands for all rooms. No room has this name. */
const ALL = ''

/** Sends the requests of a queue, in order and within the server's limits. */
export function requestSender ({ queue, server, delays, holds, onError }: SendOperations) {
  const { limiter } = server
  /**
   * Timers of the rooms whose requests wait after a retryable error: later requests of the room wait too, to keep the order. The timer of
   * all rooms is that of the rate limit.
   */
  const waits = new Map<string, ReturnType<typeof setTimeout>>()

  function wait (room: string, ms: number): void {
    waits.set(room, setTimeout(() => {
      waits.delete(room)
      flush()
    }, ms))
  }

  /** Ends the wait of a room. */
  function stop (room: string): void {
    clearTimeout(waits.get(room))
    waits.delete(room)
  }

  /** Sends the requests that are not in flight and need not wait. */
  function flush (): void {
    if (waits.has(ALL)) return
    let costInFlight = 0
    let bytesInFlight = 0
    const count = ({ inFlight, cost, bytes }: PendingRequest) => {
      if (!inFlight) return
      costInFlight += cost
      bytesInFlight += bytes
    }
    queue.forEach(count)
    // A message's changes are sent one at a time: the last one that the server receives wins, and an earlier one may be repeated.
    const targets = new Set<string>()
    for (const request of queue.values()) {
      const { target, cost, bytes } = request
      const isBehind = target !== undefined && targets.has(target)
      if (target !== undefined) targets.add(target)
      if (isBehind || request.inFlight || waits.has(request.room)) continue
      const room = server.joinedRooms.get(request.room)
      if (room === undefined || holds(request, room)) continue
      if (costInFlight > 0 && !limiter.fits(costInFlight + cost, bytesInFlight + bytes)) return
      const ms = limiter.take(bytes, cost)
      if (ms > 0) return wait(ALL, ms)
      send(request, room)
      count(request)
    }
  }

  function send (request: PendingRequest, { position, revision }: RoomState): void {
    const { json, content: { type } } = request
    // A deletion or a reaction that is repeated has no further effect, so the server needs no `since`.
    const since = request.sent ? request.since : type === 'post' ? position : type === 'edit' ? revision : undefined
    const repeat = since === undefined ? json : `${json.slice(0, -1)},"since":${JSON.stringify(since)}}`
    // Measured with `since`, because a request that fits only without it couldn't be repeated.
    const error = sizeError(repeat, server.payload)
    if (error !== undefined) return onError(request, error)
    if (server.send(request.sent ? repeat : json)) Object.assign(request, { since, sent: true, inFlight: true })
  }

  return {
    flush,
    stop,
    /** Called with a retryable error of a request: the request is sent again, and those of its room wait until then. */
    retry (request: PendingRequest, { retryAfter }: ChatError): void {
      request.inFlight = false
      if (!waits.has(request.room)) wait(request.room, delays.next(retryAfter))
    },
    /** Called when the connection is lost. */
    clear (): void { for (const room of waits.keys()) stop(room) }
  }
}

import { isRetryable } from '../../protocol.ts'
import type { EmitClientEvent } from '../client-events.ts'
import { promised } from '../deferred.ts'
import { ChatError, isOneOf, unsupported } from '../error.ts'
import type { Settings } from '../options.ts'
import { pendingRequest, type Outcome, type PendingRequest, type Post, type Repeatable, type RequestedChange } from './pending-request.ts'
import { randomId } from './random-id.ts'
import type { RemoteServer } from './remote-server.ts'
import type { RequestQueue } from './request-queue.ts'
import { requestSender } from './request-sender.ts'
import type { Of } from '../room-events.ts'

/** The client whose requests wait. */
export interface RequestingClient {
  readonly settings: Settings
  readonly server: RemoteServer
  readonly emit: EmitClientEvent
}

export type PendingRequests = ReturnType<typeof pendingRequests>

/** The posts and changes of a client, from the call of the app to the answer of the server. Settles their promises. */
export function pendingRequests ({ server, settings: { backoff, queue: limit, savedPosts }, emit }: RequestingClient) {
  const queue: RequestQueue = new Map()
  const delays = backoff()
  /** undefined: posts are not saved */
  let saver = savedPosts?.open({ queue, server, emit, flush: () => sender.flush() })
  const sender = requestSender({
    queue,
    server,
    delays,
    holds: (request, room) => saver?.holds(request, room),
    onError: reject
  })
  const { flush } = sender

  /** Adds a request. Its promise resolves with the position of a post. @param refusal error with which it rejects at once */
  function add<Result extends string | void> (content: Repeatable, refusal: ChatError | undefined, id = randomId()): Promise<Result> {
    return promised((outcome) => {
      if (refusal !== undefined) throw refusal
      if (content.type !== 'post') server.assertSupports('changes')
      const request = pendingRequest(content, outcome as Outcome, id)
      if (queue.size >= limit) throw new ChatError('overflow', `${limit} requests wait for acknowledgement`)
      queue.set(id, request)
      if (request.target === undefined) void saver?.save(request, server.joinedRooms.get(request.room))
      flush()
    })
  }

  /** Rejects with the error, or with `unknown` if the request was sent. */
  function rejectUnanswered (request: PendingRequest, error: ChatError): void {
    reject(request, request.sent ? new ChatError('unknown', `the outcome is unknown: ${error.message}`) : error)
  }

  function reject (request: PendingRequest, error: ChatError): void {
    remove(request)
    request.outcome.reject(error)
  }

  function remove (request: PendingRequest): void {
    queue.delete(request.id)
    saver?.remove(request)
  }

  return {
    queue,

    /** @param ended why the room has ended */
    post (room: string, text: string, data: unknown, ended?: ChatError): Post {
      const id = randomId()
      return Object.assign(add<string>({ type: 'post', room, text, data }, ended, id), { id })
    },

    /** Resolves when the message is changed. @param ended why the room has ended */
    change (room: string, change: RequestedChange, ended?: ChatError): Promise<void> {
      return add({ room, ...change }, ended)
    },

    onAck ({ id, position }: Of<'ack'>): void {
      delays.reset()
      const request = queue.get(id)
      if (request === undefined) return
      remove(request)
      request.outcome.resolve(request.target === undefined ? position : undefined)
      // A later change of the same message can be sent now, and the next request may fit into the limits.
      flush()
    },

    /** Returns whether the id is that of a pending request. */
    onError (id: string, error: ChatError): boolean {
      const request = queue.get(id)
      if (request === undefined) return false
      if (isRetryable(error.code) && request.roomEnd === undefined) sender.retry(request, error)
      else reject(request, (isOneOf(error.code, 'not_joined', 'forbidden') && request.roomEnd) || error)
      flush()
      return true
    },

    /** Called when the room is joined: its requests and its saved posts can be sent. */
    onJoined (room: string): void {
      saver?.restore(room)
      flush()
    },

    /**
     * Called on each connection.
     * @param isOther whether the client has another member id: the server would not detect repeats of requests by the former member. A
     * saved post is never sent as another member
     */
    onConnect (isOther: boolean): void {
      for (const request of queue.values()) {
        if (isOther && (request.sent || request.saved !== undefined)) reject(request, new ChatError('stale_post', 'the request was made as another member'))
        else if (request.target !== undefined && !server.supports('changes')) rejectUnanswered(request, unsupported('changes'))
      }
    },

    onDisconnect (): void {
      sender.clear()
      for (const request of queue.values()) {
        request.inFlight = false
        if (request.roomEnd !== undefined) rejectUnanswered(request, request.roomEnd)
      }
    },

    /** Rejects the requests that are not in flight, because the room will not be joined again. Those in flight are still answered. */
    onLeft (room: string, error: ChatError): void {
      sender.stop(room)
      for (const request of queue.values()) {
        if (request.room !== room) continue
        if (request.inFlight) request.roomEnd = error
        else rejectUnanswered(request, error)
      }
    },

    /** Called when the client is closed permanently. Saved posts stay saved. */
    end (error: ChatError): void {
      sender.clear()
      saver?.end()
      saver = undefined
      for (const request of queue.values()) reject(request, error)
    }
  }
}

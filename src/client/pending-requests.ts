import { isRetryable } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError, isOneOf, unsupported } from './error.ts'
import { PendingRequest, type Outcome, type Post, type Repeatable, type RequestedChange, type RoomState } from './pending-request.ts'
import { postSaver, type PostSaver } from './post-saver.ts'
import { randomId } from './random-id.ts'
import type { RateLimiter } from './rate-limiter.ts'
import type { RequestQueue } from './request-queue.ts'
import { RequestSender } from './request-sender.ts'
import type { RestoredPost, SavedPost, SavedPosts } from './saved-posts.ts'

/** The operations that pending requests need of the client. */
export interface RequestOperations {
  /** Returns the room if it is joined now. */
  joinedRoom (name: string): RoomState | undefined
  /** Returns whether the room is joined, or will be. */
  includes (room: string): boolean
  /** Returns whether the message was passed to the socket. */
  send (json: string): boolean
  /** Called when a post of an earlier client waits for acknowledgement in a joined room. */
  onRestored (restored: RestoredPost): void
  /** Called with the first error of the saved posts. */
  onNotSaved (error: ChatError): void
}

/** The posts and changes of a client, from the call of the app to the answer of the server. Settles their promises. */
export class PendingRequests {
  readonly #queue: RequestQueue
  readonly #operations: RequestOperations
  readonly #backoff: Backoff
  readonly #sender: RequestSender
  /** Whether the server accepts changes; undefined before the first connection. */
  #supportsChanges: boolean | undefined
  /** undefined: posts are not saved */
  #saver: PostSaver | undefined

  constructor (queue: RequestQueue, operations: RequestOperations, backoff: Backoff, rateLimiter: RateLimiter, savedPosts?: SavedPosts) {
    this.#queue = queue
    this.#operations = operations
    this.#backoff = backoff
    this.#sender = new RequestSender(queue, {
      ...operations,
      holds: (request, room) => this.#saver?.holds(request, room),
      onError: (request, error) => this.#reject(request, error)
    }, backoff, rateLimiter)
    if (savedPosts !== undefined) this.#saver = postSaver(savedPosts, this, operations.onNotSaved)
  }

  post (room: string, text: string, data: unknown): Post {
    const id = randomId()
    return Object.assign(this.#add<string>({ type: 'post', room, text, data }, id), { id })
  }

  isJoined (room: string): boolean { return this.#operations.joinedRoom(room) !== undefined }

  /** Adds saved posts of earlier clients before the other requests. */
  restore (room: string, posts: readonly SavedPost[]): void {
    if (this.isJoined(room)) this.#queue.restore(posts, this.#operations.onRestored)
  }

  /** Resolves when the message is changed. */
  change (room: string, change: RequestedChange): Promise<void> {
    return this.#supportsChanges === false ? rejected(unsupported('changes of messages')) : this.#add({ room, ...change })
  }

  /** Sends the requests that need not wait. */
  flush (): void { this.#sender.flush() }

  onAck (id: string, position: string): void {
    this.#backoff.reset()
    const request = this.#queue.get(id)
    if (request === undefined) return
    this.#remove(request)
    request.outcome.resolve(request.target === undefined ? position : undefined)
    this.#sender.sendMore(request)
  }

  /** Returns whether the id is that of a pending request. */
  onError (id: string, error: ChatError): boolean {
    const request = this.#queue.get(id)
    if (request === undefined) return false
    if (isRetryable(error.code) && this.#operations.includes(request.room)) this.#sender.onRetryable(request, error)
    else this.#reject(request, (isOneOf(error.code, 'not_joined', 'forbidden') && request.roomEnd) || error)
    this.#sender.sendMore(request)
    return true
  }

  /** Called when the room is joined: its requests and its saved posts can be sent. */
  onJoined (room: string): void {
    this.#saver?.restore(room)
    this.flush()
  }

  /**
   * @param member id of the client's member
   * @param payload largest message that the server accepts, in bytes; undefined: no limit
   * @param supportsChanges whether the server accepts changes
   */
  onConnect (member: string, payload: number | undefined, supportsChanges: boolean): void {
    this.#saver?.onConnect(member)
    this.#sender.payload = payload ?? Infinity
    this.#supportsChanges = supportsChanges
    if (supportsChanges) return
    for (const request of this.#queue) {
      if (request.target !== undefined) this.#rejectUnanswered(request, unsupported('changes of messages'))
    }
  }

  onDisconnect (): void {
    this.#sender.clear()
    for (const request of this.#queue) {
      request.inFlight = false
      // Set, because the room was left after the request was sent.
      if (!this.#operations.includes(request.room)) this.#rejectUnanswered(request, request.roomEnd!)
    }
  }

  /** Rejects the requests that are not in flight, because the room will not be joined again. Those in flight are still answered. */
  onLeft (room: string, error: ChatError): void {
    this.#sender.onLeft(room)
    for (const request of this.#queue) {
      if (request.room !== room) continue
      if (request.inFlight) request.roomEnd = error
      else this.#rejectUnanswered(request, error)
    }
  }

  /**
   * Called when the client has another member id: the server would not detect repeats of requests by the former member. A saved post
   * is never sent as another member.
   */
  onMemberChange (): void {
    for (const request of this.#queue) {
      if (request.sent || request.saved !== undefined) this.#reject(request, new ChatError('stale_post', 'the request was made as another member'))
    }
  }

  /** Called when the client is closed permanently. Saved posts stay saved. */
  end (error: ChatError): void {
    this.#sender.clear()
    this.#saver?.end?.()
    this.#saver = undefined
    for (const request of this.#queue) this.#reject(request, error)
  }

  /** Adds a request. Its promise resolves with the position of a post. */
  #add<Result extends string | void>(content: Repeatable, id = randomId()): Promise<Result> {
    const outcome = new Deferred<Result>()
    try {
      const request = new PendingRequest(content, outcome as Outcome, id)
      this.#queue.add(request)
      if (request.target === undefined) void this.#saver?.save(request, this.#operations.joinedRoom(request.room))
    } catch (error) {
      outcome.reject(error as Error)
    }
    this.flush()
    return outcome.promise
  }

  /** Rejects with the error, or with `unknown` if the request was sent. */
  #rejectUnanswered (request: PendingRequest, error: ChatError): void {
    this.#reject(request, request.sent ? new ChatError('unknown', `the outcome is unknown: ${error.message}`) : error)
  }

  #reject (request: PendingRequest, error: ChatError): void {
    this.#remove(request)
    request.outcome.reject(error)
  }

  #remove (request: PendingRequest): void {
    this.#queue.delete(request.id)
    this.#saver?.remove(request)
  }
}

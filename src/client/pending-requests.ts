import { isRetryable } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError, isOneOf, unsupported } from './error.ts'
import { PendingRequest, randomId, targetOf, type Outcome, type Repeatable, type RequestedChange, type RoomState } from './pending-request.ts'
import { postSaver, type PostSaver } from './post-saver.ts'
import type { RateLimiter } from './rate-limiter.ts'
import type { Retyped } from './app-data.ts'
import { RetryTimers } from './retry-timers.ts'
import type { SavedPost, SavedPosts } from './saved-posts.ts'

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

/** Resolves with the position of the stored message. id: of the request */
export type Post = Promise<string> & { readonly id: string }

interface Content { readonly text: string, readonly data?: unknown }

/** A post that waits for its acknowledgement. */
export interface WaitingPost extends Content { readonly post: Post }

/** A saved post of an earlier client that is being sent. post: its outcome, as of `ClientRoom.post`; its rejection may be ignored */
export type RestoredPost<Data = unknown> = Retyped<SavedPost, { data: Data }> & { readonly post: Post }

/** A bounded queue of the posts and changes that wait for acknowledgement, oldest first. */
export class PendingRequests {
  #requests = new Map<string, PendingRequest>()
  readonly #operations: RequestOperations
  readonly #limit: number
  readonly #backoff: Backoff
  readonly #rateLimiter: RateLimiter
  /** Set while requests wait only for the rate limiter. */
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Of rooms with a request that failed with a retryable error. Later requests of the room wait too, to keep the order. */
  readonly #retries: RetryTimers
  /** Largest message that the server accepts, in bytes. */
  #payload = Infinity
  /** Whether the server accepts changes; undefined before the first connection. */
  #supportsChanges: boolean | undefined
  /** undefined: posts are not saved */
  #saver: PostSaver | undefined

  /** @param limit requests that may wait */
  constructor (operations: RequestOperations, limit: number, backoff: Backoff, rateLimiter: RateLimiter, savedPosts?: SavedPosts) {
    this.#operations = operations
    this.#limit = limit
    this.#backoff = backoff
    this.#retries = new RetryTimers(() => this.flush())
    this.#rateLimiter = rateLimiter
    if (savedPosts !== undefined) this.#saver = postSaver(savedPosts, this, operations.onNotSaved)
  }

  post (room: string, text: string, data: unknown): Post {
    const id = randomId()
    return Object.assign(this.#add<string>({ type: 'post', room, text, data }, id), { id })
  }

  /** Returns the posts of a room that wait for acknowledgement, with their contents. */
  posts (room: string): WaitingPost[] {
    const posts = Array.from(this.#requests.values()).filter((request) => request.room === room && request.target === undefined)
    return posts.map(({ json, outcome }) => ({ ...JSON.parse(json) as Content, post: (outcome as Deferred<string>).promise as Post }))
  }

  /** Returns whether a request waits and was never sent. */
  isUnsent (id: string): boolean { return this.#requests.get(id)?.sent === false }

  isJoined (room: string): boolean { return this.#operations.joinedRoom(room) !== undefined }

  /** Adds saved posts of earlier clients before the other requests. */
  restore (room: string, posts: readonly SavedPost[]): void {
    if (!this.isJoined(room)) return
    const restored = new Map<string, PendingRequest>()
    for (const saved of posts) {
      const { id, text, data, at, since } = saved
      if (this.#requests.has(id)) continue
      const stored = new Deferred<string>()
      const request = new PendingRequest({ type: 'post', room, text, data }, stored as Outcome, id, at)
      restored.set(id, Object.assign(request, { since, sent: since !== undefined, saved: Promise.resolve() }))
      stored.promise.catch(() => { /* the event has reported the post */ })
      this.#operations.onRestored({ ...saved, post: Object.assign(stored.promise, { id }) })
    }
    this.#requests = new Map([...restored, ...this.#requests])
  }

  /** Resolves when the message is changed. */
  change (room: string, change: RequestedChange): Promise<void> {
    return this.#supportsChanges === false ? rejected(unsupported('changes of messages')) : this.#add({ room, ...change })
  }

  /** Returns the reactions to a message that were sent and not acknowledged: those that are added (`true`) and removed. */
  reactionsTo (room: string, position: string): ReadonlyMap<string, boolean> {
    const target = targetOf(room, position)
    const own = new Map<string, boolean>()
    for (const { target: other, sent, reaction } of this.#requests.values()) {
      if (other === target && sent && reaction !== undefined) own.set(reaction.text, reaction.on)
    }
    return own
  }

  /** Sends the requests that are not in flight, in order and within the server's limits. */
  flush (): void {
    if (this.#timer !== undefined) return
    let costInFlight = 0
    let bytesInFlight = 0
    const count = ({ inFlight, cost, bytes }: PendingRequest) => {
      if (!inFlight) return
      costInFlight += cost
      bytesInFlight += bytes
    }
    this.#requests.forEach(count)
    // A message's changes are sent one at a time: the last one that the server receives wins, and an earlier one may be repeated.
    const targets = new Set<string>()
    for (const request of this.#requests.values()) {
      const { target, cost, bytes } = request
      const isBehind = target !== undefined && targets.has(target)
      if (target !== undefined) targets.add(target)
      if (isBehind || request.inFlight || this.#retries.has(request.room)) continue
      const room = this.#operations.joinedRoom(request.room)
      if (room === undefined || this.#saver?.holds(request, room)) continue
      if (costInFlight > 0 && !this.#rateLimiter.fits(costInFlight + cost, bytesInFlight + bytes)) return
      const wait = this.#rateLimiter.take(bytes, cost)
      if (wait > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.flush()
        }, wait)
        return
      }
      this.#send(request, room)
      count(request)
    }
  }

  onAck (id: string, position: string): void {
    this.#backoff.reset()
    const request = this.#requests.get(id)
    if (request === undefined) return
    this.#remove(request)
    request.outcome.resolve(request.target === undefined ? position : undefined)
    this.#sendMore(request)
  }

  /** Returns whether the id is that of a pending request. */
  onError (id: string, error: ChatError): boolean {
    const request = this.#requests.get(id)
    if (request === undefined) return false
    if (isRetryable(error.code) && this.#operations.includes(request.room)) {
      request.inFlight = false
      this.#retries.start(request.room, () => this.#backoff.next(error.retryAfter))
    } else {
      const isRefused = isOneOf(error.code, 'not_joined', 'forbidden')
      this.#reject(request, isRefused ? request.roomEnd ?? error : error)
    }
    this.#sendMore(request)
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
    this.#payload = payload ?? Infinity
    this.#supportsChanges = supportsChanges
    if (supportsChanges) return
    for (const request of this.#requests.values()) {
      if (request.target !== undefined) this.#rejectUnanswered(request, unsupported('changes of messages'))
    }
  }

  onDisconnect (): void {
    this.#clearTimers()
    for (const request of this.#requests.values()) {
      request.inFlight = false
      // Set, because the room was left after the request was sent.
      if (!this.#operations.includes(request.room)) this.#rejectUnanswered(request, request.roomEnd!)
    }
  }

  /** Rejects the requests that are not in flight, because the room will not be joined again. Those in flight are still answered. */
  onLeft (room: string, error: ChatError): void {
    this.#retries.stop(room)
    for (const request of this.#requests.values()) {
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
    for (const request of this.#requests.values()) {
      if (request.sent || request.saved !== undefined) this.#reject(request, new ChatError('stale_post', 'the request was made as another member'))
    }
  }

  /** Called when the client is closed permanently. Saved posts stay saved. */
  end (error: ChatError): void {
    this.#clearTimers()
    this.#saver?.end?.()
    this.#saver = undefined
    for (const request of this.#requests.values()) this.#reject(request, error)
  }

  /** Adds a request. Its promise resolves with the position of a post. */
  #add<Result extends string | void>(content: Repeatable, id = randomId()): Promise<Result> {
    const outcome = new Deferred<Result>()
    try {
      const request = new PendingRequest(content, outcome as Outcome, id)
      if (this.#requests.size >= this.#limit) throw new ChatError('overflow', `queue full: ${this.#limit} requests wait for acknowledgement`)
      this.#requests.set(request.id, request)
      if (request.target === undefined) void this.#saver?.save(request, this.#operations.joinedRoom(request.room))
    } catch (error) {
      outcome.reject(error as Error)
    }
    this.flush()
    return outcome.promise
  }

  #send (request: PendingRequest, room: RoomState): void {
    try {
      request.send(room, this.#payload, this.#operations.send)
    } catch (error) {
      this.#reject(request, error as ChatError)
    }
  }

  /** Called after an answer. A later change of the same message can be sent now, and the next request may fit into the limits. */
  #sendMore (answered: PendingRequest): void {
    if (this.#rateLimiter.limited || answered.target !== undefined) this.flush()
  }

  #clearTimers (): void {
    this.#retries.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
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
    this.#requests.delete(request.id)
    this.#saver?.remove(request)
  }
}

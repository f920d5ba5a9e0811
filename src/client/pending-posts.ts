import { ErrorCode, isRetryable } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { rejected } from './deferred.ts'
import { ChatError } from './error.ts'
import { PendingPost } from './pending-post.ts'
import type { RateLimiter } from './rate-limiter.ts'

/** The operations that pending posts need of the client. */
export interface PostOperations {
  /** Returns the position of the room if it is joined now. */
  positionOf (room: string): string | undefined
  /** Returns whether the room is joined, or will be. */
  includes (room: string): boolean
  /** Returns whether the message was passed to the socket. */
  send (json: string): boolean
}

/** A bounded queue of the posts that wait for acknowledgement, oldest first. */
export class PendingPosts {
  readonly #posts = new Map<string, PendingPost>()
  readonly #operations: PostOperations
  readonly #limit: number
  readonly #backoff: Backoff
  readonly #rateLimiter: RateLimiter
  /** Set while posts wait only for the rate limiter. */
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Retry timers of rooms with a post that failed with a retryable error. Later posts of the room wait too, to keep the order. */
  readonly #retries = new Map<string, ReturnType<typeof setTimeout>>()
  /** Largest message that the server accepts, in bytes. */
  #payload = Infinity

  /** @param limit posts that may wait */
  constructor (operations: PostOperations, limit: number, backoff: Backoff, rateLimiter: RateLimiter) {
    this.#operations = operations
    this.#limit = limit
    this.#backoff = backoff
    this.#rateLimiter = rateLimiter
  }

  add (room: string, text: string, data: unknown): Promise<string> {
    let post
    try {
      post = new PendingPost(room, text, data)
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.#posts.size >= this.#limit) {
      return rejected(new ChatError('overflow', `post queue full: ${this.#limit} posts wait for acknowledgement`))
    }
    this.#posts.set(post.id, post)
    this.flush()
    return post.stored.promise
  }

  /** Sends the posts that are not in flight, in order and within the server's limits. */
  flush (): void {
    if (this.#timer !== undefined) return
    let inFlight = 0
    let bytesInFlight = 0
    const count = (post: PendingPost) => {
      if (!post.inFlight) return
      inFlight++
      bytesInFlight += post.bytes
    }
    this.#posts.forEach(count)
    for (const post of this.#posts.values()) {
      if (post.inFlight || this.#retries.has(post.room)) continue
      const position = this.#operations.positionOf(post.room)
      if (position === undefined) continue
      if (inFlight > 0 && !this.#rateLimiter.fits(inFlight + 1, bytesInFlight + post.bytes)) return
      const wait = this.#rateLimiter.take(post.bytes)
      if (wait > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.flush()
        }, wait)
        return
      }
      this.#send(post, position)
      count(post)
    }
  }

  onAck (id: string, position: string): void {
    this.#backoff.reset()
    this.#remove(id)?.stored.resolve(position)
    this.#sendMore()
  }

  /** Returns whether the id is that of a pending post. */
  onError (id: string, error: ChatError): boolean {
    const post = this.#posts.get(id)
    if (post === undefined) return false
    if (isRetryable(error.code) && this.#operations.includes(post.room)) {
      post.inFlight = false
      this.#retryLater(post.room, error.retryAfter)
    } else {
      this.#remove(id)?.stored.reject(error)
    }
    this.#sendMore()
    return true
  }

  /** @param payload largest message that the server accepts, in bytes; undefined: no limit */
  onConnect (payload: number | undefined): void { this.#payload = payload ?? Infinity }

  onDisconnect (): void {
    this.#clearTimers()
    for (const post of this.#posts.values()) {
      post.inFlight = false
      if (!this.#operations.includes(post.room)) {
        this.#reject(post, new ChatError(ErrorCode.unknown, 'the outcome is unknown: the room was left, and the connection was lost before the acknowledgement'))
      }
    }
  }

  /** Rejects the posts that are not in flight, because the room will not be joined again. Posts in flight are still answered. */
  onLeft (room: string, error: ChatError): void {
    clearTimeout(this.#retries.get(room))
    this.#retries.delete(room)
    for (const post of this.#posts.values()) {
      if (post.room !== room || post.inFlight) continue
      this.#reject(post, post.since === undefined ? error : new ChatError(ErrorCode.unknown, `the outcome is unknown: ${error.message} before the acknowledgement`))
    }
  }

  /** Called when the client has another member id: the server would not detect repeats of posts by the former member. */
  onMemberChange (): void {
    for (const post of this.#posts.values()) {
      if (post.since === undefined) continue
      this.#reject(post, new ChatError(ErrorCode.stalePost, 'the post was sent as another member and not acknowledged'))
    }
  }

  end (error: ChatError): void {
    this.#clearTimers()
    for (const post of this.#posts.values()) this.#reject(post, error)
  }

  #send (post: PendingPost, position: string): void {
    let frame
    try {
      frame = post.encode(position, this.#payload)
    } catch (error) {
      return this.#reject(post, error as ChatError)
    }
    post.inFlight = this.#operations.send(frame)
    if (post.inFlight) post.since ??= position
  }

  /** Called after an answer. If the number of posts in flight is limited, the next post may fit now. */
  #sendMore (): void {
    if (this.#rateLimiter.limited) this.flush()
  }

  /** @param retryAfter minimum ms to wait, from the server */
  #retryLater (room: string, retryAfter?: number): void {
    if (this.#retries.has(room)) return
    this.#retries.set(room, setTimeout(() => {
      this.#retries.delete(room)
      this.flush()
    }, this.#backoff.next(retryAfter)))
  }

  #clearTimers (): void {
    for (const timer of this.#retries.values()) clearTimeout(timer)
    this.#retries.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #remove (id: string): PendingPost | undefined {
    const post = this.#posts.get(id)
    this.#posts.delete(id)
    return post
  }

  #reject (post: PendingPost, error: ChatError): void {
    this.#posts.delete(post.id)
    post.stored.reject(error)
  }
}

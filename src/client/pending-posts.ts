import { ErrorCode, halfPair } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError } from './error.ts'
import type { Pace } from './rate-limiter.ts'

interface Post {
  readonly id: string
  readonly room: string
  /** Serialized once, so that a repeat is identical even if the app has changed its objects. */
  readonly json: string
  /** Approximate size of a repeat, which includes `since`. */
  readonly bytes: number
  /** The room's position when the post was first sent. From it the server decides if it can still detect a repeat. */
  since: string | undefined
  /** Whether the post was sent on this link and is not answered yet. */
  inFlight: boolean
  readonly stored: Deferred<string>
}

export interface OutgoingLink {
  /** Returns the position of the room if it is joined now. */
  place (room: string): string | undefined
  /** Returns whether the room is joined, or will be. */
  wanted (room: string): boolean
  /** Returns whether the message was passed to the socket. */
  send (json: string): boolean
}

/** Errors after which the same post is sent again. */
const transient: ReadonlySet<string> = new Set([ErrorCode.unavailable, ErrorCode.unknown, ErrorCode.rateLimited])

/** Bytes that `since` adds to a repeated post. */
const SINCE = 140

/** A bounded queue of the posts that wait for acknowledgement, oldest first. */
export class Outgoing {
  readonly #posts = new Map<string, Post>()
  readonly #link: OutgoingLink
  readonly #limit: number
  readonly #backoff: Backoff
  readonly #rateLimiter: Pace
  /** Set while posts wait only for the rate limiter. */
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Retry timers of rooms with a post that met a transient error. Later posts of the room wait too, to keep the order. */
  readonly #stalled = new Map<string, ReturnType<typeof setTimeout>>()
  /** Largest message that the server accepts, in bytes. */
  #payload = Infinity

  /** @param limit posts that may wait */
  constructor (link: OutgoingLink, limit: number, backoff: Backoff, rateLimiter: Pace) {
    this.#link = link
    this.#limit = limit
    this.#backoff = backoff
    this.#rateLimiter = rateLimiter
  }

  add (room: string, text: string, data: unknown): Promise<string> {
    const id = randomId()
    let json
    try {
      json = JSON.stringify({ type: 'post', room, id, text, data })
    } catch (error) {
      return Promise.reject(error)
    }
    // Checked here: the server closes a connection after ten invalid frames.
    if (typeof text !== 'string') return rejected(new ChatError('invalid', 'text must be a string'))
    if (halfPair.test(json)) return rejected(new ChatError('invalid', 'half a surrogate pair is no text'))
    if (this.#posts.size >= this.#limit) {
      return rejected(new ChatError('overflow', `${this.#limit} posts wait for their acknowledgement already`))
    }
    const stored = new Deferred<string>()
    this.#posts.set(id, { id, room, json, bytes: bytesOf(json) + SINCE, since: undefined, inFlight: false, stored })
    this.flush()
    return stored.promise
  }

  /** Sends the posts that are not in flight, in order and within the server's limits. */
  flush (): void {
    if (this.#timer !== undefined) return
    let inFlight = 0
    let bytesInFlight = 0
    const count = (post: Post) => {
      if (!post.inFlight) return
      inFlight++
      bytesInFlight += post.bytes
    }
    this.#posts.forEach(count)
    for (const post of this.#posts.values()) {
      if (post.inFlight || this.#stalled.has(post.room) || this.#link.place(post.room) === undefined) continue
      if (inFlight > 0 && !this.#rateLimiter.fits(inFlight + 1, bytesInFlight + post.bytes)) return
      const wait = this.#rateLimiter.take(post.bytes)
      if (wait > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.flush()
        }, wait)
        return
      }
      this.#send(post)
      count(post)
    }
  }

  acknowledged (id: string, position: string): void {
    this.#backoff.reset()
    this.#remove(id)?.stored.resolve(position)
    this.#sendMore()
  }

  /** Returns whether the id is that of a waiting post. */
  refused (id: string, error: ChatError): boolean {
    const post = this.#posts.get(id)
    if (post === undefined) return false
    if (transient.has(error.code) && this.#link.wanted(post.room)) {
      post.inFlight = false
      this.#stall(post.room, error.retryAfter)
    } else {
      this.#remove(id)?.stored.reject(error)
    }
    this.#sendMore()
    return true
  }

  /** @param payload largest message that the server accepts, in bytes; undefined: no limit */
  online (payload: number | undefined): void { this.#payload = payload ?? Infinity }

  lost (): void {
    for (const timer of this.#stalled.values()) clearTimeout(timer)
    this.#stalled.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const post of this.#posts.values()) {
      post.inFlight = false
      if (!this.#link.wanted(post.room)) {
        this.#reject(post, new ChatError(ErrorCode.unknown, 'the room was left, and the connection lost before the acknowledgement'))
      }
    }
  }

  /** Rejects the posts that are not in flight: the room will not be joined again. Those in flight are still answered. */
  left (room: string, error: ChatError): void {
    clearTimeout(this.#stalled.get(room))
    this.#stalled.delete(room)
    for (const post of this.#posts.values()) {
      if (post.room !== room || post.inFlight) continue
      this.#reject(post, post.since === undefined ? error : new ChatError(ErrorCode.unknown, `${error.message}, before it was known whether this was stored`))
    }
  }

  /** Called when the client has another member id: the server would not detect repeats of posts by the former member. */
  disown (): void {
    for (const post of this.#posts.values()) {
      if (post.since === undefined) continue
      this.#reject(post, new ChatError(ErrorCode.stalePost, 'sent as another member, whose acknowledgement was lost'))
    }
  }

  end (error: ChatError): void {
    for (const timer of this.#stalled.values()) clearTimeout(timer)
    clearTimeout(this.#timer)
    for (const post of this.#posts.values()) this.#reject(post, error)
  }

  #send (post: Post): void {
    const position = this.#link.place(post.room)
    if (position === undefined) return
    const repeat = `${post.json.slice(0, -1)},"since":${JSON.stringify(post.since ?? position)}}`
    // Measured with `since`: a post that fits only without it could not be repeated.
    if (repeat.length * 3 > this.#payload && bytesOf(repeat) > this.#payload) {
      return this.#reject(post, new ChatError('too_large', `the server takes messages of ${this.#payload} bytes`))
    }
    post.inFlight = this.#link.send(post.since === undefined ? post.json : repeat)
    if (post.inFlight) post.since ??= position
  }

  /** Called after an answer: if the number in flight is limited, the next post may fit now. */
  #sendMore (): void {
    if (this.#rateLimiter.limited) this.flush()
  }

  /** @param retryAfter ms to wait at least, from the server */
  #stall (room: string, retryAfter?: number): void {
    if (this.#stalled.has(room)) return
    this.#stalled.set(room, setTimeout(() => {
      this.#stalled.delete(room)
      this.flush()
    }, this.#backoff.next(retryAfter)))
  }

  #remove (id: string): Post | undefined {
    const post = this.#posts.get(id)
    this.#posts.delete(id)
    return post
  }

  #reject (post: Post, error: ChatError): void {
    this.#posts.delete(post.id)
    post.stored.reject(error)
  }
}

function bytesOf (text: string): number { return new TextEncoder().encode(text).length }

/** Not crypto.randomUUID, which is missing on pages loaded over plain HTTP. */
function randomId (): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

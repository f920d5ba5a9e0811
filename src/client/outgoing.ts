import { ErrorCode, halfPair } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError } from './error.ts'
import type { Pace } from './rate-limiter.ts'

interface Post {
  readonly id: string
  readonly room: string
  /** As JSON, so that what is sent again is what was sent first, whatever became of the app's objects. */
  readonly json: string
  /** Of the JSON as it would be sent again, about. */
  readonly bytes: number
  /** The room's position when it was first sent: by it the server knows whether it can still tell a repeat. */
  since: string | undefined
  /** Whether it was sent on this link and not answered. */
  asked: boolean
  readonly stored: Deferred<string>
}

export interface OutgoingLink {
  /** The position of a room that is joined now. */
  place (room: string): string | undefined
  /** Whether the room is joined now, or will be. */
  wanted (room: string): boolean
  /** Gives whether it was sent. */
  send (json: string): boolean
}

/** Errors after which the same may be sent again. */
const transient: ReadonlySet<string> = new Set([ErrorCode.unavailable, ErrorCode.unknown, ErrorCode.rateLimited])

/** bytes that `since` takes in a post sent again */
const SINCE = 140

/** Posts that wait for their acknowledgement, in the order they were made; bounded. */
export class Outgoing {
  readonly #posts = new Map<string, Post>()
  readonly #link: OutgoingLink
  readonly #limit: number
  readonly #backoff: Backoff
  readonly #pace: Pace
  /** There while posts wait only for the pace. */
  #next: ReturnType<typeof setTimeout> | undefined
  /** Rooms whose posts the server could not store for now: what is posted meanwhile keeps its place behind them. */
  readonly #stalled = new Map<string, ReturnType<typeof setTimeout>>()
  /** bytes that the server takes */
  #payload = Infinity

  /** @param limit posts */
  constructor (link: OutgoingLink, limit: number, backoff: Backoff, pace: Pace) {
    this.#link = link
    this.#limit = limit
    this.#backoff = backoff
    this.#pace = pace
  }

  add (room: string, text: string, data: unknown): Promise<string> {
    const id = randomId()
    let json
    try {
      json = JSON.stringify({ type: 'post', room, id, text, data })
    } catch (error) {
      return Promise.reject(error)
    }
    // Ten frames that the server finds not valid would cost the connection.
    if (typeof text !== 'string') return rejected(new ChatError('invalid', 'text must be a string'))
    if (halfPair.test(json)) return rejected(new ChatError('invalid', 'half a surrogate pair is no text'))
    if (this.#posts.size >= this.#limit) {
      return rejected(new ChatError('overflow', `${this.#limit} posts wait for their acknowledgement already`))
    }
    const stored = new Deferred<string>()
    this.#posts.set(id, { id, room, json, bytes: bytesOf(json) + SINCE, since: undefined, asked: false, stored })
    this.flush()
    return stored.promise
  }

  /** Sends what was not sent on this link, in order, and no faster than the server lets it. */
  flush (): void {
    if (this.#next !== undefined) return
    let underWay = 0
    let bytesUnderWay = 0
    const count = (post: Post) => {
      if (!post.asked) return
      underWay++
      bytesUnderWay += post.bytes
    }
    this.#posts.forEach(count)
    for (const post of this.#posts.values()) {
      if (post.asked || this.#stalled.has(post.room) || this.#link.place(post.room) === undefined) continue
      if (underWay > 0 && !this.#pace.fits(underWay + 1, bytesUnderWay + post.bytes)) return
      const wait = this.#pace.take(post.bytes)
      if (wait > 0) {
        this.#next = setTimeout(() => {
          this.#next = undefined
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
    this.#take(id)?.stored.resolve(position)
    this.#goOn()
  }

  /** Gives whether it is one of these. */
  refused (id: string, error: ChatError): boolean {
    const post = this.#posts.get(id)
    if (post === undefined) return false
    if (transient.has(error.code) && this.#link.wanted(post.room)) {
      post.asked = false
      this.#stall(post.room, error.retryAfter)
    } else {
      this.#take(id)?.stored.reject(error)
    }
    this.#goOn()
    return true
  }

  /** @param payload bytes of a message that the server takes; any where it doesn't say */
  online (payload: number | undefined): void { this.#payload = payload ?? Infinity }

  lost (): void {
    for (const timer of this.#stalled.values()) clearTimeout(timer)
    this.#stalled.clear()
    clearTimeout(this.#next)
    this.#next = undefined
    for (const post of this.#posts.values()) {
      post.asked = false
      if (!this.#link.wanted(post.room)) {
        this.#reject(post, new ChatError(ErrorCode.unknown, 'the room was left, and the connection lost before the acknowledgement'))
      }
    }
  }

  /** Nobody will join the room: what waits to be sent never will be. What was sent on this link is answered yet. */
  left (room: string, error: ChatError): void {
    clearTimeout(this.#stalled.get(room))
    this.#stalled.delete(room)
    for (const post of this.#posts.values()) {
      if (post.room !== room || post.asked) continue
      this.#reject(post, post.since === undefined ? error : new ChatError(ErrorCode.unknown, `${error.message}, before it was known whether this was stored`))
    }
  }

  /** The member is another than it was: the server could not tell that these are repeats. */
  disown (): void {
    for (const post of this.#posts.values()) {
      if (post.since === undefined) continue
      this.#reject(post, new ChatError(ErrorCode.stalePost, 'sent as another member, whose acknowledgement was lost'))
    }
  }

  end (error: ChatError): void {
    for (const timer of this.#stalled.values()) clearTimeout(timer)
    clearTimeout(this.#next)
    for (const post of this.#posts.values()) this.#reject(post, error)
  }

  #send (post: Post): void {
    const place = this.#link.place(post.room)
    if (place === undefined) return
    const again = `${post.json.slice(0, -1)},"since":${JSON.stringify(post.since ?? place)}}`
    // Measured as it would be sent again, or it could be acceptable only once.
    if (again.length * 3 > this.#payload && bytesOf(again) > this.#payload) {
      return this.#reject(post, new ChatError('too_large', `the server takes messages of ${this.#payload} bytes`))
    }
    post.asked = this.#link.send(post.since === undefined ? post.json : again)
    if (post.asked) post.since ??= place
  }

  /** One more was answered: where only so many may be under way, the next may go. */
  #goOn (): void {
    if (this.#pace.limited) this.flush()
  }

  /** @param asked ms that the server wants */
  #stall (room: string, asked?: number): void {
    if (this.#stalled.has(room)) return
    this.#stalled.set(room, setTimeout(() => {
      this.#stalled.delete(room)
      this.flush()
    }, this.#backoff.next(asked)))
  }

  #take (id: string): Post | undefined {
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

/** Not crypto.randomUUID, which pages that came over plain http lack. */
function randomId (): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

import { Deferred } from './deferred.ts'
import { ChatError } from './error.ts'
import { PendingRequest, targetOf, type Outcome, type Post } from './pending-request.ts'
import type { RestoredPost, SavedPost } from './saved-posts.ts'

interface Content { readonly text: string, readonly data?: unknown }

/** A post that waits for its acknowledgement. */
export interface WaitingPost extends Content { readonly post: Post }

/** A bounded queue of the posts and changes that wait for acknowledgement, oldest first. */
export class RequestQueue {
  #requests = new Map<string, PendingRequest>()
  readonly #limit: number

  /** @param limit requests that may wait */
  constructor (limit: number) {
    this.#limit = limit
  }

  [Symbol.iterator] (): IterableIterator<PendingRequest> { return this.#requests.values() }

  get (id: string): PendingRequest | undefined { return this.#requests.get(id) }

  /** @throws ChatError with `overflow` */
  add (request: PendingRequest): void {
    if (this.#requests.size >= this.#limit) throw new ChatError('overflow', `queue full: ${this.#limit} requests wait for acknowledgement`)
    this.#requests.set(request.id, request)
  }

  delete (id: string): void { this.#requests.delete(id) }

  /** Adds saved posts of earlier clients before the other requests. @param onRestored called with each of them */
  restore (posts: readonly SavedPost[], onRestored: (restored: RestoredPost) => void): void {
    const restored = new Map<string, PendingRequest>()
    for (const saved of posts) {
      const { room, id, text, data, at, since } = saved
      if (this.#requests.has(id)) continue
      const stored = new Deferred<string>()
      const request = new PendingRequest({ type: 'post', room, text, data }, stored as Outcome, id, at)
      restored.set(id, Object.assign(request, { since, sent: since !== undefined, saved: Promise.resolve() }))
      stored.promise.catch(() => { /* the event has reported the post */ })
      onRestored({ ...saved, post: Object.assign(stored.promise, { id }) })
    }
    this.#requests = new Map([...restored, ...this.#requests])
  }

  /** Returns the posts of a room, with their contents. */
  posts (room: string): WaitingPost[] {
    const posts = Array.from(this).filter((request) => request.room === room && request.target === undefined)
    return posts.map(({ json, outcome }) => ({ ...JSON.parse(json) as Content, post: (outcome as Deferred<string>).promise as Post }))
  }

  /** Returns whether a request waits and was never sent. */
  isUnsent (id: string): boolean { return this.#requests.get(id)?.sent === false }

  /** Returns the reactions to a message that were sent: those that are added (`true`) and removed. */
  reactionsTo (room: string, position: string): ReadonlyMap<string, boolean> {
    const target = targetOf(room, position)
    const own = new Map<string, boolean>()
    for (const { target: other, sent, reaction } of this) {
      if (other === target && sent && reaction !== undefined) own.set(reaction.text, reaction.on)
    }
    return own
  }
}

import { ReusedKey, StalePost, StoreBusy } from '../../../errors.ts'
import { parsePosition } from '../../position.ts'
import { cursorOf, cursorOfPost, encode } from './record.ts'
import type { Appended, Draft } from '../../../store.ts'

interface Post {
  readonly args: readonly [key: string, hash: string, since: string, content: string, size: number]
  readonly cost: number
  readonly resolve: (stored: Appended) => void
  readonly reject: (error: unknown) => void
}

/** Limits of one call of the script, so that it blocks Redis for no longer than about 1 ms. */
const MAX_POSTS = 128
const MAX_BYTES = 256 * 1024

/** Bytes of memory of a post without its content: promise, closures, arguments, and their copies in ioredis. */
const POST_BYTES = 1_500

/**
 * Sends a room's posts: key, hash, since, content and size of each. Resolves with the charge of the room, whether the posts were
 * published, the epoch, the time, and the outcome of each post.
 */
export type Send = (room: string, args: ReadonlyArray<string | number>) => Promise<AppendReply>

/** As the append script returns it. */
export type AppendReply = [charge: number, published: number, epoch: string, at: string, ...outcomes: Array<number | string>]

/** Posts in flight. Those of one room and one tick are sent together. */
export class AppendQueue {
  readonly #send: Send
  readonly #maxPosts: number
  readonly #maxBytes: number
  #rooms = new Map<string, Post[]>()
  #inFlight = 0
  #bytesInFlight = 0

  /** @param maxPosts in flight @param maxBytes of memory of the posts in flight */
  constructor (send: Send, maxPosts: number, maxBytes: number) {
    this.#send = send
    this.#maxPosts = maxPosts
    this.#maxBytes = maxBytes
  }

  append (room: string, draft: Draft): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const { key = '', hash = '', since } = draft
      const { content, size } = encode(draft)
      // Counts its copies: as a string, in the written command, and in what Redis returns.
      const cost = POST_BYTES + 4 * content.length + 4 * key.length
      if (this.#inFlight >= this.#maxPosts || this.#bytesInFlight + cost > this.#maxBytes) throw new StoreBusy()
      this.#inFlight++
      this.#bytesInFlight += cost
      if (this.#rooms.size === 0) setImmediate(() => this.flush())
      const post: Post = { args: [key, hash, sinceOf(since), content, size], cost, resolve, reject }
      const posts = this.#rooms.get(room)
      if (posts === undefined) this.#rooms.set(room, [post])
      else posts.push(post)
    })
  }

  /** Sends the posts that wait for the end of the tick. */
  flush (): void {
    const rooms = this.#rooms
    this.#rooms = new Map()
    for (const [room, posts] of rooms) {
      let batch: Post[] = []
      let bytes = 0
      for (const post of posts) {
        bytes += post.args[3].length
        if (batch.length === MAX_POSTS || (bytes > MAX_BYTES && batch.length > 0)) {
          this.#sendBatch(room, batch)
          batch = []
          bytes = post.args[3].length
        }
        batch.push(post)
      }
      this.#sendBatch(room, batch)
    }
  }

  #sendBatch (room: string, posts: readonly Post[]): void {
    const args: Array<string | number> = []
    for (const post of posts) args.push(...post.args)
    this.#send(room, args).then((reply) => {
      this.#release(posts)
      const epoch = reply[2]
      const time = Number(reply[3])
      let next = 4
      for (const { resolve, reject } of posts) {
        const outcome = reply[next++]!
        if (typeof outcome === 'number') resolve({ ...cursorOf({ epoch, at: time, offset: outcome }), at: time, again: false })
        else if (outcome === 'stale') reject(new StalePost())
        else if (outcome === 'reused') reject(new ReusedKey())
        else resolve({ ...cursorOfPost(epoch, outcome), again: true })
      }
    }, (error: unknown) => {
      this.#release(posts)
      for (const { reject } of posts) reject(error)
    })
  }

  #release (posts: readonly Post[]): void {
    this.#inFlight -= posts.length
    for (const { cost } of posts) this.#bytesInFlight -= cost
  }
}

/** Returns a position as the script parses it. An invalid position gets an epoch that never exists, which makes it stale. */
function sinceOf (since: string | undefined): string {
  if (since === undefined) return ''
  const position = parsePosition(since)
  return position === undefined ? '? 0 0' : `${position.epoch} ${position.at} ${position.offset}`
}

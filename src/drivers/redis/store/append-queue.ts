import { ReusedKey, StalePost, StoreBusy } from '../../../errors.ts'
import { encode, markOf, placeOf } from './record.ts'
import type { Draft, Cursor } from '../../../store.ts'

type Stored = Cursor & { readonly again: boolean }

interface Post {
  readonly args: readonly [key: string, hash: string, since: string, content: string, size: number]
  readonly cost: number
  readonly resolve: (stored: Stored) => void
  readonly reject: (error: unknown) => void
}

/** What one call of the script takes, so that it holds up Redis for no longer than about a millisecond. */
const POSTS = 128
const BYTES = 256 * 1024

/** Bytes of memory of a post beside its content: promise, closures, arguments, and what the client makes of them. */
const POST = 1_500

/** Sends a room's posts; resolves to the script's reply. */
export type Send = (room: string, args: ReadonlyArray<string | number>) => Promise<unknown>

/** Posts on their way: those of one room and one turn go together. */
export class RedisAppends {
  readonly #send: Send
  readonly #most: number
  readonly #mostBytes: number
  #rooms = new Map<string, Post[]>()
  #inHand = 0
  #bytesInHand = 0

  /** @param most posts in hand @param mostBytes of memory, of all of them */
  constructor (send: Send, most: number, mostBytes: number) {
    this.#send = send
    this.#most = most
    this.#mostBytes = mostBytes
  }

  append (room: string, draft: Draft): Promise<Stored> {
    return new Promise((resolve, reject) => {
      const { key = '', hash = '', since } = draft
      const { content, size } = encode(draft)
      // As a string, in the command that is written, and in the script's answer to it.
      const cost = POST + 4 * content.length + 4 * key.length
      if (this.#inHand >= this.#most || this.#bytesInHand + cost > this.#mostBytes) throw new StoreBusy()
      this.#inHand++
      this.#bytesInHand += cost
      if (this.#rooms.size === 0) setImmediate(() => this.flush())
      const post: Post = { args: [key, hash, sinceOf(since), content, size], cost, resolve, reject }
      const posts = this.#rooms.get(room)
      if (posts === undefined) this.#rooms.set(room, [post])
      else posts.push(post)
    })
  }

  /** Sends what is waiting for the end of the turn. */
  flush (): void {
    const rooms = this.#rooms
    this.#rooms = new Map()
    for (const [room, posts] of rooms) {
      let batch: Post[] = []
      let bytes = 0
      for (const post of posts) {
        bytes += post.args[3].length
        if (batch.length === POSTS || (bytes > BYTES && batch.length > 0)) {
          this.#store(room, batch)
          batch = []
          bytes = post.args[3].length
        }
        batch.push(post)
      }
      this.#store(room, batch)
    }
  }

  #store (room: string, posts: readonly Post[]): void {
    this.#send(room, posts.flatMap(({ args }) => args)).finally(() => {
      this.#inHand -= posts.length
      for (const { cost } of posts) this.#bytesInHand -= cost
    }).then((reply) => {
      const [tag, at, ...outcomes] = reply as [tag: string, at: string, ...outcomes: Array<number | string>]
      const time = Number(at)
      for (const [i, { resolve, reject }] of posts.entries()) {
        const outcome = outcomes[i]!
        if (typeof outcome === 'number') resolve({ ...markOf({ tag, at: time, n: outcome }), again: false })
        else if (outcome === 'stale') reject(new StalePost())
        else if (outcome === 'reused') reject(new ReusedKey())
        else resolve({ ...repeated(tag, outcome), again: true })
      }
    }, (error: unknown) => {
      for (const { reject } of posts) reject(error)
    })
  }
}

/** The mark of a post known as `<n> <at>`, with more after it or not. */
export function repeated (tag: string, known: string): Cursor {
  const [n, at] = known.split(' ')
  return markOf({ tag, at: Number(at), n: Number(n) })
}

/** A position that never was is of no epoch: the script finds it stale. */
function sinceOf (since: string | undefined): string {
  if (since === undefined) return ''
  const place = placeOf(since)
  return place === undefined ? '? 0 0' : `${place.tag} ${place.at} ${place.n}`
}

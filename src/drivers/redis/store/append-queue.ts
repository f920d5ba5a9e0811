import { ReusedKey, StalePost } from '../../../errors.ts'
import { parsePosition } from '../../position.ts'
import type { InFlight } from './in-flight.ts'
import { cursorOf, cursorOfPost, encode } from './record.ts'
import { TickQueue, type QueuedCall } from './tick-queue.ts'
import type { Appended, Draft } from '../../../store.ts'

/** `args`: key, hash, since, content, size, and the lengths of a streaming text. */
interface Post extends QueuedCall { readonly resolve: (stored: Appended) => void }

/** Bytes of memory of a post without its content: promise, closures, arguments, and their copies in ioredis. */
const POST_BYTES = 1_500

/**
 * As the append script returns it: the charge of the room, whether the posts were published, the epoch, the time, and the outcome
 * of each post.
 */
export type AppendReply = [charge: number, published: number, epoch: string, at: string, ...outcomes: Array<number | string>]

/** Posts in flight. Those of one room and one tick are sent together. */
export class AppendQueue {
  readonly #queue: TickQueue<Post, AppendReply>

  /** @param send sends the arguments of a room's posts */
  constructor (send: (room: string, args: ReadonlyArray<string | number>) => Promise<AppendReply>, inFlight: InFlight) {
    this.#queue = new TickQueue(send, settle, inFlight)
  }

  append (room: string, draft: Draft): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const { key = '', hash = '', since } = draft
      const { content, size, streamed } = encode(draft)
      // Counts its copies: as a string, in the written command, and in what Redis returns.
      const cost = POST_BYTES + 4 * content.length + 4 * key.length
      this.#queue.add(room, { args: [key, hash, sinceOf(since), content, size, streamed], bytes: content.length, cost, resolve, reject })
    })
  }

  /** Sends the posts that wait for the end of the tick. */
  flush (): void { this.#queue.flush() }
}

function settle (_room: string, posts: readonly Post[], reply: AppendReply): void {
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
}

/** Returns a position as the script parses it. An invalid position gets an epoch that never exists, which makes it stale. */
function sinceOf (since: string | undefined): string {
  if (since === undefined) return ''
  const position = parsePosition(since)
  return position === undefined ? '? 0 0' : `${position.epoch} ${position.at} ${position.offset}`
}

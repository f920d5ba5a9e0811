import { contentLimit, encodedBytes } from '../content.ts'
import { StoreClosed } from '../errors.ts'
import { inContext } from '../hooks.ts'
import type { PostContext } from '../rooms/peer/post.ts'
import { streamingDraftOf, type WriteStreamOptions } from './publication.ts'
import { StreamingMessage, type StreamingContext } from './streaming-message.ts'
import { TextSize } from './text-size.ts'
import { TextStream } from './text-stream.ts'

/** The streams of one chat in this process. */
export class TextStreams {
  readonly #context: PostContext & StreamingContext
  /** The streams that aren't closed, and their messages. */
  readonly #open = new Map<TextStream, StreamingMessage>()
  #isClosed = false

  constructor (context: PostContext & StreamingContext) {
    this.#context = context
  }

  /** Returns a stream for the text of a new message. @throws InvalidArgument, PostTooLarge, StoreClosed */
  create (room: string, options: WriteStreamOptions): TextStream {
    const { limits, hooks: { onPost, onChange } } = this.#context
    const limit = contentLimit(limits)
    const draft = streamingDraftOf(options, limit)
    if (this.#isClosed) throw new StoreClosed()
    const message = new StreamingMessage({ ...this.#context, hooks: inContext({ onPost, onChange }) }, room, draft)
    const encoded = encodedBytes({ body: draft.body, data: draft.data }, draft.from, limit)
    const stream = new TextStream(message, new TextSize(encoded, limit))
    this.#open.set(stream, message)
    return stream.once('close', () => { this.#open.delete(stream) })
  }

  /**
   * Ends all streams as unfinished. Resolves when that is stored, or after the timeout, in ms: failed calls are not repeated then.
   * Resolves with the ms that it took; 0 without a stream.
   */
  async close (timeout: number): Promise<number> {
    this.#isClosed = true
    if (this.#open.size === 0) return 0
    const begun = performance.now()
    let timer: NodeJS.Timeout | undefined
    const ended = [...this.#open.keys()].map(async (stream) => { await new Promise((resolve) => stream.once('close', resolve).destroy()) })
    await Promise.race([Promise.all(ended), new Promise((resolve) => { timer = setTimeout(resolve, timeout) })])
    clearTimeout(timer)
    for (const message of this.#open.values()) message.abandon()
    return performance.now() - begun
  }
}

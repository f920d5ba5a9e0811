import { Writable } from 'node:stream'
import { uncorkAtEndOfTick } from '../connection/tick.ts'
import type { Position } from '../store.ts'
import { ChunkDecoder, type Chunk } from './chunk-decoder.ts'
import type { StreamingMessage } from './streaming-message.ts'
import type { TextSize } from './text-size.ts'

type Callback = (error?: Error | null) => void

/**
 * A message of the app whose text grows. Strings and UTF-8 that are written to it are appended. Emits `ready` once the message is stored.
 *
 * `end()` completes the message, and `finish` is emitted when that is stored. `destroy()` ends it as unfinished, and so does an error
 * of the stream, with the text so far.
 */
export class TextStream extends Writable {
  readonly #message: StreamingMessage
  readonly #decoder = new ChunkDecoder()
  readonly #size: TextSize

  /** @param size of the message without its text */
  constructor (message: StreamingMessage, size: TextSize) {
    super({ decodeStrings: false })
    this.#message = message
    this.#size = size
    const fail = (error: Error) => { this.destroy(error) }
    message.begin(fail).then(() => { if (!this.destroyed) this.emit('ready') }, fail)
  }

  /** The position of the message; undefined until `ready`. */
  get position (): Position | undefined { return this.#message.position }

  /** Writes text. The callback is called when it is stored. What is written in one tick of the event loop is stored together. */
  override write (chunk: unknown, encoding?: BufferEncoding | Callback, callback?: Callback): boolean {
    if (this.writableCorked === 0) {
      this.cork()
      uncorkAtEndOfTick(this)
    }
    return super.write(chunk, encoding as BufferEncoding, callback)
  }

  override _writev (chunks: Chunk[], callback: Callback): void {
    this.#append(this.#decoder.add(chunks)).then(() => { callback() }, callback)
  }

  override _final (callback: Callback): void {
    this.#append(this.#decoder.end()).then(() => this.#message.end()).then(() => { callback() }, callback)
  }

  override _destroy (error: Error | null, callback: Callback): void {
    void this.#message.endUnfinished().then(() => { callback(error) })
  }

  /** @throws PostTooLarge after the part that fits was stored, and as the store's `amend` does */
  async #append (text: string): Promise<void> {
    const { part, error } = this.#size.add(text)
    if (part !== '') await this.#message.append(part)
    if (error !== undefined) throw error
  }
}

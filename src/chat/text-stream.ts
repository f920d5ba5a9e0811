import { Writable } from 'node:stream'
import { uncorkAtEndOfTick } from '../connection/tick.ts'
import { PostTooLarge } from '../errors.ts'
import type { Position } from '../store.ts'
import { ChunkDecoder, type Chunk } from './chunk-decoder.ts'
import type { StreamingMessage } from './streaming-message.ts'

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
  readonly #limit: number
  /** of the stored text, as UTF-8 */
  #bytes = 0

  /** @param limit maximum bytes of the text, as UTF-8 */
  constructor (message: StreamingMessage, limit: number) {
    super({ decodeStrings: false })
    this.#message = message
    this.#limit = limit
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
    const part = truncated(text, this.#limit - this.#bytes)
    if (part !== '') await this.#message.append(part)
    this.#bytes += Buffer.byteLength(part)
    if (part !== text) throw new PostTooLarge(this.#bytes + Buffer.byteLength(text) - Buffer.byteLength(part), this.#limit)
  }
}

/** Returns the longest beginning of a text that has at most so many bytes as UTF-8. */
function truncated (text: string, limit: number): string {
  if (text.length * 3 <= limit || Buffer.byteLength(text) <= limit) return text
  const bytes = Buffer.from(text)
  let end = limit
  // A byte that isn't the first one of its character.
  while ((bytes[end]! & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}

import { StringDecoder } from 'node:string_decoder'

/** A chunk as `Writable` passes it on if it doesn't decode strings. */
export interface Chunk {
  readonly chunk: string | Buffer
  readonly encoding: BufferEncoding
}

/** A high surrogate at the end of a text. The low one may be in the next chunk. */
const trailingHighSurrogate = /[\ud800-\udbff]$/

/**
 * Decodes strings and UTF-8 to text without lone surrogates. A character that is split across chunks is returned when it is
 * complete. Invalid parts become U+FFFD.
 */
export class ChunkDecoder {
  readonly #bytes = new StringDecoder('utf8')
  /** the trailing high surrogate of the previous string */
  #high = ''

  add (chunks: readonly Chunk[]): string {
    let text = this.#high
    for (const { chunk, encoding } of chunks) text += typeof chunk === 'string' ? this.#decodeString(chunk, encoding) : this.#bytes.write(chunk)
    this.#high = trailingHighSurrogate.exec(text)?.[0] ?? ''
    return text.slice(0, text.length - this.#high.length).toWellFormed()
  }

  /** Returns what is left of an incomplete character. */
  end (): string {
    const rest = this.#high + this.#bytes.end()
    this.#high = ''
    return rest.toWellFormed()
  }

  #decodeString (chunk: string, encoding: BufferEncoding): string {
    if (encoding !== 'utf8' && encoding !== 'utf-8') return this.#bytes.write(Buffer.from(chunk, encoding))
    return chunk === '' ? '' : this.#bytes.end() + chunk
  }
}

import { PostTooLarge } from '../errors.ts'
import { MAX_STREAM_BYTES } from '../request-bounds.ts'

/** The size of a message whose text grows, and its limits. */
export class TextSize {
  readonly #limit: number
  /** of the text, as UTF-8 */
  #bytes = 0
  /** of the message, in JSON */
  #encoded: number

  /** @param encoded bytes of the message in JSON without its text @param limit of the message, in JSON */
  constructor (encoded: number, limit: number) {
    this.#encoded = encoded
    this.#limit = limit
  }

  /** Adds the longest beginning of a text without lone surrogates that fits. Returns it, and an error if there is more. */
  add (text: string): { readonly part: string, readonly error?: Error } {
    if (this.#take(text)) return { part: text }
    const error = this.#errorOf(text)
    let length = 0
    for (const character of text) {
      if (!this.#take(character)) break
      length += character.length
    }
    return { part: text.slice(0, length), error }
  }

  /** Returns whether a text fits. Adds it then. */
  #take (text: string): boolean {
    const { bytes, encoded } = this.#sizeWith(text)
    if (bytes > MAX_STREAM_BYTES || encoded > this.#limit) return false
    this.#bytes = bytes
    this.#encoded = encoded
    return true
  }

  #errorOf (text: string): Error {
    const { bytes, encoded } = this.#sizeWith(text)
    return encoded > this.#limit ? new PostTooLarge(encoded, this.#limit) : new PostTooLarge(bytes, MAX_STREAM_BYTES)
  }

  #sizeWith (text: string): { readonly bytes: number, readonly encoded: number } {
    return { bytes: this.#bytes + Buffer.byteLength(text), encoded: this.#encoded + Buffer.byteLength(JSON.stringify(text)) - 2 }
  }
}

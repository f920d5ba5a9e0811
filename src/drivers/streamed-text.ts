import { indexOfCodePoint } from '../code-points.ts'
import { InvalidChange, StreamEnded } from '../errors.ts'
import { MAX_STREAM_BYTES } from '../request-bounds.ts'

/**
 * Returns whether an `append` has an effect on a text. Makes the checks of `Store.amend` that concern it.
 * @param length of the text in code points @param isStreaming whether the text still grows
 * @throws StreamEnded, InvalidChange
 */
export function checkAppend (text: string, length: number, isStreaming: boolean, { append, at }: { readonly append: string, readonly at: number }): boolean {
  if (at < length && text.startsWith(append, indexOfCodePoint(text, at))) return false
  if (!isStreaming) throw new StreamEnded()
  if (at !== length) throw new InvalidChange(`the text has ${length} code points`)
  if (append === '') return false
  if (Buffer.byteLength(text) + Buffer.byteLength(append) > MAX_STREAM_BYTES) {
    throw new InvalidChange(`a streamed text has at most ${MAX_STREAM_BYTES} bytes`)
  }
  return true
}

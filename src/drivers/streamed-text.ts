import { InvalidChange, StreamEnded } from '../errors.ts'
import { MAX_STREAM_BYTES } from '../request-bounds.ts'

/** Returns the length of a text in code points. */
export function codePoints (text: string): number {
  let count = text.length
  for (let i = 0; i < text.length - 1; i++) {
    // A lone surrogate is a code point of its own.
    if (isHigh(text.charCodeAt(i)) && isLow(text.charCodeAt(i + 1))) {
      count--
      i++
    }
  }
  return count
}

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

/** Returns the index of the code unit at which a code point of a text begins. */
function indexOfCodePoint (text: string, at: number): number {
  let index = 0
  for (let count = 0; count < at; count++) index += isHigh(text.charCodeAt(index)) && isLow(text.charCodeAt(index + 1)) ? 2 : 1
  return index
}

function isHigh (unit: number): boolean { return (unit & 0xfc00) === 0xd800 }
function isLow (unit: number): boolean { return (unit & 0xfc00) === 0xdc00 }

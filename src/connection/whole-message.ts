import { isUtf8 } from 'node:buffer'
import { Message } from './message.ts'

/** First bytes of a frame that carries a whole message, which isn't deflated. RFC 6455, section 5.2. */
const [WHOLE_TEXT, WHOLE_BINARY] = [0x81, 0x82]

/** First byte of a pong. */
const PONG = 0x8a

/** Maximum bytes of a pong's payload. RFC 6455, section 5.5. */
const PONG_PAYLOAD = 125

/** Set in the second byte of a masked frame. */
const MASKED = 0x80

/** Bytes of the masking key. */
const KEY = 4

/** Bytes of a payload from which it is unmasked by words. For a shorter one, the array of words costs more than it saves. */
const LONG = 96

/** Set in each byte of a word that isn't ASCII. */
const NOT_ASCII = 0x80808080

const keyBytes = new Uint8Array(KEY)
const keyWord = new Int32Array(keyBytes.buffer)

/**
 * Reads the message that begins at an index, if all of it is in one frame that ends within the chunk. Unmasks it in place.
 * Returns undefined for every other frame, and for one that isn't valid: the chunk is unchanged then.
 * @param limit maximum bytes of the payload
 */
export function wholeMessage (chunk: Buffer, at: number, limit: number): Message | undefined {
  const isBinary = chunk[at] === WHOLE_BINARY
  if (!isBinary && chunk[at] !== WHOLE_TEXT) return undefined
  // Beyond the end of the chunk, an element is undefined, and the end of the payload NaN or too large.
  let length = chunk[at + 1]! - MASKED
  let key = at + 2
  if (length === 126) {
    length = chunk[at + 2]! * 256 + chunk[at + 3]!
    key += 2
  }
  const start = key + KEY
  const end = start + length
  // The length is negative without a mask, and 127 for a length of 8 bytes, which `ws` parses.
  if (!(length >= 0 && length <= limit && end <= chunk.length) || chunk[at + 1] === (MASKED | 127)) return undefined
  const isAscii = mask(chunk, key, start, end)
  if (isBinary || isAscii || isUtf8(chunk.subarray(start, end))) return new Message(chunk, isBinary, start, end, isAscii)
  mask(chunk, key, start, end)
  return undefined
}

/** Reads the pong that begins at an index, if it ends within the chunk. Unmasks it in place. Returns undefined for every other frame. */
export function wholePong (chunk: Buffer, at: number): Buffer | undefined {
  if (chunk[at] !== PONG) return undefined
  const length = chunk[at + 1]! - MASKED
  const start = at + 2 + KEY
  const end = start + length
  if (!(length >= 0 && length <= PONG_PAYLOAD && end <= chunk.length)) return undefined
  maskBytes(chunk, at + 2, start, start, end)
  return chunk.subarray(start, end)
}

/** Masks or unmasks bytes in place. Returns whether the result is ASCII. RFC 6455, section 5.3. */
function mask (chunk: Buffer, key: number, start: number, end: number): boolean {
  if (end - start < LONG) return (maskBytes(chunk, key, start, start, end) & 0x80) === 0
  const firstWord = start + (-(chunk.byteOffset + start) & 3)
  const words = new Int32Array(chunk.buffer, chunk.byteOffset + firstWord, (end - firstWord) >> 2)
  for (let i = 0; i < KEY; i++) keyBytes[i] = chunk[key + ((firstWord - start + i) & 3)]!
  const bits = maskWords(words, keyWord[0]!)
  const before = maskBytes(chunk, key, start, start, firstWord)
  const after = maskBytes(chunk, key, start, firstWord + words.byteLength, end)
  return (bits & NOT_ASCII) === 0 && ((before | after) & 0x80) === 0
}

/** Returns the bits that are set in any word of the result. */
function maskWords (words: Int32Array, key: number): number {
  let bits = 0
  for (let i = 0; i < words.length; i++) bits |= words[i]! ^= key
  return bits
}

/** Returns the bits that are set in any byte of the result. @param start index of the payload */
function maskBytes (chunk: Buffer, key: number, start: number, from: number, to: number): number {
  let bits = 0
  for (let i = from; i < to; i++) bits |= chunk[i]! ^= chunk[key + ((i - start) & 3)]!
  return bits
}

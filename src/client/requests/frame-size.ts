import { ChatError } from '../error.ts'

/** Returns the error of a frame that is larger than `payload` bytes: the server would close the connection. */
export function sizeError (json: string, payload: number): ChatError | undefined {
  return bytesOf(json) <= payload
    ? undefined
    : new ChatError('too_large', `the server accepts at most ${payload} bytes`)
}

/** Returns the length of a text in bytes of UTF-8. */
export function bytesOf (text: string): number { return new TextEncoder().encode(text).length }

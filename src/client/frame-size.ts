import { ChatError } from './error.ts'

/** @throws ChatError if a frame is larger than `payload` bytes, because the server would close the connection */
export function assertFits (json: string, payload: number): void {
  if (json.length * 3 <= payload || bytesOf(json) <= payload) return
  throw new ChatError('too_large', `the message is larger than the ${payload} bytes that the server accepts`)
}

/** Returns the length of a text in bytes of UTF-8. */
export function bytesOf (text: string): number { return new TextEncoder().encode(text).length }

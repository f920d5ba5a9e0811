import type { ErrorCodeName } from '../protocol.ts'

/**
 * What a promise of the client is rejected with. One that was rejected with `closed` or `left` is never reported as an
 * unhandled rejection: `close()`, `leave()` or the status tell it already. Any other is, where the app ignores it.
 */
export class ChatError extends Error {
  /**
   * The server's error code, or of this client:
   * - `closed`: the client was closed, by `close()` or for good by the server
   * - `left`: the room was left
   * - `offline`: it can only be asked while connected
   * - `overflow`: more is waiting than is kept
   * - `too_large`: the server takes no message of this size
   *
   * A later server may have others.
   */
  readonly code: ErrorCodeName | 'closed' | 'left' | 'offline' | 'overflow' | 'too_large' | (string & {})

  /** ms after which the same may be asked again, where the server says so: with `rate_limited` */
  readonly retryAfter: number | undefined

  constructor (code: ChatError['code'], message: string, retryAfter?: number) {
    super(message)
    this.name = 'ChatError'
    this.code = code
    this.retryAfter = retryAfter
  }
}

import type { ErrorCodeName } from '../protocol.ts'

type KnownCode = ErrorCodeName | 'removed' | 'closed' | 'left' | 'offline' | 'overflow' | 'too_large' | 'unsupported' | 'handshake' | 'not_saved'

/**
 * The error with which promises of the client reject. A rejection with `closed` or `left` never causes an unhandled rejection,
 * because `close()`, `leave()` or the status has reported it. Any other rejection does if the app doesn't handle it.
 */
export class ChatError extends Error {
  /**
   * The server's error code, or one of the client's own:
   * - `removed`: the app has removed the member from the room; sent by the server, with the reason as message
   * - `closed`: the client was closed permanently, by `close()` or by the server
   * - `left`: the room was left
   * - `offline`: the request needs a connection
   * - `overflow`: too many posts, changes or messages are waiting
   * - `too_large`: the message exceeds the size that the server accepts
   * - `unsupported`: the server doesn't support changes of messages, signals, read positions or pages of newer messages
   * - `handshake`: the server refused the client, or its answer wasn't that of a chat; in an `error` event
   * - `not_saved`: a post can't be saved, or saved posts can't be read; it is sent all the same
   * - `invalid`: an argument is wrong; the server also sends this code
   *
   * Later versions of the server may send other codes.
   */
  declare readonly code: KnownCode | (string & {})

  /** ms after which the request may be repeated; the server sends it with `rate_limited` */
  declare readonly retryAfter: number | undefined

  constructor (code: ChatError['code'], message: string, retryAfter?: number) {
    super(message)
    this.name = 'ChatError'
    this.code = code
    this.retryAfter = retryAfter
  }
}

/** Returns whether an error code is one of those given. Unlike `ErrorCode`, it adds only the used codes to a bundle. */
export function isOneOf (code: string, ...codes: KnownCode[]): boolean {
  return (codes as string[]).includes(code)
}

/** Returns the error of a request that needs a connection, or a joined room. */
export function offline (): ChatError { return new ChatError('offline', 'the client is offline, or the room is not joined') }

/** Returns the error for a feature that the server doesn't have. */
export function unsupported (feature: string): ChatError {
  return new ChatError('unsupported', `the server doesn't support ${feature}`)
}

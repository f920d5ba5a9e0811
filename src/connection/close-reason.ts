import { CloseCode } from '../protocol.ts'

/** Close codes of `ws` for its own errors. Errors that aren't listed are violations of the protocol. */
const violations: Record<string, number> = {
  WS_ERR_INVALID_UTF8: CloseCode.notText,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: CloseCode.policy,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: CloseCode.tooBig,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: CloseCode.tooBig
}

/** Returns the code that `ws` closes with after an error of its own; undefined for any other error. */
export function closeCodeOf ({ code }: NodeJS.ErrnoException): number | undefined {
  return code?.startsWith('WS_ERR_') === true ? violations[code] ?? CloseCode.protocol : undefined
}

/** Why the server ended a connection, where the close code is less specific. */
export type Fault =
  'slow_reader' | 'reply_budget' | 'receive_budget' | 'inbox' | 'flood' | 'control_flood' | 'unfinished_message' | 'dead'

/** Labels of the closes without a `Fault`. Of the 1008 closes, only those by `ws` have none. */
const labels: Readonly<Record<number, string>> = {
  [CloseCode.protocol]: 'protocol',
  [CloseCode.notText]: 'not_text',
  [CloseCode.policy]: 'too_many_parts',
  [CloseCode.tooBig]: 'too_big',
  [CloseCode.internal]: 'internal',
  [CloseCode.tryAgainLater]: 'unavailable',
  [CloseCode.badFrame]: 'bad_frame',
  [CloseCode.unauthenticated]: 'unauthenticated',
  [CloseCode.forbidden]: 'forbidden',
  [CloseCode.noHello]: 'no_hello'
}

/** How the server ended a connection. err: for the log. */
export interface CloseReason { readonly code: number, readonly reason: string, readonly fault?: Fault | undefined, readonly err?: unknown }

/** Returns the label under which the close is counted; undefined if the server was stopping. */
export function cutOffFor ({ code, fault }: CloseReason): string | undefined {
  return fault ?? labels[code]
}

/** bytes */
const MAX_REASON = 123

/** Truncates a reason to the size limit of a close frame, between two characters. RFC 6455, section 5.5. */
export function shorten (reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.length <= MAX_REASON) return reason
  let end = MAX_REASON
  while ((bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end).toString()
}

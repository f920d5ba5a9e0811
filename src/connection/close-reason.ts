import { CloseCode } from '../protocol.ts'

/** What `ws` closes with for its errors; all others are violations of the protocol. */
const violations: Record<string, number> = {
  WS_ERR_INVALID_UTF8: CloseCode.notText,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: CloseCode.policy,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: CloseCode.tooBig,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: CloseCode.tooBig
}

/** The code that `ws` closes with for an error of its own; undefined for any other error. */
export function closeCodeOf ({ code }: NodeJS.ErrnoException): number | undefined {
  return code?.startsWith('WS_ERR_') === true ? violations[code] ?? CloseCode.protocol : undefined
}

/** Why this side ends a connection, where the close code tells less. */
export type Fault =
  'slow_reader' | 'reply_budget' | 'receive_budget' | 'inbox' | 'flood' | 'control_flood' | 'unfinished_message' | 'dead'

/** What the others are counted as. Of those with 1008 only those of `ws` are left. */
const faults: Readonly<Record<number, string>> = {
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

/** How this side ended a connection. err: for the log. */
export interface CloseReason { readonly code: number, readonly reason: string, readonly fault?: Fault | undefined, readonly err?: unknown }

/** One of a few words for why a connection was cut off; undefined when the server was stopping. */
export function cutOffFor ({ code, fault }: CloseReason): string | undefined {
  return fault ?? faults[code]
}

const MAX_REASON = 123

/** A close frame carries at most 123 bytes of reason. RFC 6455, section 5.5. */
export function shorten (reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.length <= MAX_REASON) return reason
  let end = MAX_REASON
  while ((bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end).toString()
}

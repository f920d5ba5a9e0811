import { CloseCode } from '../protocol.ts'

/** Cause of a disconnect by the server, if the close code doesn't identify it. */
export type Fault =
  'slow_reader' | 'total_pending_bytes' | 'receive_budget' | 'flood' | 'control_flood' | 'unfinished_message' |
  'too_many_fragments' | 'dead'

/** Details of a close for the counters and the log. option: sets the limit that was exceeded. */
export interface CloseDetails { readonly fault?: Fault | undefined, readonly err?: unknown, readonly option?: string | undefined }

/** How the server ended a connection. reason: not empty. */
export interface CloseReason extends CloseDetails { readonly code: number, readonly reason: string }

/** Closes for error codes of `ws`. All its other errors are protocol errors, except those of zlib. */
const closes: Readonly<Record<string, Pick<CloseReason, 'code' | 'fault'>>> = {
  WS_ERR_INVALID_UTF8: { code: CloseCode.notText },
  WS_ERR_TOO_MANY_BUFFERED_PARTS: { code: CloseCode.policy, fault: 'too_many_fragments' },
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: { code: CloseCode.tooBig },
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: { code: CloseCode.tooBig }
}

/**
 * Returns the close with which `ws` answers bytes of a client that break the protocol.
 * @param error of the receiver of `ws`
 * @param payloadOption the option that sets the maximum size of a message
 */
export function protocolClose ({ code: cause = '', message }: NodeJS.ErrnoException, payloadOption: string): CloseReason {
  if (cause.startsWith('Z_')) return { code: CloseCode.notText, reason: `Invalid compressed data: ${message}` }
  const { code, fault } = closes[cause] ?? { code: CloseCode.protocol }
  return { code, reason: message, fault, option: code === CloseCode.tooBig ? payloadOption : undefined }
}

/** The name of each close code in snake case. */
const labels: ReadonlyMap<number, string> = new Map(Object.entries(CloseCode).map(([name, code]) =>
  [code, name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)]))

/** Returns the label under which the close is counted; undefined if the server was stopping. */
export function disconnectLabel ({ code, fault }: CloseReason): string | undefined {
  return fault ?? (code === CloseCode.goingAway ? undefined : labels.get(code))
}

/** Maximum length of the reason in a close frame. RFC 6455, section 5.5. */
const MAX_REASON_BYTES = 123

/** Truncates a reason to the size limit of a close frame, between two characters. */
export function shorten (reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.length <= MAX_REASON_BYTES) return reason
  let end = MAX_REASON_BYTES
  while ((bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end).toString()
}

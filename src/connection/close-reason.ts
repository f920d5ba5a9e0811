import { CloseCode } from '../protocol.ts'

/** Cause of a disconnect by the server, if the close code doesn't identify it. */
export type Fault =
  'slow_reader' | 'total_pending_bytes' | 'receive_budget' | 'receive_queue' | 'flood' | 'control_flood' | 'unfinished_message' |
  'too_many_fragments' | 'dead'

/** How the server ended a connection. err: for the log. */
export interface CloseReason { readonly code: number, readonly reason: string, readonly fault?: Fault | undefined, readonly err?: unknown }

/** Close reasons for error codes of `ws`. All other errors of `ws` are protocol errors. */
const closes: Readonly<Record<string, Pick<CloseReason, 'code' | 'fault'>>> = {
  WS_ERR_INVALID_UTF8: { code: CloseCode.notText },
  WS_ERR_TOO_MANY_BUFFERED_PARTS: { code: CloseCode.policy, fault: 'too_many_fragments' },
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: { code: CloseCode.tooBig },
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: { code: CloseCode.tooBig }
}

/** Returns the reason with which `ws` closes the connection after one of its errors; undefined for any other error. */
export function closeByWs ({ code, message }: NodeJS.ErrnoException): CloseReason | undefined {
  return code?.startsWith('WS_ERR_') === true ? { reason: message, ...closes[code] ?? { code: CloseCode.protocol } } : undefined
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

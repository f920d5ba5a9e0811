import { CloseCode } from '../protocol.ts'

/** Why the server ended a connection, where the close code is less specific. */
export type Fault =
  'slow_reader' | 'reply_budget' | 'receive_budget' | 'inbox' | 'flood' | 'control_flood' | 'unfinished_message' |
  'too_many_parts' | 'dead'

/** How the server ended a connection. err: for the log. */
export interface CloseReason { readonly code: number, readonly reason: string, readonly fault?: Fault | undefined, readonly err?: unknown }

/** Closes by `ws` after an error of its own, by the error's code. All other errors are violations of the protocol. */
const closes: Readonly<Record<string, Pick<CloseReason, 'code' | 'fault'>>> = {
  WS_ERR_INVALID_UTF8: { code: CloseCode.notText },
  WS_ERR_TOO_MANY_BUFFERED_PARTS: { code: CloseCode.policy, fault: 'too_many_parts' },
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: { code: CloseCode.tooBig },
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: { code: CloseCode.tooBig }
}

/** Returns how `ws` closes the connection after an error of its own; undefined for any other error. */
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

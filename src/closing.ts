import { CloseCode } from './protocol.ts'

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

const MAX_REASON = 123

/** A close frame carries at most 123 bytes of reason. RFC 6455, section 5.5. */
export function shorten (reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.length <= MAX_REASON) return reason
  let end = MAX_REASON
  while ((bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end).toString()
}

/** Opcodes of data frames. RFC 6455, section 11.8. */
export const TEXT = 0x1
export const BINARY = 0x2

const FIN = 0x80
/** Set on a deflated message. RFC 7692, section 6. */
const RSV1 = 0x40

/**
 * One whole unmasked message, ready for the wire. RFC 6455, section 5.2.
 * @param deflated whether the payload is
 */
export function frame (opcode: number, payload: string | Uint8Array, deflated = false): Buffer {
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
  const bytes = Buffer.allocUnsafe(headerLength(length) + length)
  put(bytes, 0, FIN | (deflated ? RSV1 : 0) | opcode, length, payload)
  return bytes
}

/** Text messages, one after another. */
export function textFrames (payloads: readonly string[]): Buffer {
  const lengths = payloads.map((payload) => Buffer.byteLength(payload))
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + headerLength(length) + length, 0))
  let at = 0
  for (let i = 0; i < payloads.length; i++) at = put(bytes, at, FIN | TEXT, lengths[i]!, payloads[i]!)
  return bytes
}

function headerLength (length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10
}

/** @returns where the next one begins */
function put (bytes: Buffer, at: number, first: number, length: number, payload: string | Uint8Array): number {
  const start = at + headerLength(length)
  bytes[at] = first
  if (length < 126) {
    bytes[at + 1] = length
  } else if (length < 65_536) {
    bytes[at + 1] = 126
    bytes.writeUInt16BE(length, at + 2)
  } else {
    bytes[at + 1] = 127
    bytes.writeBigUInt64BE(BigInt(length), at + 2)
  }
  if (typeof payload === 'string') bytes.write(payload, start)
  else bytes.set(payload, start)
  return start + length
}

/** What a frame of ours carries, and as what. */
export function unframe (bytes: Buffer): { opcode: number, payload: Buffer } {
  const header = bytes[1]! < 126 ? 2 : bytes[1] === 126 ? 4 : 10
  return { opcode: bytes[0]! & 0x0f, payload: bytes.subarray(header) }
}

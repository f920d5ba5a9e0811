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
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const bytes = Buffer.allocUnsafe(header + length)
  bytes[0] = FIN | (deflated ? RSV1 : 0) | opcode
  if (header === 2) {
    bytes[1] = length
  } else if (header === 4) {
    bytes[1] = 126
    bytes.writeUInt16BE(length, 2)
  } else {
    bytes[1] = 127
    bytes.writeBigUInt64BE(BigInt(length), 2)
  }
  if (typeof payload === 'string') bytes.write(payload, header)
  else bytes.set(payload, header)
  return bytes
}

/** What a frame of ours carries, and as what. */
export function unframe (bytes: Buffer): { opcode: number, payload: Buffer } {
  const header = bytes[1]! < 126 ? 2 : bytes[1] === 126 ? 4 : 10
  return { opcode: bytes[0]! & 0x0f, payload: bytes.subarray(header) }
}

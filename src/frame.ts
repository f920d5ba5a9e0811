/** Opcodes of data frames. RFC 6455, section 11.8. */
export const TEXT = 0x1
export const BINARY = 0x2

const FIN = 0x80

/** One whole unmasked message, ready for the wire. RFC 6455, section 5.2. */
export function frame (opcode: typeof TEXT | typeof BINARY, payload: string | Uint8Array): Buffer {
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const bytes = Buffer.allocUnsafe(headerLength + length)
  bytes[0] = FIN | opcode
  if (headerLength === 2) {
    bytes[1] = length
  } else if (headerLength === 4) {
    bytes[1] = 126
    bytes.writeUInt16BE(length, 2)
  } else {
    bytes[1] = 127
    bytes.writeBigUInt64BE(BigInt(length), 2)
  }
  if (typeof payload === 'string') bytes.write(payload, headerLength)
  else bytes.set(payload, headerLength)
  return bytes
}

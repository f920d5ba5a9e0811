import type { Framed, Framing, Payload } from './writer.ts'

/** Opcodes of data frames. RFC 6455, section 11.8. */
export const TEXT = 0x1
export const BINARY = 0x2

const FIN = 0x80
/** Set on a deflated message. RFC 7692, section 6. */
const RSV1 = 0x40

/**
 * Returns one unmasked frame that carries the whole message. RFC 6455, section 5.2.
 * @param deflated whether the payload is deflated
 */
export function frame (payload: Payload, opcode = opcodeOf(payload), deflated = false): Buffer {
  const length = byteLength(payload)
  const bytes = Buffer.allocUnsafe(headerLength(length) + length)
  put(bytes, 0, FIN | (deflated ? RSV1 : 0) | opcode, length, payload)
  return bytes
}

/** Returns the header of an unmasked frame that carries the whole message. */
export function frameHeader (length: number, opcode: number): Buffer {
  const bytes = Buffer.allocUnsafe(headerLength(length))
  putHeader(bytes, 0, FIN | opcode, length)
  return bytes
}

/** Returns the frames of all payloads in one buffer, after the bytes of `before`. */
export function frames (payloads: readonly Payload[], before?: Buffer): Framed {
  const lengths = payloads.map(byteLength)
  let end = before?.length ?? 0
  let size = end
  for (const length of lengths) size += headerLength(length) + length
  const bytes = Buffer.allocUnsafe(size)
  if (before !== undefined) bytes.set(before)
  // The array of lengths becomes that of the ends.
  const ends = lengths
  for (let i = 0; i < payloads.length; i++) ends[i] = end = put(bytes, end, FIN | opcodeOf(payloads[i]!), lengths[i]!, payloads[i]!)
  return { bytes, ends }
}

/** Frames messages for WebSocket clients. */
export const webSocketFraming: Framing = (entries, signals) => frames(signals.length === 0 ? entries : [...entries, ...signals])

export function opcodeOf (payload: Payload): number {
  return typeof payload === 'string' ? TEXT : BINARY
}

function byteLength (payload: Payload): number {
  return typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
}

function headerLength (length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10
}

/** Writes a frame at the offset `at`. Returns the offset after it. */
function put (bytes: Buffer, at: number, first: number, length: number, payload: Payload): number {
  const start = putHeader(bytes, at, first, length)
  // ASCII is written much faster as latin1.
  if (typeof payload === 'string') bytes.write(payload, start, length === payload.length ? 'latin1' : 'utf8')
  else bytes.set(payload, start)
  return start + length
}

/** Writes a frame's header at the offset `at`. Returns the offset after it. */
function putHeader (bytes: Buffer, at: number, first: number, length: number): number {
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
  return at + headerLength(length)
}

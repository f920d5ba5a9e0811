/** Opcodes. RFC 6455, section 11.8. */
export const TEXT = 0x1
export const BINARY = 0x2
export const CLOSE = 0x8
export const PING = 0x9
export const PONG = 0xa

export const FIN = 0x80
/** Marks a compressed message. RFC 7692, section 6. */
export const RSV1 = 0x40

/** Not zero, because a server may skip unmasking with a zero mask. */
export const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])

/** Returns the frame of a text message under 64 KiB, as sent by a server. */
export function unmaskedFrame (payload: Buffer): Buffer {
  return Buffer.concat([header(TEXT, payload.length, 0), payload])
}

/** Returns the frame of a message under 64 KiB, as sent by a client. */
export function maskedFrame (opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([header(opcode, payload.length, 0x80), MASK, payload.map((byte, i) => byte ^ MASK[i & 3]!)])
}

function header (opcode: number, length: number, masked: number): Buffer {
  if (length < 126) return Buffer.from([FIN | opcode, masked | length])
  return Buffer.from([FIN | opcode, masked | 126, length >> 8, length & 0xff])
}

/** Called with a frame. first: first byte of the header. The payload is bytes[start] to bytes[end - 1], valid during the call. */
export interface FrameListener { frame (first: number, bytes: Uint8Array, start: number, end: number): void }

/** Reads a server's frames from chunks of any size. Doesn't copy a frame that is complete in one chunk. */
export class FrameReader {
  readonly #listener: FrameListener
  /** The part of an incomplete frame received so far. */
  #begun = new Uint8Array(256)
  #had = 0

  constructor (listener: FrameListener) {
    this.#listener = listener
  }

  read (bytes: Uint8Array, from: number, to: number): void {
    let at = this.#had === 0 ? from : this.#finish(bytes, from, to)
    while (to - at >= 2) {
      const start = at + headerLength(bytes[at + 1]!)
      if (start > to) break
      const end = start + payloadLength(bytes, at)
      if (end > to) break
      this.#listener.frame(bytes[at]!, bytes, start, end)
      at = end
    }
    if (at < to) this.#keep(bytes, at, to)
  }

  /** Completes the incomplete frame. Returns the start of the next frame. */
  #finish (bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to;) {
      const until = Math.min(to, at + this.#missing())
      this.#keep(bytes, at, until)
      at = until
      if (this.#missing() > 0) continue
      const end = this.#had
      this.#had = 0
      this.#listener.frame(this.#begun[0]!, this.#begun, headerLength(this.#begun[1]!), end)
      return at
    }
    return to
  }

  /** Returns the number of missing bytes of the incomplete frame, or of its header if the header is incomplete. */
  #missing (): number {
    if (this.#had < 2) return 2 - this.#had
    const start = headerLength(this.#begun[1]!)
    return (this.#had < start ? start : start + payloadLength(this.#begun, 0)) - this.#had
  }

  #keep (bytes: Uint8Array, from: number, to: number): void {
    const had = this.#had + to - from
    if (had > this.#begun.length) {
      const larger = new Uint8Array(had * 2)
      larger.set(this.#begun.subarray(0, this.#had))
      this.#begun = larger
    }
    this.#begun.set(bytes.subarray(from, to), this.#had)
    this.#had = had
  }
}

/** Returns the header length of an unmasked frame. RFC 6455, section 5.2. */
function headerLength (second: number): number {
  return second < 126 ? 2 : second === 126 ? 4 : 10
}

function payloadLength (bytes: Uint8Array, at: number): number {
  const short = bytes[at + 1]!
  if (short < 126) return short
  if (short === 126) return bytes[at + 2]! * 256 + bytes[at + 3]!
  let length = 0
  for (let i = at + 2; i < at + 10; i++) length = length * 256 + bytes[i]!
  return length
}

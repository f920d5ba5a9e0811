import { receivedCost, type Receiver } from './receiver.ts'

/** Bytes of the buffers that small parts of a payload are copied into. */
const PART = 4 * 1024

/** Bytes of memory of a fragment that `ws` keeps, without its content: a Buffer and its place in an array. */
const FRAGMENT_OVERHEAD = 128

/**
 * The parts of a message that isn't complete. Charges what `ws` keeps of it. Copies small parts of a payload into larger
 * buffers: `ws` keeps a buffer for each read, and a read of one byte costs hundreds of bytes.
 */
export class IncompleteMessage {
  readonly #receiver: Pick<Receiver, 'charge' | 'release'>
  #charged = 0
  #isInflated = false
  #part: Buffer | undefined
  /** Bytes of `#part` in use. */
  #filled = 0

  constructor (receiver: Pick<Receiver, 'charge' | 'release'>) {
    this.#receiver = receiver
  }

  /** Adds a part of a payload that doesn't complete its frame. Returns the buffers to pass on. */
  add (bytes: Buffer): Buffer[] {
    const full: Buffer[] = []
    let rest = bytes
    while (rest.length > 0) {
      if (this.#part === undefined) {
        if (rest.length >= PART) {
          this.#charge(receivedCost(rest))
          full.push(rest)
          return full
        }
        this.#part = Buffer.allocUnsafeSlow(PART)
        this.#charge(receivedCost(this.#part))
      }
      const copied = rest.copy(this.#part, this.#filled)
      this.#filled += copied
      rest = rest.subarray(copied)
      if (this.#filled === PART) full.push(this.flush()!)
    }
    return full
  }

  /** Charges what `ws` may keep of a deflated message: it inflates each fragment that is complete. @param limit bytes of a message */
  chargeInflated (limit: number): void {
    if (this.#isInflated) return
    this.#isInflated = true
    this.#charge(limit)
  }

  /** Charges a read that contains more than a part of one payload, and the fragments in it. */
  keep (chunk: Buffer, fragments: number): void {
    this.#charge(receivedCost(chunk) + fragments * FRAGMENT_OVERHEAD)
  }

  /** Returns the bytes that were copied and not passed on yet; undefined for none. */
  flush (): Buffer | undefined {
    const part = this.#part?.subarray(0, this.#filled)
    this.#part = undefined
    this.#filled = 0
    return part
  }

  /** Called when the message is complete. */
  end (): void { this.#receiver.release(this.#charged) }

  #charge (bytes: number): void {
    this.#charged += bytes
    this.#receiver.charge(bytes)
  }
}

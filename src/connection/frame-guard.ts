import type { Duplex } from 'node:stream'
import type { Fault } from './close-reason.ts'
import { CloseCode } from '../protocol.ts'
import { receivedCost, type Receiver } from './receiver.ts'
import { TokenBucket, type Rate } from '../token-bucket.ts'

/** The connection whose frames a guard follows. */
export interface Guarded {
  /** Whether reading is paused. */
  readonly isPaused: boolean
  readonly receiver: Pick<Receiver, 'charge' | 'release'>
  close (code: number, reason: string, why: { readonly fault: Fault }): void
}

export interface FrameLimits {
  /** limits pings and pongs */
  readonly control: Rate
  /** ms from the first byte of a message until it must be complete */
  readonly messageTimeout: number
}

/** Bytes of a masking key. RFC 6455, section 5.3. */
const MASK = 4

const guard = Symbol('guard')

/** State of an incomplete message. */
interface Part {
  /** bytes of the current frame's header parsed so far */
  header: number
  /** first byte of that header */
  first: number
  /** missing bytes of its length field */
  lengthBytes: number
  /** payload length, or the part of it that was parsed so far */
  length: number
  /** missing bytes of masking key and payload */
  rest: number
  /** whether another fragment must follow */
  fragmented: boolean
  /** bytes charged for the pieces so far */
  charged: number
  deadline: NodeJS.Timeout | undefined
}

/**
 * Parses the headers of a client's frames before `ws` does. `ws` emits complete messages only. It doesn't report a message
 * that is never completed, and it answers any number of pings even if the client reads no pong.
 */
export class FrameGuard {
  readonly #guarded: Guarded
  readonly #limits: FrameLimits
  #control: TokenBucket | undefined
  /** Undefined between two messages. */
  #part: Part | undefined

  constructor (stream: Duplex, guarded: Guarded, limits: FrameLimits) {
    this.#guarded = guarded
    this.#limits = limits
    ;(stream as Duplex & { [guard]: FrameGuard })[guard] = this
    stream.prependListener('data', FrameGuard.#onData)
  }

  static readonly #onData = function (this: Duplex, chunk: Buffer): void {
    (this as Duplex & { [guard]: FrameGuard })[guard].#follow(chunk)
  }

  ended (): void { clearTimeout(this.#part?.deadline) }

  #follow (chunk: Buffer): void {
    const part: Part = this.#part ??
      { header: 0, first: 0, lengthBytes: 0, length: 0, rest: 0, fragmented: false, charged: 0, deadline: undefined }
    let controls = 0
    let messages = 0
    for (let at = 0; at < chunk.length;) {
      if (part.rest === 0) {
        parse(part, chunk[at++]!)
        continue
      }
      const bytes = Math.min(part.rest, chunk.length - at)
      at += bytes
      part.rest -= bytes
      if (part.rest > 0) break
      part.header = 0
      if ((part.first & 0x08) !== 0) {
        controls++
      } else {
        part.fragmented = (part.first & 0x80) === 0
        if (!part.fragmented) messages++
      }
    }
    if (controls > 0 && (this.#control ??= new TokenBucket(this.#limits.control)).spend(controls) > 0) {
      this.#guarded.close(CloseCode.policy, 'too many pings or pongs', { fault: 'control_flood' })
    }
    this.#time(part, messages > 0)
    this.#charge(part, messages > 0, chunk)
  }

  /** Charges the pieces of an incomplete message, which `ws` keeps until the message is complete. */
  #charge (part: Part, finished: boolean, chunk: Buffer): void {
    if (part.charged > 0 && (finished || this.#part === undefined)) {
      this.#guarded.receiver.release(part.charged)
      part.charged = 0
    }
    if (this.#part === undefined) return
    part.charged += receivedCost(chunk)
    this.#guarded.receiver.charge(receivedCost(chunk))
  }

  /** Sets or clears the deadline, which counts from a message's first byte. @param finished whether one was completed */
  #time (part: Part, finished: boolean): void {
    const incomplete = part.fragmented || part.header > 0
    if (finished || !incomplete) {
      clearTimeout(part.deadline)
      part.deadline = undefined
    }
    if (incomplete) part.deadline ??= setTimeout(FrameGuard.#expire, this.#limits.messageTimeout, this).unref()
    this.#part = incomplete ? part : undefined
  }

  static #expire (expired: FrameGuard): void {
    const part = expired.#part
    if (part === undefined) return
    part.deadline = undefined
    // The client can't complete the message while reading is paused, so the deadline starts again.
    if (expired.#guarded.isPaused) expired.#time(part, false)
    else expired.#guarded.close(CloseCode.policy, 'message not completed in time', { fault: 'unfinished_message' })
  }
}

/** Parses one byte of a header. RFC 6455, section 5.2. */
function parse (part: Part, byte: number): void {
  if (part.header === 0) {
    part.first = byte
  } else if (part.header === 1) {
    const length = byte & 0x7f
    part.lengthBytes = length < 126 ? 0 : length === 126 ? 2 : 8
    part.length = length < 126 ? length : 0
  } else {
    part.length = part.length * 256 + byte
    part.lengthBytes--
  }
  part.header++
  if (part.header > 1 && part.lengthBytes === 0) part.rest = MASK + part.length
}

import type { Duplex } from 'node:stream'
import type { Fault } from './close-reason.ts'
import { CloseCode } from '../protocol.ts'
import { costOf, type Received } from './received.ts'
import { TokenBucket, type Rate } from './token-bucket.ts'

/** Whose frames they are. */
export interface Guarded {
  /** Whether nothing is read from it for now. */
  readonly held: boolean
  readonly received: Received
  close (code: number, reason: string, why: { readonly fault: Fault }): void
}

export interface FrameLimits {
  /** of pings and pongs */
  readonly control: Rate
  /** ms in which a message must be whole once it has begun */
  readonly messageTimeout: number
}

/** Bytes of a mask. RFC 6455, section 5.3. */
const MASK = 4

const guard = Symbol('guard')

/** Of a message that is not whole yet. */
interface Part {
  /** Of the frame that has begun: bytes of its header so far, the first of them, and how many more tell its length. */
  header: number
  first: number
  lengthBytes: number
  length: number
  /** Bytes of mask and payload that are yet to come. */
  rest: number
  /** Whether another fragment must come. */
  fragmented: boolean
  /** Charged for the pieces so far. */
  charged: number
  deadline: NodeJS.Timeout | undefined
}

/**
 * Follows the frames of a client before `ws` parses them. It tells of whole messages only: neither that one has begun and
 * never ends, nor how many pings will be answered with pongs that nobody reads.
 */
export class FrameGuard {
  readonly #guarded: Guarded
  readonly #limits: FrameLimits
  #control: TokenBucket | undefined
  /** Undefined between messages, which is nearly always. */
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

  /** `ws` keeps each piece of a message until it is whole. */
  #charge (part: Part, finished: boolean, chunk: Buffer): void {
    if (part.charged > 0 && (finished || this.#part === undefined)) {
      this.#guarded.received.giveBack(part.charged)
      part.charged = 0
    }
    if (this.#part === undefined) return
    part.charged += costOf(chunk)
    this.#guarded.received.charge(costOf(chunk))
  }

  /** A message has its time from its first byte on. @param finished whether one became whole */
  #time (part: Part, finished: boolean): void {
    const begun = part.fragmented || part.header > 0
    if (finished || !begun) {
      clearTimeout(part.deadline)
      part.deadline = undefined
    }
    if (begun) part.deadline ??= setTimeout(FrameGuard.#late, this.#limits.messageTimeout, this).unref()
    this.#part = begun ? part : undefined
  }

  static #late (late: FrameGuard): void {
    const part = late.#part
    if (part === undefined) return
    part.deadline = undefined
    // What isn't read can't become whole.
    if (late.#guarded.held) late.#time(part, false)
    else late.#guarded.close(CloseCode.policy, 'a message was not whole in time', { fault: 'unfinished_message' })
  }
}

/** One byte of a header. RFC 6455, section 5.2. */
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

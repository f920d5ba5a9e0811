import { BINARY, MASK, TEXT, maskedFrame } from '../frames.ts'
import { sentences } from './text.ts'

/** A text consists of 4 digits for its writer, a flag for a stamp, 12 digits for its time in µs, and sentences. */
const WRITER = 4
const STAMP = 12
const STAMPED = 0x53
const ZERO = 0x30

const COUNTER = '0000000000'

export interface PostOptions {
  readonly writer: number
  /** characters of text */
  readonly size: number
  readonly binary: boolean
  /** Encodes the message. @param id new for each */
  readonly wrap: (text: string, id: string) => string
  /** Whether the encoded message contains the id, once or several times. */
  readonly numbered: boolean
}

/** The messages that one member sends. */
export interface Posts {
  readonly text: string
  /** @param stamp µs, for a message whose latency is measured */
  next (stamp?: number): Buffer
}

/** One member's message, masked once. Only its id and its stamp are rewritten. */
export class Post implements Posts {
  readonly text: string
  readonly #frame: Buffer
  readonly #payload: number
  readonly #textAt: number
  readonly #idsAt: readonly number[]
  #count = 0

  constructor ({ writer, size, binary, wrap, numbered }: PostOptions) {
    const head = `${String(writer).padStart(WRITER, '0')}-${'0'.repeat(STAMP)} `
    this.text = head + sentences(size - head.length, writer)
    const message = wrap(this.text, COUNTER)
    this.#frame = maskedFrame(binary ? BINARY : TEXT, Buffer.from(message))
    this.#payload = this.#frame.length - message.length
    this.#textAt = message.indexOf(this.text)
    this.#idsAt = numbered ? [...message.matchAll(new RegExp(COUNTER, 'g'))].map(({ index }) => index) : []
  }

  next (stamp?: number): Buffer {
    if (stamp === undefined && this.#idsAt.length === 0) return this.#frame
    const frame = Buffer.allocUnsafe(this.#frame.length)
    frame.set(this.#frame)
    for (const at of this.#idsAt) this.#digits(frame, at, COUNTER.length, this.#count)
    this.#count++
    if (stamp !== undefined && this.#textAt !== -1) {
      const flag = this.#textAt + WRITER
      frame[this.#payload + flag] = STAMPED ^ MASK[flag & 3]!
      this.#digits(frame, flag + 1, STAMP, Math.round(stamp))
    }
    return frame
  }

  #digits (frame: Buffer, at: number, length: number, number: number): void {
    for (let i = at + length - 1; i >= at; i--) {
      const rest = Math.floor(number / 10)
      frame[this.#payload + i] = (ZERO + number - rest * 10) ^ MASK[i & 3]!
      number = rest
    }
  }
}

/** Returns the messages of two posts in turn. */
export function alternating (first: Post, second: Post): Posts {
  let [current, other] = [second, first]
  return {
    text: first.text,
    next (stamp) {
      [current, other] = [other, current]
      return current.next(stamp)
    }
  }
}

export function isBy (writer: number, bytes: Uint8Array, text: number): boolean {
  for (let i = text + WRITER - 1; i >= text; i--) {
    const rest = Math.floor(writer / 10)
    if (bytes[i] !== ZERO + writer - rest * 10) return false
    writer = rest
  }
  return true
}

/** Returns the stamp in µs; undefined for a text without one. */
export function stampOf (bytes: Uint8Array, text: number): number | undefined {
  if (bytes[text + WRITER] !== STAMPED) return undefined
  let stamp = 0
  for (let i = text + WRITER + 1; i <= text + WRITER + STAMP; i++) stamp = stamp * 10 + bytes[i]! - ZERO
  return stamp
}

import type { Fault } from './close-reason.ts'
import type { FrameParser } from './frame-parser.ts'
import { FrameScanner } from './frame-scanner.ts'
import { IncompleteMessage } from './incomplete-message.ts'
import { CloseCode } from '../protocol.ts'
import type { Receiver } from './receiver.ts'
import type { Message } from './message.ts'
import type { Rate } from './token-bucket.ts'
import { wholeMessage, wholePong } from './whole-message.ts'

/** The connection whose frames a guard follows. */
export interface Guarded {
  /** Whether reading is paused. */
  readonly isPaused: boolean
  readonly open: boolean
  readonly receiver: Pick<Receiver, 'charge' | 'release'>
  /** Called with each message. */
  received (message: Message): void
  /** Called with the payload of a pong. Those that were parsed by `ws` are emitted by it. */
  receivedPong (data: Buffer): void
  close (code: number, reason: string, why: { readonly fault: Fault }): void
}

/** Bytes that a guard passes on. */
export interface Passing {
  /** Called when they are parsed, with the error of a malformed frame. */
  parsed (error?: Error | null): void
}

export interface FrameLimits {
  /** bytes of a message */
  readonly payload: number
  /** limits pings and pongs */
  readonly control: Rate
  /** ms from the first byte of a message until it must be complete */
  readonly messageTimeout: number
}

/** Scans the bytes of every connection that isn't within a message: it has no state then. */
let idle = new FrameScanner()

/**
 * Passes on a client's messages, one at a time, and applies limits first. A message or a pong that is one frame of one read, as most
 * are, is read here. Everything else is passed to the parser of `ws`, which doesn't report a message that is never completed, and doesn't
 * limit pings and pongs.
 */
export class FrameGuard {
  readonly #parser: FrameParser
  readonly #guarded: Guarded
  readonly #limits: FrameLimits
  /** Set within a message. */
  #scanner: FrameScanner | undefined
  /** State of the bucket for pings and pongs. A `TokenBucket` would be kept by each connection that has answered a ping. */
  #control = 0
  /** Undefined between two messages. */
  #message: IncompleteMessage | undefined
  #deadline: NodeJS.Timeout | undefined

  constructor (parser: FrameParser, guarded: Guarded, limits: FrameLimits) {
    this.#parser = parser
    this.#guarded = guarded
    this.#limits = limits
  }

  /**
   * Passes bytes up to the end of a message, or of the chunk. Returns the index after the last one.
   * @param passing called when they are parsed, before or after this method returns
   */
  pass (chunk: Buffer, at: number, passing: Passing): number {
    const after = this.#scanner === undefined && this.#guarded.open ? this.#read(chunk, at) : undefined
    if (after !== undefined) {
      passing.parsed()
      return after
    }
    const scanner = this.#scanner ?? idle
    const message = this.#message
    const isPart = scanner.isWithinPayload(chunk.length - at)
    const end = scanner.scan(chunk, at)
    if (message !== undefined && isPart) {
      for (const part of message.add(chunk)) this.#parser.parse(part, ignore)
      passing.parsed()
      return end
    }
    this.#keepScanner(scanner)
    if (scanner.controls > 0) this.#countControls(scanner.controls)
    const copied = message?.flush()
    if (scanner.isIncomplete) this.#expectMore(chunk)
    else if (message !== undefined) this.#complete(message)
    if (copied !== undefined) this.#parser.parse(copied, ignore)
    this.#parser.parse(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end), (error) => passing.parsed(error))
    return end
  }

  ended (): void { clearTimeout(this.#deadline) }

  /** Reads a message or a pong that is one frame. Returns the index after it, undefined if `ws` must parse it. */
  #read (chunk: Buffer, at: number): number | undefined {
    const message = wholeMessage(chunk, at, this.#limits.payload)
    if (message !== undefined) {
      this.#guarded.received(message)
      return message.end
    }
    const pong = wholePong(chunk, at)
    if (pong === undefined) return undefined
    this.#countControls(1)
    this.#guarded.receivedPong(pong)
    return pong.byteOffset - chunk.byteOffset + pong.length
  }

  /** Takes over the idle scanner within a message, and gives it up afterwards. */
  #keepScanner (scanner: FrameScanner): void {
    if (scanner === idle && scanner.isIncomplete) idle = new FrameScanner()
    this.#scanner = scanner.isIncomplete ? scanner : undefined
  }

  #countControls (count: number): void {
    const { control } = this.#limits
    this.#control = control.spent(this.#control, count)
    if (control.wait(this.#control, 0) > 0) closeFlood(this.#guarded)
  }

  /** The deadline counts from a message's first byte. */
  #expectMore (chunk: Buffer): void {
    this.#deadline ??= setTimeout(FrameGuard.#expire, this.#limits.messageTimeout, this).unref()
    this.#message ??= new IncompleteMessage(this.#guarded.receiver)
    if (this.#scanner!.isDeflated) this.#message.chargeInflated(this.#limits.payload)
    this.#message.keep(chunk, this.#scanner!.fragments)
  }

  #complete (message: IncompleteMessage): void {
    clearTimeout(this.#deadline)
    this.#deadline = undefined
    this.#message = undefined
    message.end()
  }

  static #expire (expired: FrameGuard): void {
    expired.#deadline = undefined
    if (expired.#message === undefined) return
    // The client can't complete the message while reading is paused, so the deadline starts again.
    if (expired.#guarded.isPaused) expired.#deadline = setTimeout(FrameGuard.#expire, expired.#limits.messageTimeout, expired).unref()
    else expired.#guarded.close(CloseCode.policy, 'message not completed in time', { fault: 'unfinished_message' })
  }
}

/** Closes a connection whose client sends too many pings or pongs, or doesn't read the answers. */
export function closeFlood (guarded: Pick<Guarded, 'close'>): void {
  guarded.close(CloseCode.policy, 'too many pings or pongs', { fault: 'control_flood' })
}

/** A part of a payload that doesn't complete its frame can't be malformed. */
function ignore (): void {}

import { FrameGuard, type FrameLimits, type Guarded, type Passing } from './frame-guard.ts'
import type { ByteReader, FrameParser } from './frame-parser.ts'
import type { Message } from './message.ts'
import { receivedCost } from './receiver.ts'

/** The connection whose bytes are queued. */
export interface Queued extends Guarded {
  /** Whether the next message must wait. */
  readonly isBusy: boolean
  /** Stops reading from the client. */
  pause (): void
  /** Starts reading again if reading is paused. */
  resume (): void
  /** Called with the error of a malformed frame. No later frame is parsed. */
  malformed (error: Error): void
}

/** Bytes of queued memory above which reading pauses. While reading is paused, the end of a connection isn't detected. */
const PAUSE_AT = 16 * 1024

/**
 * Keeps the bytes of a client that arrive while an earlier message of it is being handled, and pauses reading. The bytes aren't
 * parsed before that message is handled: thousands of small messages take no more memory than their bytes, and a malformed frame
 * is found only after the messages before it were handled.
 */
export class ReceiveQueue implements ByteReader, Passing {
  readonly #connection: Queued
  readonly #parser: FrameParser
  readonly #guard: FrameGuard
  /** Created when the first chunk waits. */
  #chunks: Buffer[] | undefined
  /** Bytes of the first chunk that were passed on. */
  #at = 0
  /** Bytes of memory of the chunks; 0 if none waits. */
  #cost = 0
  #isPassing = false
  /** Whether the parser hasn't called back yet. It inflates asynchronously. */
  #isParsing = false
  #isStopped = false
  /** Set if the connection ends while the parser inflates; called when it has called back. */
  #onLastParsed: (() => void) | undefined

  /** @param openParser creates the parser, which passes the client's bytes to `read` */
  constructor (connection: Queued, openParser: (reader: ByteReader) => FrameParser, limits: FrameLimits) {
    this.#connection = connection
    this.#parser = openParser(this)
    this.#guard = new FrameGuard(this.#parser, connection, limits)
  }

  read (chunk: Buffer): void {
    if (this.#isStopped) return
    const isFirst = this.#cost === 0
    const at = isFirst ? this.#pass(chunk, 0) : 0
    if (at === chunk.length) return
    if (isFirst) this.#at = at
    ;(this.#chunks ??= []).push(chunk)
    this.#cost += receivedCost(chunk)
    this.#connection.receiver.charge(receivedCost(chunk))
    // Pauses again at each read, because the app may have resumed the socket.
    if (this.#cost > PAUSE_AT) this.#connection.pause()
  }

  received (message: Message): void { this.#connection.received(message) }

  /** Passes on what no longer has to wait. Starts reading again when nothing waits. */
  proceed (): void {
    if (this.#isPassing) return
    for (let chunk = this.#chunks?.[0]; chunk !== undefined; chunk = this.#chunks?.[0]) {
      this.#at = this.#pass(chunk, this.#at)
      if (this.#at < chunk.length || this.#isStopped) return
      this.#at = 0
      this.#chunks!.shift()
      this.#release(receivedCost(chunk))
    }
    if (!this.#mustWait) this.#connection.resume()
  }

  parsed (error?: Error | null): void {
    this.#isParsing = false
    this.#onLastParsed?.()
    if (error != null) {
      this.stop()
      this.#connection.malformed(error)
    } else {
      this.proceed()
    }
  }

  end (onParsed: () => void): void {
    this.stop()
    // The end of the socket is detected only while it is read.
    this.#connection.resume()
    if (this.#isParsing) this.#onLastParsed = onParsed
    else onParsed()
  }

  /** Drops the queued bytes and all later ones. */
  stop (): void {
    this.#isStopped = true
    this.#chunks = undefined
    this.#release(this.#cost)
    this.#guard.ended()
  }

  /** Ends parsing. @param error that was passed to `malformed` */
  fail (error: Error): void { this.#parser.fail(error) }

  get #mustWait (): boolean { return this.#isParsing || this.#connection.isBusy }

  /** Passes bytes on until the next message must wait. Returns the index after the last one. */
  #pass (chunk: Buffer, at: number): number {
    this.#isPassing = true
    while (at < chunk.length && !this.#isStopped && !this.#mustWait) {
      this.#isParsing = true
      at = this.#guard.pass(chunk, at, this)
    }
    this.#isPassing = false
    return this.#isStopped ? chunk.length : at
  }

  #release (cost: number): void {
    this.#cost -= cost
    this.#connection.receiver.release(cost)
  }
}

import { loneSurrogate, type ClientMessage } from '../protocol.ts'
import { invalid, unsupported } from './error.ts'
import { assertFits, bytesOf } from './frame-size.ts'
import type { RateLimiter } from './rate-limiter.ts'

/** Minimum ms between two reports that the user is typing in a room. */
const TYPING_INTERVAL = 1_000

/** Sends what is not stored: now, or not at all. */
export class Signals {
  readonly #sendFrame: (json: string) => boolean
  readonly #rateLimiter: RateLimiter
  /** Largest message that the server accepts, in bytes. */
  #payload = Infinity
  /** Whether the server accepts `signal`, and `on` of `typing`. */
  #isSupported = false

  /** @param sendFrame returns whether the message was passed to the socket */
  constructor (sendFrame: (json: string) => boolean, rateLimiter: RateLimiter) {
    this.#sendFrame = sendFrame
    this.#rateLimiter = rateLimiter
  }

  /** @param payload largest message that the server accepts, in bytes; undefined: no limit */
  onConnect (payload: number | undefined, isSupported: boolean): void {
    this.#payload = payload ?? Infinity
    this.#isSupported = isSupported
  }

  /**
   * Returns whether the signal was sent.
   * @throws TypeError if `data` can't be serialized as JSON, ChatError if the server would refuse the signal
   */
  signal (room: string, data: unknown): boolean {
    const written = JSON.stringify(data) as string | undefined
    // Checked here: the server closes a connection after ten invalid frames.
    if (written === undefined) throw new TypeError('data must be a JSON value')
    const json = `{"type":"signal","room":"${room}","data":${written}}`
    if (loneSurrogate.test(json)) throw invalid('the signal contains a lone surrogate')
    if (!this.#isSupported) throw unsupported('signals')
    assertFits(json, this.#payload)
    return this.#send(json)
  }

  /** Returns a function that reports that the user is typing in a room, or with `false` that the user has stopped. */
  typingIn (room: string): (on: boolean) => void {
    let sentAt = -Infinity
    let isOn = false
    return (on) => {
      // An earlier server would take the end for a beginning.
      if (on ? performance.now() < sentAt + TYPING_INTERVAL : !(isOn && this.#isSupported)) return
      if (!this.#send(JSON.stringify({ type: 'typing', room, ...!on && { on } } satisfies ClientMessage))) return
      if (on) sentAt = performance.now()
      isOn = on
    }
  }

  #send (json: string): boolean {
    return this.#rateLimiter.take(bytesOf(json)) === 0 && this.#sendFrame(json)
  }
}

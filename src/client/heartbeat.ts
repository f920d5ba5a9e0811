import { Deferred } from './deferred.ts'
import { idleTimer } from './timer.ts'

/** Upper bound of the time that an answer may take, in ms. */
const MAX_TIMEOUT = 10_000

/** ms that the answer to a requested ping may take. */
const PING_TIMEOUT = 2_000

/** Pings the server at an interval and on request, because TCP can take many minutes to report a lost connection. */
export class Heartbeat {
  readonly #interval: number
  readonly #timeout: number
  readonly #send: (id: string) => void
  readonly #onTimeout: () => void
  #received = true
  /** The requested ping that is not answered yet. Its id is the time at which it was sent, in ms. */
  #pong: Deferred<number | undefined> | undefined
  #id = '0'
  #timer: ReturnType<typeof setTimeout>

  /**
   * @param interval ms between two pings; an answer must arrive within half of it, at most 10 s
   * @param send sends a ping
   * @param onTimeout called once when nothing was received since a ping
   */
  constructor (interval: number, send: (id: string) => void, onTimeout: () => void) {
    this.#interval = interval
    this.#timeout = Math.min(MAX_TIMEOUT, interval / 2)
    this.#send = send
    this.#onTimeout = onTimeout
    this.#timer = idleTimer(() => this.#beat(), interval)
  }

  /** Called when any message is received. @param message undefined if its type is unknown; an error can answer a ping */
  onMessage (message: { readonly type: string, readonly id?: string } | undefined): void {
    this.#received = true
    if (message?.id === this.#id) {
      this.#pong?.resolve(performance.now() - Number(this.#id))
      this.#pong = undefined
    }
  }

  /** Pings now. Resolves with the ms until the answer, or with undefined when the heartbeat is stopped. */
  ping (): Promise<number | undefined> {
    // The promise is shared: a later call doesn't extend the limit.
    if (this.#pong === undefined) {
      this.#pong = new Deferred()
      this.#id = String(performance.now())
      this.#beat(PING_TIMEOUT)
    }
    return this.#pong.promise
  }

  stop (): void {
    clearTimeout(this.#timer)
    this.#pong?.resolve(undefined)
  }

  #beat (timeout = this.#timeout): void {
    this.#received = false
    this.#send(this.#id)
    clearTimeout(this.#timer)
    // Two timers: if this process was busy or suspended, the messages that have arrived are read between the timers.
    this.#timer = idleTimer(() => { this.#timer = idleTimer(() => this.#check(timeout), 0) }, timeout)
  }

  #check (timeout: number): void {
    if (!this.#received) return this.#onTimeout()
    // The message that was received instead of the answer may be older than the ping.
    if (this.#pong !== undefined) return this.#beat(timeout)
    this.#timer = idleTimer(() => this.#beat(), this.#interval - timeout)
  }
}

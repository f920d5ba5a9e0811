import { idleTimer } from './timer.ts'

/** Upper bound of the time that an answer may take, in ms. */
const MAX_TIMEOUT = 10_000

/** Pings the server at an interval, because TCP can take many minutes to report a lost connection. */
export class Heartbeat {
  readonly #interval: number
  readonly #timeout: number
  readonly #ping: () => void
  readonly #onTimeout: () => void
  #received = true
  #timer: ReturnType<typeof setTimeout>

  /**
   * @param interval ms between two pings; an answer must arrive within half of it, at most 10 s
   * @param onTimeout called once when nothing was received since a ping
   */
  constructor (interval: number, ping: () => void, onTimeout: () => void) {
    this.#interval = interval
    this.#timeout = Math.min(MAX_TIMEOUT, interval / 2)
    this.#ping = ping
    this.#onTimeout = onTimeout
    this.#timer = idleTimer(() => this.#beat(), interval)
  }

  /** Called when any message is received. */
  onMessage (): void { this.#received = true }

  stop (): void { clearTimeout(this.#timer) }

  #beat (): void {
    this.#received = false
    this.#ping()
    // Two timers: if this process was busy or suspended, the messages that have arrived are read between the timers.
    this.#timer = idleTimer(() => { this.#timer = idleTimer(() => this.#check(), 0) }, this.#timeout)
  }

  #check (): void {
    if (!this.#received) return this.#onTimeout()
    this.#timer = idleTimer(() => this.#beat(), this.#interval - this.#timeout)
  }
}

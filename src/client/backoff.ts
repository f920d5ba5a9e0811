import { LONGEST_TIMER } from './timer.ts'

/** Maximum exponent. With a minimum delay of 0, an infinite factor would result in NaN. */
const DOUBLINGS = 30

/** Exponential backoff with full jitter: each wait is random between 0 and a ceiling that doubles from `min` to `max`. */
export class Backoff {
  /** Upper bound of the waits, unless the server requests more. */
  readonly max: number
  readonly #min: number
  #attempts = 0

  /**
   * @param min ms
   * @param max ms
   */
  constructor (min: number, max: number) {
    this.#min = min
    this.max = Math.min(LONGEST_TIMER, max)
  }

  /**
   * Returns the ms to wait before the next attempt.
   * @param requested ms that the server requested. It sends the same number to all its clients, so the random part is at least
   * as long, to spread their attempts. A value that isn't finite counts as 0
   */
  next (requested = 0): number {
    const ceiling = Math.min(this.max, this.#min * 2 ** Math.min(this.#attempts++, DOUBLINGS))
    const floor = Number.isFinite(requested) ? Math.max(0, requested) : 0
    return Math.min(LONGEST_TIMER, Math.round(floor + Math.random() * Math.max(ceiling, floor)))
  }

  reset (): void { this.#attempts = 0 }
}

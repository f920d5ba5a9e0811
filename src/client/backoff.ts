import { LONGEST_TIMER } from './timer.ts'

/** Beyond that many doublings every ceiling is the most. */
const DOUBLINGS = 30

/** Waits that double from the least to the most, each drawn at random from nothing up to that: full jitter. */
export class Backoff {
  readonly #least: number
  readonly #most: number
  readonly #random: () => number
  #attempts = 0

  /**
   * @param least, most in ms
   * @param random from 0 up to 1
   */
  constructor (least: number, most: number, random: () => number) {
    this.#least = least
    this.#most = most
    this.#random = random
  }

  /**
   * ms to wait before the next attempt.
   * @param asked ms that the server wants to be left alone: all its clients were told the same, so they spread over as
   * long again. What is no time counts for none
   */
  next (asked = 0): number {
    const ceiling = Math.min(LONGEST_TIMER, this.#most, this.#least * 2 ** Math.min(this.#attempts++, DOUBLINGS))
    const floor = Number.isFinite(asked) ? Math.max(0, asked) : 0
    return Math.min(LONGEST_TIMER, Math.round(floor + this.#random() * Math.max(ceiling, floor)))
  }

  reset (): void { this.#attempts = 0 }
}

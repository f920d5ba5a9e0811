import { tickTime } from './tick.ts'

/** A rate limit: tokens per second, and a burst that is allowed after a pause. */
export class Rate {
  /** ms per token; 0: no limit */
  readonly interval: number
  /** tokens */
  readonly burst: number

  /** @param perSecond Infinity for no limit */
  constructor (perSecond: number, burst: number) {
    this.interval = 1_000 / perSecond
    this.burst = burst
  }
}

/** The tokens of one client. Stored as the time at which the bucket is full again, so that no timer refills it. */
export class TokenBucket {
  readonly #rate: Rate
  /** ms, on the clock of `tickTime()` */
  #fullAt = 0

  constructor (rate: Rate) {
    this.#rate = rate
  }

  /**
   * Takes tokens if there are enough, or if the bucket is full. Returns 0, or the ms to wait; then it takes none.
   */
  take (tokens: number): number {
    const wait = this.wait(tokens)
    const { interval, burst } = this.#rate
    if (wait === 0 && interval > 0) this.#fullAt = Math.max(this.#fullAt, tickTime()) + Math.min(tokens, burst) * interval
    return wait
  }

  /** Returns the result of `take` without taking tokens. */
  wait (tokens: number): number {
    const { interval, burst } = this.#rate
    if (interval === 0) return 0
    const now = tickTime()
    return roundUp(Math.max(this.#fullAt, now) - now - (burst - Math.min(tokens, burst)) * interval)
  }

  /** Takes tokens even if there are too few. Returns the ms until the bucket is no longer in debt. */
  spend (tokens: number): number {
    const { interval, burst } = this.#rate
    if (interval === 0) return 0
    const now = tickTime()
    this.#fullAt = Math.max(this.#fullAt, now) + tokens * interval
    return roundUp(this.#fullAt - now - burst * interval)
  }

  fill (): void { this.#fullAt = 0 }
}

/** Rounds a wait up to whole ms, despite floating-point errors. Waits under 1 ms become 0. */
function roundUp (wait: number): number {
  return wait < 1 ? 0 : Math.ceil(wait - 0.01)
}

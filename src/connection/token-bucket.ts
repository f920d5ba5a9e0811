/** A rate limit: tokens per second, and a burst that is allowed after a pause. */
export class Rate {
  /** ms per token; 0: no limit */
  readonly interval: number
  /** tokens */
  readonly burst: number
  /** Returns the monotonic time in ms. A property of the rate, because a connection has several buckets. */
  readonly now: () => number

  /** @param perSecond Infinity for no limit */
  constructor (perSecond: number, burst: number, now: () => number) {
    this.interval = 1_000 / perSecond
    this.burst = burst
    this.now = now
  }
}

/** A token bucket. Its state is the time at which the bucket is full again, so that no timer refills it. */
export class TokenBucket {
  readonly #rate: Rate
  /** ms, on the clock of the rate */
  #fullAt = 0

  constructor (rate: Rate) {
    this.#rate = rate
  }

  /**
   * Takes tokens if there are enough, or if the bucket is full. Returns 0 if it took the tokens. Otherwise takes none and
   * returns the ms to wait.
   */
  take (tokens: number): number {
    const wait = this.wait(tokens)
    const { interval, burst, now } = this.#rate
    if (wait === 0 && interval > 0) this.#fullAt = Math.max(this.#fullAt, now()) + Math.min(tokens, burst) * interval
    return wait
  }

  /** Returns the result of `take` without taking tokens. @param before tokens that earlier requests will take first */
  wait (tokens: number, before = 0): number {
    const { interval, burst, now } = this.#rate
    if (interval === 0) return 0
    const time = now()
    return roundUp(Math.max(this.#fullAt, time) - time - (burst - before - Math.min(tokens, burst)) * interval)
  }

  /** Takes tokens even if there are too few. Returns the ms until the bucket is no longer in debt. */
  spend (tokens: number): number {
    const { interval, burst, now } = this.#rate
    if (interval === 0) return 0
    const time = now()
    this.#fullAt = Math.max(this.#fullAt, time) + tokens * interval
    return roundUp(this.#fullAt - time - burst * interval)
  }

  fill (): void { this.#fullAt = 0 }
}

/** Rounds a wait up to whole ms, despite floating-point errors. Waits under 1 ms become 0. */
function roundUp (wait: number): number {
  return wait < 1 ? 0 : Math.ceil(wait - 0.01)
}

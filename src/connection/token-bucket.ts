/**
 * A rate limit: tokens per second, and a burst that is allowed after a pause. The state of a bucket is the time at which it is full
 * again, so that no timer refills it: 0 for a full one.
 */
export class Rate {
  /** ms per token; 0: no limit */
  readonly #interval: number
  /** tokens */
  readonly burst: number
  readonly #now: () => number

  /** @param perSecond Infinity for no limit @param now returns the monotonic time in ms */
  constructor (perSecond: number, burst: number, now: () => number) {
    this.#interval = 1_000 / perSecond
    this.burst = burst
    this.#now = now
  }

  /**
   * Returns the ms to wait for tokens; 0 if the bucket has enough, or is full.
   * @param before tokens that earlier requests will take first
   */
  wait (fullAt: number, tokens: number, before = 0): number {
    if (this.#interval === 0) return 0
    const time = this.#now()
    return roundUp(Math.max(fullAt, time) - time - (this.burst - before - Math.min(tokens, this.burst)) * this.#interval)
  }

  /** Returns the state after tokens were taken for which `wait` returned 0. */
  taken (fullAt: number, tokens: number): number { return this.spent(fullAt, Math.min(tokens, this.burst)) }

  /** Returns the state after tokens were taken, even if there were too few. */
  spent (fullAt: number, tokens: number): number {
    return this.#interval === 0 ? fullAt : Math.max(fullAt, this.#now()) + tokens * this.#interval
  }
}

/** A token bucket. */
export class TokenBucket {
  readonly #rate: Rate
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
    if (wait === 0) this.#fullAt = this.#rate.taken(this.#fullAt, tokens)
    return wait
  }

  /** Returns the result of `take` without taking tokens. @param before tokens that earlier requests will take first */
  wait (tokens: number, before = 0): number { return this.#rate.wait(this.#fullAt, tokens, before) }

  /** Takes tokens even if there are too few. Returns the ms until the bucket is no longer in debt. */
  spend (tokens: number): number {
    this.#fullAt = this.#rate.spent(this.#fullAt, tokens)
    return this.wait(0)
  }
}

/** Rounds a wait up to whole ms, despite floating-point errors. Waits under 1 ms become 0. */
function roundUp (wait: number): number {
  return wait < 1 ? 0 : Math.ceil(wait - 0.01)
}

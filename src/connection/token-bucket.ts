import { tickTime } from './tick.ts'

/** How fast something may come: a second, and at once after a pause. */
export class Rate {
  /** ms until a token that was taken is back; 0: no limit */
  readonly interval: number
  /** tokens */
  readonly burst: number

  /** @param perSecond Infinity for no limit */
  constructor (perSecond: number, burst: number) {
    this.interval = 1_000 / perSecond
    this.burst = burst
  }
}

/** What is left of a rate for one client. Kept as the time when it will be full again: nothing needs to fill it. */
export class TokenBucket {
  readonly #rate: Rate
  /** ms, of `turnTime()` */
  #fullAt = 0

  constructor (rate: Rate) {
    this.#rate = rate
  }

  /**
   * Takes tokens if there are so many, or if it is full. Gives 0, or how many ms to wait until there are; nothing is
   * taken then.
   */
  take (tokens: number): number {
    const wait = this.wait(tokens)
    const { interval, burst } = this.#rate
    if (wait === 0 && interval > 0) this.#fullAt = Math.max(this.#fullAt, tickTime()) + Math.min(tokens, burst) * interval
    return wait
  }

  /** Returns what `take` would, and takes nothing. */
  wait (tokens: number): number {
    const { interval, burst } = this.#rate
    if (interval === 0) return 0
    const now = tickTime()
    return beyond(Math.max(this.#fullAt, now) - now - (burst - Math.min(tokens, burst)) * interval)
  }

  /** Takes tokens, there or not. Gives how many ms to wait until none is owed. */
  spend (tokens: number): number {
    const { interval, burst } = this.#rate
    if (interval === 0) return 0
    const now = tickTime()
    this.#fullAt = Math.max(this.#fullAt, now) + tokens * interval
    return beyond(this.#fullAt - now - burst * interval)
  }

  fill (): void { this.#fullAt = 0 }
}

/** Whole ms, without what the arithmetic adds to them; less than one is not worth a wait. */
function beyond (wait: number): number {
  return wait < 1 ? 0 : Math.ceil(wait - 0.01)
}

/** ms that a connection must work to count as good. Only then, the next attempt to connect follows at once. */
const GOOD_AFTER = 1_000

/** Delays between attempts, which grow until a connection worked for a while. */
export class Backoff {
  #attempts = 0
  /** `performance.now()` in ms since which the connection works; undefined while it doesn't. */
  #worksSince: number | undefined

  /** Called when the connection works. */
  works (): void { this.#worksSince ??= performance.now() }

  /** Returns the ms until the next attempt, at most 1,250. */
  next (): number {
    if (this.#worksSince !== undefined && performance.now() - this.#worksSince >= GOOD_AFTER) this.#attempts = 0
    this.#worksSince = undefined
    return Math.round(Math.min(50 * 2 ** this.#attempts++, 1_000) * (1 + Math.random() / 4))
  }
}

/** How much of the server's bucket a client that means well uses: what the network bunches up needs the rest. */
const SHARE = 0.5

/** A bucket of tokens like the server's, but smaller. */
export class Bucket {
  /** ms until a token is back; 0: no limit */
  #interval = 0
  #size = Infinity
  #fullAt = 0

  /** Tokens; Infinity where there is no limit. */
  get size (): number { return this.#size }

  /** Makes it full. @param rate tokens a second. @param burst size of the server's */
  reset (rate = Infinity, burst = Infinity): void {
    this.#interval = burst === Infinity || rate <= 0 ? 0 : 1_000 / rate
    this.#size = this.#interval === 0 ? Infinity : Math.max(1, Math.floor(burst * SHARE))
    this.#fullAt = 0
  }

  spend (tokens: number): void {
    this.#fullAt = Math.max(this.#fullAt, performance.now()) + tokens * this.#interval
  }

  /**
   * Returns the ms, 0 or less for none, until these tokens are there after those before them are taken. More than there
   * can be are there when the bucket is full.
   */
  wait (tokens: number, before = 0): number {
    if (this.#interval === 0) return 0
    const now = performance.now()
    const fullAt = Math.max(this.#fullAt, now) + before * this.#interval
    return fullAt - (this.#size - Math.min(tokens, this.#size)) * this.#interval - now
  }
}

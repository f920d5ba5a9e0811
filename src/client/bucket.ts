/** Share of the server's bucket that the client uses. The rest absorbs requests that the network delivers in one burst. */
const SHARE = 0.5

/** A token bucket, smaller than the server's. */
export class Bucket {
  /** ms per token; 0: no limit */
  #interval = 0
  #size = Infinity
  #fullAt = 0

  /** Size in tokens; Infinity: no limit. */
  get size (): number { return this.#size }

  /** Fills the bucket. @param rate tokens per second. @param burst tokens that the server's bucket holds */
  reset (rate = Infinity, burst = Infinity): void {
    this.#interval = burst === Infinity || rate <= 0 ? 0 : 1_000 / rate
    this.#size = this.#interval === 0 ? Infinity : Math.max(1, Math.floor(burst * SHARE))
    this.#fullAt = 0
  }

  spend (tokens: number): void {
    this.#fullAt = Math.max(this.#fullAt, performance.now()) + tokens * this.#interval
  }

  /**
   * Returns the ms until `tokens` are available after `before` others were spent; 0 or less: they are available now. A
   * request for more tokens than the bucket holds waits until the bucket is full.
   */
  wait (tokens: number, before = 0): number {
    if (this.#interval === 0) return 0
    const now = performance.now()
    const fullAt = Math.max(this.#fullAt, now) + before * this.#interval
    return fullAt - (this.#size - Math.min(tokens, this.#size)) * this.#interval - now
  }
}

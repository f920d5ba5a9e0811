/** Buckets per doubling: percentiles are exact to 1.1 %. */
const STEPS = 64

const DOUBLINGS = 32

/** A histogram of times in µs with logarithmic buckets, so that millions of them take no memory. */
export class Latencies {
  readonly #buckets = new Uint32Array(STEPS * DOUBLINGS)
  #count = 0

  add (microseconds: number): void {
    this.#buckets[Math.min(this.#buckets.length - 1, Math.floor(Math.log2(Math.max(1, microseconds)) * STEPS))]!++
    this.#count++
  }

  /** Returns ms; undefined when nothing was counted. */
  percentile (part: number): number | undefined {
    if (this.#count === 0) return undefined
    let left = this.#count * part
    const i = this.#buckets.findIndex((count) => (left -= count) <= 0)
    return 2 ** ((i + 0.5) / STEPS) / 1_000
  }

  clear (): void {
    this.#buckets.fill(0)
    this.#count = 0
  }
}

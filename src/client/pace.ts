/** How many of the server's limits a client that means well uses: what the network bunches up needs the rest. */
const SHARE = 0.5

/** How fast the server lets this client ask, as its `welcome` says. */
export class Pace {
  /** ms between requests */
  #interval = 0
  #burst = Infinity
  /** When all that may go at once may go again. */
  #fullAt = 0

  /** On a new link. @param rate, burst requests a second, and at once; any where the server doesn't say */
  reset (rate = Infinity, burst = Infinity): void {
    this.#interval = burst === Infinity ? 0 : 1_000 / rate
    this.#burst = this.#interval === 0 ? Infinity : Math.max(1, Math.floor(burst * SHARE))
    this.#fullAt = 0
  }

  /** Requests that may be under way: after a break all of them arrive at once. */
  get window (): number { return this.#burst }

  /** Counts requests that go whatever the pace is. */
  spend (requests: number): void {
    this.#fullAt = Math.max(this.#fullAt, performance.now()) + requests * this.#interval
  }

  /** Counts one that may go now; or gives how many ms it must wait. */
  take (): number {
    if (this.#interval === 0) return 0
    const wait = this.#fullAt - performance.now() - (this.#burst - 1) * this.#interval
    if (wait > 0) return Math.ceil(wait)
    this.spend(1)
    return 0
  }
}

import { LONGEST_TIMER } from './timer.ts'

/** How many of the server's limits a client that means well uses: what the network bunches up needs the rest. */
const SHARE = 0.5

interface Request { readonly cost: number, readonly send: () => void }

/** How fast the server lets this client ask, as its `welcome` says. */
export class Pace {
  /** ms between requests */
  #interval = 0
  #burst = Infinity
  /** When all that may go at once may go again. */
  #fullAt = 0
  #pausedUntil = 0
  /** Requests whose turn has not come. */
  readonly #waiting: Request[] = []
  /** Of all that wait. */
  #cost = 0
  #next: ReturnType<typeof setTimeout> | undefined

  /** On a new link. @param rate, burst requests a second, and at once; any where the server doesn't say */
  reset (rate = Infinity, burst = Infinity): void {
    this.#interval = burst === Infinity || rate <= 0 ? 0 : 1_000 / rate
    this.#burst = this.#interval === 0 ? Infinity : Math.max(1, Math.floor(burst * SHARE))
    this.#fullAt = 0
    this.#pausedUntil = 0
  }

  /** Requests that may be under way: after a break all of them arrive at once. */
  get window (): number { return this.#burst }

  /** Counts one request that may go now, after all that wait; or gives how many ms it must wait. */
  take (): number {
    const wait = this.#wait(1, this.#cost)
    if (wait === 0) this.#spend(1)
    return wait
  }

  /** Sends a request at once, or in the order of asking when its turn has come. @param cost requests that it counts as */
  ask (cost: number, send: () => void): void {
    this.#waiting.push({ cost, send })
    this.#cost += cost
    if (this.#next === undefined) this.#goOn()
  }

  /** Nothing goes for so many ms. */
  pause (ms: number): void { this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + ms) }

  /** The link is gone: what waits is not sent. */
  clear (): void {
    clearTimeout(this.#next)
    this.#next = undefined
    this.#waiting.length = 0
    this.#cost = 0
  }

  #goOn (): void {
    for (let request = this.#waiting[0]; request !== undefined; request = this.#waiting[0]) {
      const { cost, send } = request
      const wait = this.#wait(cost)
      if (wait > 0) {
        this.#next = setTimeout(() => {
          this.#next = undefined
          this.#goOn()
        }, wait)
        return
      }
      this.#waiting.shift()
      this.#cost -= cost
      this.#spend(cost)
      send()
    }
  }

  #spend (cost: number): void {
    this.#fullAt = Math.max(this.#fullAt, performance.now()) + cost * this.#interval
  }

  /** ms until so many may go after so many others; what is more than ever may at once, when all that may can. */
  #wait (cost: number, before = 0): number {
    const now = performance.now()
    const fullAt = Math.max(this.#fullAt, now) + before * this.#interval
    const from = this.#interval === 0 ? 0 : fullAt - (this.#burst - Math.min(cost, this.#burst)) * this.#interval
    const wait = Math.max(from, this.#pausedUntil) - now
    return wait > 0 ? Math.min(Math.ceil(wait), LONGEST_TIMER) : 0
  }
}

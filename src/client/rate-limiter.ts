import { Rate, TokenBucket } from '../token-bucket.ts'
import { LONGEST_TIMER } from './timer.ts'

/** Share of the server's bucket that the client uses. The rest absorbs requests that the network delivers in one burst. */
const SHARE = 0.5

const unlimited = new Rate(Infinity, Infinity, () => performance.now())

interface Request { readonly cost: number, readonly bytes: number, readonly send: () => void }

/** Limits from the server's `welcome`; absent: no limit. */
export interface RateLimits {
  /** requests per second, and burst of requests after a pause */
  readonly rate?: number | undefined
  readonly burst?: number | undefined
  /** bytes per second, and burst of bytes after a pause */
  readonly byteRate?: number | undefined
  readonly byteBurst?: number | undefined
}

/** Delays requests so that they stay within the server's limits. */
export class RateLimiter {
  #requestRate = unlimited
  #byteRate = unlimited
  #requests = new TokenBucket(unlimited)
  #bytes = new TokenBucket(unlimited)
  #pausedUntil = 0
  /** Requests that wait for tokens, oldest first. */
  readonly #waiting: Request[] = []
  /** Total cost and bytes of the waiting requests. */
  #costWaiting = 0
  #bytesWaiting = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Called on a new connection, with its limits. */
  reset ({ rate, burst, byteRate, byteBurst }: RateLimits): void {
    this.#requestRate = ownRate(rate, burst)
    this.#byteRate = ownRate(byteRate, byteBurst)
    this.#requests = new TokenBucket(this.#requestRate)
    this.#bytes = new TokenBucket(this.#byteRate)
    this.#pausedUntil = 0
  }

  /** Whether the server limits the rate of this client. */
  get limited (): boolean { return Math.min(this.#requestRate.burst, this.#byteRate.burst) < Infinity }

  /** Returns whether so many requests and bytes may be in flight. After a stall of the network, all may arrive at once. */
  fits (requests: number, bytes: number): boolean {
    return requests <= this.#requestRate.burst && bytes <= this.#byteRate.burst
  }

  /**
   * Takes the tokens of one request if the waiting requests leave enough. Returns 0, or the ms after which to try again.
   * @param cost requests that it counts as
   */
  take (bytes: number, cost = 1): number {
    const wait = this.#wait(cost, bytes, this.#costWaiting, this.#bytesWaiting)
    if (wait === 0) this.#spend(cost, bytes)
    return wait
  }

  /** Calls `send` once tokens are available, in the order of the calls. @param cost requests that it counts as */
  schedule (cost: number, bytes: number, send: () => void): void {
    this.#waiting.push({ cost, bytes, send })
    this.#costWaiting += cost
    this.#bytesWaiting += bytes
    if (this.#timer === undefined) this.#sendWaiting()
  }

  /** Sends nothing for `ms`. */
  pause (ms: number): void { this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + ms) }

  /** Called when the connection is lost. Drops the waiting requests. */
  clear (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#waiting.length = 0
    this.#costWaiting = 0
    this.#bytesWaiting = 0
  }

  #sendWaiting (): void {
    for (let request = this.#waiting[0]; request !== undefined; request = this.#waiting[0]) {
      const { cost, bytes, send } = request
      const wait = this.#wait(cost, bytes)
      if (wait > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.#sendWaiting()
        }, wait)
        return
      }
      this.#waiting.shift()
      this.#costWaiting -= cost
      this.#bytesWaiting -= bytes
      this.#spend(cost, bytes)
      send()
    }
  }

  #spend (cost: number, bytes: number): void {
    this.#requests.spend(cost)
    this.#bytes.spend(bytes)
  }

  /** Returns the ms until a request may be sent; 0: now. @param costBefore cost of earlier requests @param bytesBefore their bytes */
  #wait (cost: number, bytes: number, costBefore = 0, bytesBefore = 0): number {
    const wait = Math.max(
      this.#requests.wait(cost, costBefore),
      this.#bytes.wait(bytes, bytesBefore),
      this.#pausedUntil - performance.now())
    return wait > 0 ? Math.min(Math.ceil(wait), LONGEST_TIMER) : 0
  }
}

/** Returns the rate that this client keeps to. @param burst tokens that the server's bucket holds */
function ownRate (rate: number | undefined, burst: number | undefined): Rate {
  if (rate === undefined || rate <= 0 || burst === undefined) return unlimited
  return new Rate(rate, Math.max(1, Math.floor(burst * SHARE)), unlimited.now)
}

import { LONGEST_TIMER } from './timer.ts'

/** Share of the server's bucket that the client uses. The rest absorbs requests that the network delivers in one burst. */
const SHARE = 0.5

/** Tokens of a bucket without a limit. Not Infinity, because Infinity * 0 is NaN. */
const UNLIMITED = Number.MAX_SAFE_INTEGER

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
  #requests = bucket()
  #bytes = bucket()
  #pausedUntil = 0
  /** Requests that wait for tokens, oldest first. */
  readonly #waiting: Array<{ readonly cost: number, readonly bytes: number, readonly send: () => void }> = []
  /** Total cost and bytes of the waiting requests. */
  #costWaiting = 0
  #bytesWaiting = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Called on a new connection, with its limits. */
  reset ({ rate, burst, byteRate, byteBurst }: RateLimits): void {
    this.#requests = bucket(rate, burst)
    this.#bytes = bucket(byteRate, byteBurst)
    this.#pausedUntil = 0
  }

  /** Whether the server limits the rate of this client. */
  get limited (): boolean { return !this.fits(UNLIMITED, UNLIMITED) }

  /** Returns whether so many requests and bytes may be in flight. After a stall of the network, all may arrive at once. */
  fits (requests: number, bytes: number): boolean {
    return requests <= this.#requests.size && bytes <= this.#bytes.size
  }

  /**
   * Takes the tokens of one request if the waiting requests leave enough. Returns 0, or the ms after which to try again.
   * @param cost requests that it counts as
   */
  take (bytes: number, cost = 1): number { return this.#take(cost, bytes, this.#costWaiting, this.#bytesWaiting) }

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
    this.#costWaiting = this.#bytesWaiting = this.#waiting.length = 0
  }

  #sendWaiting (): void {
    this.#timer = undefined
    for (let request = this.#waiting[0]; request !== undefined; request = this.#waiting[0]) {
      const { cost, bytes, send } = request
      const wait = this.#take(cost, bytes)
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#sendWaiting(), wait)
        return
      }
      this.#waiting.shift()
      this.#costWaiting -= cost
      this.#bytesWaiting -= bytes
      send()
    }
  }

  /** Takes the tokens of a request if there are enough. @param costBefore tokens that earlier requests will take @param bytesBefore their bytes */
  #take (cost: number, bytes: number, costBefore = 0, bytesBefore = 0): number {
    const wait = Math.max(
      this.#requests.wait(cost, costBefore),
      this.#bytes.wait(bytes, bytesBefore),
      this.#pausedUntil - performance.now())
    // Rounded up despite floating-point errors.
    if (wait >= 1) return Math.min(Math.ceil(wait - 0.01), LONGEST_TIMER)
    this.#requests.spend(cost)
    this.#bytes.spend(bytes)
    return 0
  }
}

/**
 * Returns a token bucket. Its state is the time at which it is full again, so that no timer refills it.
 * @param rate tokens per second; 0: no limit
 * @param burst tokens that the server's bucket holds; undefined: no limit
 */
function bucket (rate = 0, burst?: number) {
  const isLimited = rate > 0 && burst !== undefined
  const size = isLimited ? Math.max(1, Math.floor(burst * SHARE)) : UNLIMITED
  /** ms per token */
  const interval = isLimited ? 1_000 / rate : 0
  let fullAt = 0
  return {
    size,
    /** Returns the ms until the tokens are available; less than 1: now. @param before tokens that earlier requests will take first */
    wait: (tokens: number, before: number) => Math.max(fullAt - performance.now(), 0) - (size - before - Math.min(tokens, size)) * interval,
    /** Takes tokens even if there are too few. */
    spend (tokens: number) { fullAt = Math.max(fullAt, performance.now()) + tokens * interval }
  }
}

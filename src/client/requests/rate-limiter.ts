import { BUCKET_SHARE, LONGEST_TIMER, UNLIMITED } from '../bounds.ts'

/** Limits from the server's `welcome`; absent: no limit. */
export interface RateLimits {
  /** requests per second, and burst of requests after a pause */
  readonly rate?: number | undefined
  readonly burst?: number | undefined
  /** bytes per second, and burst of bytes after a pause */
  readonly byteRate?: number | undefined
  readonly byteBurst?: number | undefined
}

export type RateLimiter = ReturnType<typeof rateLimiter>

/** Delays requests so that they stay within the server's limits. */
export function rateLimiter () {
  let requests = bucket()
  let bytes = bucket()
  let pausedUntil = 0
  /** Requests that wait for tokens, oldest first. */
  const waiting: Array<{ readonly cost: number, readonly size: number, readonly send: () => void }> = []
  let timer: ReturnType<typeof setTimeout> | undefined

  /** Takes the tokens of a request if there are enough. @param before requests that take theirs first */
  function takeAfter (before: typeof waiting, size: number, cost: number): number {
    const wait = Math.max(
      requests.wait(cost, before.reduce((sum, { cost }) => sum + cost, 0)),
      bytes.wait(size, before.reduce((sum, { size }) => sum + size, 0)),
      pausedUntil - performance.now())
    // Rounded up despite floating-point errors.
    if (wait >= 1) return Math.min(Math.ceil(wait - 0.01), LONGEST_TIMER)
    requests.spend(cost)
    bytes.spend(size)
    return 0
  }

  function sendWaiting (): void {
    timer = undefined
    for (let request = waiting[0]; request !== undefined; request = waiting[0]) {
      const wait = takeAfter([], request.size, request.cost)
      if (wait > 0) {
        timer = setTimeout(sendWaiting, wait)
        return
      }
      waiting.shift()
      request.send()
    }
  }

  /** Drops the waiting requests. */
  function clear (): void {
    clearTimeout(timer)
    timer = undefined
    waiting.length = 0
  }

  return {
    /** Returns whether so many requests and bytes may be in flight. After a stall of the network, all may arrive at once. */
    fits (cost: number, size: number): boolean { return cost <= requests.size && size <= bytes.size },
    /** Called on a new connection, with its limits. Drops the requests that were made offline: their owners schedule them again. */
    reset ({ rate, burst, byteRate, byteBurst }: RateLimits): void {
      requests = bucket(rate, burst)
      bytes = bucket(byteRate, byteBurst)
      pausedUntil = 0
      clear()
    },
    /**
     * Takes the tokens of one request if the waiting requests leave enough. Returns 0, or the ms after which to try again.
     * @param size bytes of the request
     * @param cost requests that it counts as
     */
    take (size: number, cost = 1): number { return takeAfter(waiting, size, cost) },
    /** Calls `send` once tokens are available, in the order of the calls. @param cost requests that it counts as */
    schedule (cost: number, size: number, send: () => void): void {
      waiting.push({ cost, size, send })
      if (timer === undefined) sendWaiting()
    },
    /** Sends nothing for `ms`. */
    pause (ms: number): void { pausedUntil = Math.max(pausedUntil, performance.now() + ms) },
    /** Called when the connection is lost. */
    clear
  }
}

/**
 * Returns a token bucket. Its state is the time at which it is full again, so that no timer refills it.
 * @param rate tokens per second; 0: no limit
 * @param burst tokens that the server's bucket holds; undefined: no limit
 */
function bucket (rate = 0, burst?: number) {
  const isLimited = rate > 0 && burst !== undefined
  const size = isLimited ? Math.max(1, Math.floor(burst * BUCKET_SHARE)) : UNLIMITED
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

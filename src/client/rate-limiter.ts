import { Bucket } from './bucket.ts'
import { LONGEST_TIMER } from './timer.ts'

interface Request { readonly cost: number, readonly bytes: number, readonly send: () => void }

/** What the server's `welcome` says of its limits; it has none where it doesn't say. */
export interface PaceLimits {
  /** requests a second, and at once */
  readonly rate?: number | undefined
  readonly burst?: number | undefined
  /** bytes a second, and at once */
  readonly byteRate?: number | undefined
  readonly byteBurst?: number | undefined
}

/** How fast the server lets this client ask, as its `welcome` says. */
export class Pace {
  readonly #requests = new Bucket()
  readonly #bytes = new Bucket()
  #pausedUntil = 0
  /** Requests whose turn has not come. */
  readonly #waiting: Request[] = []
  /** Of all that wait: requests that they count as, and bytes. */
  #costWaiting = 0
  #bytesWaiting = 0
  #next: ReturnType<typeof setTimeout> | undefined

  /** On a new link. */
  reset ({ rate, burst, byteRate, byteBurst }: PaceLimits): void {
    this.#requests.reset(rate, burst)
    this.#bytes.reset(byteRate, byteBurst)
    this.#pausedUntil = 0
  }

  /** Whether the server limits this client at all. */
  get limited (): boolean { return this.#requests.size < Infinity || this.#bytes.size < Infinity }

  /** Whether so much may be under way: after a break all of it arrives at once. */
  fits (requests: number, bytes: number): boolean {
    return requests <= this.#requests.size && bytes <= this.#bytes.size
  }

  /** Counts one request of so many bytes that may go now, after all that wait. Returns 0, or the ms that it must wait. */
  take (bytes: number): number {
    const wait = this.#wait(1, bytes, this.#costWaiting, this.#bytesWaiting)
    if (wait === 0) this.#spend(1, bytes)
    return wait
  }

  /** Sends a request at once, or in the order of asking when its turn has come. @param cost requests that it counts as */
  ask (cost: number, bytes: number, send: () => void): void {
    this.#waiting.push({ cost, bytes, send })
    this.#costWaiting += cost
    this.#bytesWaiting += bytes
    if (this.#next === undefined) this.#goOn()
  }

  /** Nothing goes for so many ms. */
  pause (ms: number): void { this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + ms) }

  /** The link is gone: what waits is not sent. */
  clear (): void {
    clearTimeout(this.#next)
    this.#next = undefined
    this.#waiting.length = 0
    this.#costWaiting = 0
    this.#bytesWaiting = 0
  }

  #goOn (): void {
    for (let request = this.#waiting[0]; request !== undefined; request = this.#waiting[0]) {
      const { cost, bytes, send } = request
      const wait = this.#wait(cost, bytes)
      if (wait > 0) {
        this.#next = setTimeout(() => {
          this.#next = undefined
          this.#goOn()
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

  /** Returns the ms until so much may go, after so much else. */
  #wait (cost: number, bytes: number, costBefore = 0, bytesBefore = 0): number {
    const wait = Math.max(
      this.#requests.wait(cost, costBefore),
      this.#bytes.wait(bytes, bytesBefore),
      this.#pausedUntil - performance.now())
    return wait > 0 ? Math.min(Math.ceil(wait), LONGEST_TIMER) : 0
  }
}

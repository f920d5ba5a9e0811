import { TokenBucket, type Rate } from './token-bucket.ts'

/** How fast one connection may send: requests, and the bytes of its messages. */
export interface MessageRates { readonly requests: Rate, readonly bytes: Rate }

/** What one connection may send now. */
export class Allowance {
  readonly #requests: TokenBucket
  readonly #bytes: TokenBucket

  constructor ({ requests, bytes }: MessageRates) {
    this.#requests = new TokenBucket(requests)
    this.#bytes = new TokenBucket(bytes)
  }

  /**
   * Takes a message if there is room for it. Returns 0, or the ms to wait until there is; nothing is taken then.
   * @param requests how many requests the message counts as
   * @param bytes of the message
   */
  take (requests: number, bytes: number): number {
    const wait = Math.max(this.#requests.wait(requests), this.#bytes.wait(bytes))
    if (wait > 0) return wait
    this.#requests.take(requests)
    this.#bytes.take(bytes)
    return 0
  }

  /** Takes a message whether there is room for it or not. Returns the ms to wait until nothing is owed. */
  spend (requests: number, bytes: number): number {
    return Math.max(this.#requests.spend(requests), this.#bytes.spend(bytes))
  }

  fill (): void {
    this.#requests.fill()
    this.#bytes.fill()
  }
}

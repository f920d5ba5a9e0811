import { TokenBucket, type Rate } from './token-bucket.ts'

/** Rate limits of one connection: its requests, and the bytes of its messages. */
export interface MessageRates { readonly requests: Rate, readonly bytes: Rate }

/** Applies the rate limits of one connection. */
export class Allowance {
  readonly #requests: TokenBucket
  readonly #bytes: TokenBucket

  constructor ({ requests, bytes }: MessageRates) {
    this.#requests = new TokenBucket(requests)
    this.#bytes = new TokenBucket(bytes)
  }

  /**
   * Takes the tokens of a message if both buckets have enough. Returns 0 if it took them. Otherwise takes none and returns the
   * ms to wait.
   * @param requests number of requests that the message counts as
   * @param bytes length of the message
   */
  take (requests: number, bytes: number): number {
    const wait = Math.max(this.#requests.wait(requests), this.#bytes.wait(bytes))
    if (wait > 0) return wait
    this.#requests.take(requests)
    this.#bytes.take(bytes)
    return 0
  }

  /** Takes the tokens of a message even if there are too few. Returns the ms until neither bucket is in debt. */
  spend (requests: number, bytes: number): number {
    return Math.max(this.#requests.spend(requests), this.#bytes.spend(bytes))
  }

  /** Returns the option of the limit for which a message has to wait longest. */
  limitingOption (requests: number, bytes: number): string {
    return this.#requests.wait(requests) >= this.#bytes.wait(bytes) ? 'limits.messageRate' : 'limits.byteRate'
  }

  fill (): void {
    this.#requests.fill()
    this.#bytes.fill()
  }
}

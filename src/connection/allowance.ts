import type { Rate } from './token-bucket.ts'

/** Rate limits of one connection: its requests, and the bytes of its messages. */
export interface MessageRates { readonly requests: Rate, readonly bytes: Rate }

/** Applies the rate limits of one connection. Keeps the states of both buckets itself: two objects would take twice the memory. */
export class Allowance {
  readonly #rates: MessageRates
  #requests = 0
  #bytes = 0

  constructor (rates: MessageRates) {
    this.#rates = rates
  }

  /**
   * Takes the tokens of a message if both buckets have enough. Returns 0 if it took them. Otherwise takes none and returns the
   * ms to wait.
   * @param requests number of requests that the message counts as
   * @param bytes length of the message
   */
  take (requests: number, bytes: number): number {
    const wait = this.#wait(requests, bytes)
    if (wait > 0) return wait
    this.#requests = this.#rates.requests.taken(this.#requests, requests)
    this.#bytes = this.#rates.bytes.taken(this.#bytes, bytes)
    return 0
  }

  /** Takes the tokens of a message even if there are too few. Returns the ms until neither bucket is in debt. */
  spend (requests: number, bytes: number): number {
    this.#requests = this.#rates.requests.spent(this.#requests, requests)
    this.#bytes = this.#rates.bytes.spent(this.#bytes, bytes)
    return this.#wait(0, 0)
  }

  /** Returns the option of the limit for which a message has to wait longest. */
  limitingOption (requests: number, bytes: number): string {
    const { requests: messageRate, bytes: byteRate } = this.#rates
    return messageRate.wait(this.#requests, requests) >= byteRate.wait(this.#bytes, bytes) ? 'limits.messageRate' : 'limits.byteRate'
  }

  #wait (requests: number, bytes: number): number {
    return Math.max(this.#rates.requests.wait(this.#requests, requests), this.#rates.bytes.wait(this.#bytes, bytes))
  }
}

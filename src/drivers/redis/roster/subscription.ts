import type { RedisClient } from '../client/client.ts'

/** A subscription to one channel. It begins with the first `start`. It is restored after a disconnect. */
export class Subscription {
  readonly #client: RedisClient
  readonly #channel: string
  readonly #onMessage: (message: Buffer) => void
  #starting: Promise<() => void> | undefined

  constructor (client: RedisClient, channel: string, onMessage: (message: Buffer) => void) {
    this.#client = client
    this.#channel = channel
    this.#onMessage = onMessage
  }

  /** Resolves when the subscription is live. May be called again after it rejects. */
  async start (): Promise<void> {
    this.#starting ??= this.#client.subscribe(this.#channel, this.#onMessage).catch((error: unknown) => {
      this.#starting = undefined
      throw error
    })
    await this.#starting
  }

  stop (): void {
    this.#starting?.then((stop) => stop(), () => { /* it was never live */ })
  }
}

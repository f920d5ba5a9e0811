import type { RedisLink } from '../client/client.ts'

/** One channel, heard from when it is first asked to be, also after breaks. */
export class Subscription {
  readonly #link: RedisLink
  readonly #channel: string
  readonly #heard: (message: Buffer) => void
  #starting: Promise<() => void> | undefined

  constructor (link: RedisLink, channel: string, heard: (message: Buffer) => void) {
    this.#link = link
    this.#channel = channel
    this.#heard = heard
  }

  /** Resolves when it is live; if it rejects, it can be asked again. */
  async start (): Promise<void> {
    this.#starting ??= this.#link.subscribe(this.#channel, this.#heard).catch((error: unknown) => {
      this.#starting = undefined
      throw error
    })
    await this.#starting
  }

  stop (): void {
    this.#starting?.then((stop) => stop(), () => { /* it never was live */ })
  }
}

import type { RedisClient } from '../client/client.ts'

/** Bytes of all rooms if Redis has no `maxmemory`, or it can't be read. */
const DEFAULT_BYTES = 256 * 1024 * 1024

/** ms after which `maxmemory` is read again */
const MAX_AGE = 60_000

/** Maximum bytes of all rooms: a given number, or half of Redis' `maxmemory`. */
export class StoreLimit {
  readonly #client: RedisClient
  readonly #given: number | undefined
  #read: { readonly bytes: number, readonly at: number } | undefined

  constructor (client: RedisClient, given: number | undefined) {
    this.#client = client
    this.#given = given
  }

  async bytes (): Promise<number> {
    if (this.#given !== undefined) return this.#given
    const now = performance.now()
    if (this.#read === undefined || now - this.#read.at > MAX_AGE) {
      const maxMemory = await this.#client.maxMemory().catch(() => 0)
      this.#read = { bytes: maxMemory === 0 ? DEFAULT_BYTES : Math.floor(maxMemory / 2), at: now }
    }
    return this.#read.bytes
  }
}

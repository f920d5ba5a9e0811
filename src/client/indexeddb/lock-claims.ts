import type { Claims } from './claims.ts'
import type { Locks } from './platform.ts'

/** Claims posts with one Web Lock each. A page that waits for no acknowledgement holds no lock, because locks keep it out of the back/forward cache. */
export class LockClaims implements Claims {
  readonly #locks: Locks
  readonly #prefix: string
  /** The claims that are held or requested, by post id. Each resolves with a function that ends it, or with undefined if another client has it. */
  readonly #claims = new Map<string, Promise<(() => void) | undefined>>()

  constructor (locks: Locks, prefix: string) {
    this.#locks = locks
    this.#prefix = prefix
  }

  async claim (ids: readonly string[]): Promise<string[]> {
    const claimed = await Promise.all(ids.map(async (id) => await this.#claim(id) !== undefined))
    return ids.filter((_, i) => claimed[i])
  }

  release (id: string): void {
    void this.#claims.get(id)?.then((end) => end?.(), () => { /* the claim has failed */ })
    this.#claims.delete(id)
  }

  releaseAll (): void {
    for (const id of this.#claims.keys()) this.release(id)
  }

  async #claim (id: string): Promise<(() => void) | undefined> {
    const claim = this.#claims.get(id) ?? this.#request(id)
    this.#claims.set(id, claim)
    try {
      const end = await claim
      if (end === undefined && this.#claims.get(id) === claim) this.#claims.delete(id)
      return end
    } catch (error) {
      this.#claims.delete(id)
      throw error
    }
  }

  #request (id: string): Promise<(() => void) | undefined> {
    return new Promise((resolve, reject) => {
      this.#locks.request(this.#prefix + id, { ifAvailable: true }, (lock) => {
        if (lock !== null) return new Promise<void>((_resolve) => resolve(_resolve))
        resolve(undefined)
        return undefined
      }).catch(reject)
    })
  }
}

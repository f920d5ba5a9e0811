import { randomId } from '../requests/random-id.ts'
import type { Claims } from './claims.ts'
import type { PostsDatabase } from './posts-database.ts'

/** ms of a lease: more than the minute for which browsers delay the timers of a page in the background. */
const LEASE = 150_000

const RENEWAL = 30_000

/** Claims posts with leases in the database, where Web Locks are missing. A page that is suspended for longer than a lease loses its claims. */
export class LeaseClaims implements Claims {
  readonly #database: PostsDatabase
  readonly #owner = randomId()
  readonly #ids = new Set<string>()
  #timer: ReturnType<typeof setInterval> | undefined

  constructor (database: PostsDatabase) {
    this.#database = database
  }

  async claim (ids: readonly string[]): Promise<string[]> {
    const claimed = await this.#database.lease(ids, this.#owner, Date.now() + LEASE)
    for (const id of claimed) this.#ids.add(id)
    if (claimed.length > 0) this.#timer ??= setInterval(() => this.#renew(), RENEWAL)
    return claimed
  }

  release (id: string): void { this.#release([id]) }

  releaseAll (): void { this.#release([...this.#ids]) }

  #release (ids: string[]): void {
    for (const id of ids) this.#ids.delete(id)
    if (this.#ids.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    this.#database.endLeases(ids).catch(() => { /* they expire */ })
  }

  #renew (): void {
    this.#database.lease([...this.#ids], this.#owner, Date.now() + LEASE).catch(() => { /* the next renewal follows */ })
  }
}

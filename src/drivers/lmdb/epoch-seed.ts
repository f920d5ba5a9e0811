import { newEpochSeed, type EpochSeed } from './head.ts'
import type { LmdbDatabase, Writes } from './database.ts'

/** The seed of the epochs of empty rooms, as it is after the next commit. */
export class LmdbEpochSeed {
  readonly #database: LmdbDatabase
  #current: EpochSeed
  #isStored = true

  constructor (database: LmdbDatabase) {
    this.#database = database
    this.#current = database.epochSeed
  }

  get current (): EpochSeed { return this.#current }

  /** Replaces the seed, once for all calls before a commit. Returns whether this call replaced it. */
  renew (): boolean {
    if (!this.#isStored) return false
    this.#isStored = false
    this.#current = newEpochSeed()
    return true
  }

  /** Adds the seed to the next commit. */
  write (writes: Writes): void { if (!this.#isStored) writes.epochSeed(this.#current) }

  /** Called after a commit. @param committed undefined if the outcome is unknown */
  settle (committed: boolean | undefined): void {
    if (committed === true) this.#isStored = true
    else if (committed === undefined) this.#current = this.#database.epochSeed
  }
}

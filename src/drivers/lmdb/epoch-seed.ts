import { newEpochSeed, type EpochSeed } from './head.ts'
import type { LmdbDatabase, Writes } from './database.ts'
import type { LmdbFeeds } from './feeds.ts'

/** The seed of the epochs of unused rooms. A commit that forgets rooms replaces it, so that their epochs differ from all earlier ones. */
export class LmdbEpochSeed {
  readonly #database: LmdbDatabase
  readonly #feeds: LmdbFeeds
  #stored: EpochSeed
  #next: EpochSeed | undefined
  /** Rooms that the next commit forgets. */
  readonly #forgotten = new Set<string>()

  constructor (database: LmdbDatabase, feeds: LmdbFeeds) {
    this.#database = database
    this.#feeds = feeds
    this.#stored = database.epochSeed
  }

  /** Returns the seed of a room, as it is on disk. A room that is followed before it is used keeps its seed: its followers notice nothing. */
  of (room: string): EpochSeed { return this.#feeds.seedOf(room) ?? this.#current }

  /** Returns the seed of a room that the next commit forgets. */
  renew (room: string): EpochSeed {
    this.#forgotten.add(room)
    return (this.#next ??= newEpochSeed())
  }

  /** Adds the seed to the next commit. */
  write (writes: Writes): void { if (this.#next !== undefined) writes.epochSeed(this.#next) }

  /** Called after a commit. @param committed undefined if the outcome is unknown */
  settle (committed: boolean | undefined): void {
    if (committed !== false) for (const room of this.#forgotten) this.#feeds.forgotten(room, this.#current)
    this.#forgotten.clear()
    this.#next = undefined
  }

  /** Read for each use: a commit is visible before it is settled, and heads of forgotten rooms are missing from then on. */
  get #current (): EpochSeed {
    const stored = this.#database.epochSeed
    // The same object as long as it is the same seed.
    if (stored.name !== this.#stored.name) this.#stored = stored
    return this.#stored
  }
}

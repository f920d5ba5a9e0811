import { keyOf } from './record.ts'
import type { LmdbDatabase } from './database.ts'

/** The keys of one room's posts, by digest. Read from disk when first needed. */
export class LmdbKeys {
  #indexes: Map<string, number> | undefined

  /** Number of keys in memory. */
  get size (): number { return this.#indexes?.size ?? 0 }

  /** Reads the keys of the records after one index, up to and including another. Does nothing if they were read before. */
  load (database: LmdbDatabase, room: string, after: number, last: number): void {
    if (this.#indexes !== undefined) return
    const indexes = new Map<string, number>()
    for (const { index, record } of database.records(room, after, last)) {
      const digest = keyOf(record)
      if (digest !== undefined) indexes.set(digest, index)
    }
    this.#indexes = indexes
  }

  /** Returns the index of a key's entry. The keys must be loaded. */
  find (digest: string): number | undefined { return this.#indexes!.get(digest) }

  /** Adds a key. The keys must be loaded. */
  add (digest: string, index: number): void { this.#indexes!.set(digest, index) }

  delete (digest: string): void { this.#indexes?.delete(digest) }

  /** Removes all keys. Called when a new epoch began, which has none on disk. */
  clear (): void { this.#indexes = new Map() }
}

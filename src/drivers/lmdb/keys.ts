/** The keys of one room's posts or edits, by digest, each with the index of its entry or change. Read from disk when first needed. */
export class LmdbKeys {
  #indexes: Map<string, number> | undefined

  /** Number of keys in memory. */
  get size (): number { return this.#indexes?.size ?? 0 }

  /** Reads all keys, unless they were read before. @param keys called to read them */
  load (keys: () => Iterable<readonly [digest: string, index: number]>): void { this.#indexes ??= new Map(keys()) }

  /** Returns the index of a key's entry or change. The keys must be loaded. */
  find (digest: string): number | undefined { return this.#indexes!.get(digest) }

  /** Adds a key. The keys must be loaded. */
  add (digest: string, index: number): void { this.#indexes!.set(digest, index) }

  delete (digest: string): void { this.#indexes?.delete(digest) }

  /** Removes all keys. Called when a new epoch began, which has none on disk. */
  clear (): void { this.#indexes = new Map() }
}

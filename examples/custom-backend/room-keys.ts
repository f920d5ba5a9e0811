/** The key of a post. */
export interface Key { readonly key: string, readonly hash?: string | undefined, readonly offset: number, readonly at: number }

/** The remembered keys of a room's posts, oldest first. */
export class RoomKeys {
  readonly #keys = new Map<string, Key>()
  #bytes = 0
  /** Keys of entries up to this offset may have been forgotten. */
  forgotten = 0

  /** Bytes of their lines, roughly. */
  get bytes (): number { return this.#bytes }
  get all (): Key[] { return [...this.#keys.values()] }

  find (key: string): Key | undefined { return this.#keys.get(key) }

  remember (key: Key): void {
    this.#keys.set(key.key, key)
    this.#bytes += sizeOf(key)
  }

  /** Forgets keys of entries before `firstKept`: those until a time, and those beyond a number. */
  forget (firstKept: number, before: number, max: number): void {
    for (const key of this.#keys.values()) {
      if ((key.at >= before && this.#keys.size <= max) || key.offset >= firstKept) break
      this.#keys.delete(key.key)
      this.#bytes -= sizeOf(key)
      this.forgotten = key.offset
    }
  }

  clear (): void {
    this.#keys.clear()
    this.#bytes = this.forgotten = 0
  }
}

function sizeOf ({ key, hash = '' }: Key): number { return key.length + hash.length + 64 }

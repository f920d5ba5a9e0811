/** Maximum number of names whose last use is remembered exactly. */
const MAX_NAMES = 10_000

/** ms between two writes of the same last use. */
export const USE_WRITE_INTERVAL = 10 * 60_000

/** Maximum number of last uses that one commit writes. */
const MAX_WRITES = 64

/**
 * The exact last uses of rooms, by their name, or of read positions, by the id of their member. Each is written to disk at most once per
 * `USE_WRITE_INTERVAL`.
 */
export class LmdbUses {
  /** ms since 1970, by name; the least recently used first */
  readonly #uses = new Map<string, number>()
  /** Names whose last use has to be written to disk. */
  #unwritten = new Set<string>()

  get hasUnwritten (): boolean { return this.#unwritten.size > 0 }

  record (name: string, now: number): void {
    this.#uses.delete(name)
    this.#uses.set(name, now)
    if (this.#uses.size > MAX_NAMES) this.forget(this.#uses.keys().next().value!)
  }

  /** Records a use that writes no entry. Returns true if a commit should write it to disk. @param stored the last use on disk */
  recordRead (name: string, stored: number, now: number): boolean {
    this.record(name, now)
    if (now - stored < USE_WRITE_INTERVAL || this.#unwritten.size >= MAX_WRITES) return false
    this.#unwritten.add(name)
    return true
  }

  /** Returns the names whose last use the next commit has to write. */
  takeUnwritten (): ReadonlySet<string> {
    const names = this.#unwritten
    this.#unwritten = new Set()
    return names
  }

  /** Returns undefined if the last use is only on disk. */
  lastUse (name: string): number | undefined { return this.#uses.get(name) }

  forget (name: string): void { this.#uses.delete(name) }
}

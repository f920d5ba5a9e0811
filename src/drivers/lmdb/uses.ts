/** Maximum number of rooms whose last use is remembered exactly. */
const MAX_ROOMS = 10_000

/** The exact last uses of rooms. Each is written to disk at most once per `USE_WRITE_INTERVAL`. */
export class LmdbUses {
  /** ms since 1970, by room; the least recently used first */
  readonly #uses = new Map<string, number>()

  record (room: string, now: number): void {
    this.#uses.delete(room)
    this.#uses.set(room, now)
    if (this.#uses.size > MAX_ROOMS) this.forget(this.#uses.keys().next().value!)
  }

  /** Returns undefined for a room whose last use is only on disk. */
  lastUse (room: string): number | undefined { return this.#uses.get(room) }

  forget (room: string): void { this.#uses.delete(room) }
}

/** Rooms whose last use is remembered exactly. */
const ROOMS = 10_000

/** When rooms were last used, exactly: the disk learns of it at most once in `USE_INTERVAL`. */
export class LmdbUses {
  /** ms; the least recently used first */
  readonly #uses = new Map<string, number>()

  record (room: string, now: number): void {
    this.#uses.delete(room)
    this.#uses.set(room, now)
    if (this.#uses.size > ROOMS) this.forget(this.#uses.keys().next().value!)
  }

  /** Returns undefined for a room whose last use is only known by the disk. */
  lastUse (room: string): number | undefined { return this.#uses.get(room) }

  forget (room: string): void { this.#uses.delete(room) }
}

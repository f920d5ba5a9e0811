/** Maximum number of rooms whose last use is remembered exactly. */
const MAX_ROOMS = 10_000

/** ms between two writes of a room's last use. */
export const USE_WRITE_INTERVAL = 10 * 60_000

/** Maximum number of rooms whose last use one commit writes. */
const MAX_WRITES = 64

/** The exact last uses of rooms. Each is written to disk at most once per `USE_WRITE_INTERVAL`. */
export class LmdbUses {
  /** ms since 1970, by room; the least recently used first */
  readonly #uses = new Map<string, number>()
  /** Rooms whose last use has to be written to disk. */
  #unwritten = new Set<string>()

  get hasUnwritten (): boolean { return this.#unwritten.size > 0 }

  record (room: string, now: number): void {
    this.#uses.delete(room)
    this.#uses.set(room, now)
    if (this.#uses.size > MAX_ROOMS) this.forget(this.#uses.keys().next().value!)
  }

  /** Records a use that writes no entry. Returns true if a commit should write it to disk. @param stored the last use on disk */
  recordRead (room: string, stored: number, now: number): boolean {
    this.record(room, now)
    if (now - stored < USE_WRITE_INTERVAL || this.#unwritten.size >= MAX_WRITES) return false
    this.#unwritten.add(room)
    return true
  }

  /** Returns the rooms whose last use the next commit has to write. */
  takeUnwritten (): ReadonlySet<string> {
    const rooms = this.#unwritten
    this.#unwritten = new Set()
    return rooms
  }

  /** Returns undefined for a room whose last use is only on disk. */
  lastUse (room: string): number | undefined { return this.#uses.get(room) }

  forget (room: string): void { this.#uses.delete(room) }
}

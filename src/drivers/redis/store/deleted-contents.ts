/** ms for which the deletions of a room are gathered: each removal rewrites the whole stream of the room */
const DELAY = 1_000

/** Removes the contents of deleted entries from Redis. Reads return none of them, even before their removal. */
export class DeletedContents {
  readonly #remove: (room: string) => Promise<unknown>
  readonly #delay: number
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #removing = new Set<string>()

  /** @param remove removes the contents from a room @param delay ms after the first deletion; tests pass their own */
  constructor (remove: (room: string) => Promise<unknown>, delay = DELAY) {
    this.#remove = remove
    this.#delay = delay
  }

  /** Removes the contents from a room when its deletions of a second have been gathered. */
  removeSoon (room: string): void {
    if (this.#timers.has(room)) return
    this.#timers.set(room, setTimeout(() => this.#start(room), this.#delay).unref())
  }

  /** Removes the contents from a room, unless that is under way. If it fails, the next use of the room finds them overdue. */
  removeNow (room: string): void {
    if (!this.#removing.has(room)) this.#start(room)
  }

  /** Removes the contents that wait. */
  flush (): void {
    for (const room of this.#timers.keys()) this.#start(room)
  }

  /** Starts a removal. Another one that is under way may miss what was deleted since it started. */
  #start (room: string): void {
    clearTimeout(this.#timers.get(room))
    this.#timers.delete(room)
    this.#removing.add(room)
    this.#remove(room).catch(() => {}).finally(() => this.#removing.delete(room))
  }
}

import type { Backoff } from './backoff.ts'

/** Timers of rooms whose requests wait after a retryable error; at most one for each room. */
export class RetryTimers {
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #backoff: Backoff
  readonly #retry: () => void

  /** @param retry called when the wait of a room has ended */
  constructor (backoff: Backoff, retry: () => void) {
    this.#backoff = backoff
    this.#retry = retry
  }

  /** Returns whether requests of the room wait. */
  has (room: string): boolean { return this.#timers.has(room) }

  /** Starts the wait of a room unless it has begun. @param requested ms that the server requested */
  start (room: string, requested?: number): void {
    if (this.#timers.has(room)) return
    this.#timers.set(room, setTimeout(() => {
      this.#timers.delete(room)
      this.#retry()
    }, this.#backoff.next(requested)))
  }

  stop (room: string): void {
    clearTimeout(this.#timers.get(room))
    this.#timers.delete(room)
  }

  clear (): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }
}

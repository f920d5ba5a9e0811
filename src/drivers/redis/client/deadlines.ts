/** due: `performance.now()` in ms. onExpired: called when the deadline expires. */
interface Deadline { readonly due: number, readonly onExpired: () => void }

/** Deadlines of one length, which share one timer. */
export class Deadlines {
  readonly #length: number
  /** Earliest first. */
  readonly #running = new Set<Deadline>()
  #timer: NodeJS.Timeout | undefined
  #over: (() => void) | undefined

  /** @param length of each deadline, in ms */
  constructor (length: number) {
    this.#length = length
  }

  get size (): number { return this.#running.size }

  start (onExpired: () => void): Deadline {
    const deadline = { due: performance.now() + this.#length, onExpired }
    this.#running.add(deadline)
    this.#timer ??= setTimeout(() => this.#expire(), this.#length)
    return deadline
  }

  /** Stops a deadline. Returns whether it was still running. */
  end (deadline: Deadline): boolean {
    const running = this.#running.delete(deadline)
    if (this.#running.size === 0) this.#over?.()
    return running
  }

  /** Resolves when no deadline is running. */
  async over (): Promise<void> {
    if (this.#running.size > 0) await new Promise<void>((resolve) => { this.#over = resolve })
    clearTimeout(this.#timer)
  }

  /** Expires all deadlines now. */
  expireAll (): void {
    for (const deadline of this.#running) {
      this.end(deadline)
      deadline.onExpired()
    }
  }

  #expire (): void {
    // After the event loop was blocked, replies wait in the sockets. They are read first.
    setImmediate(() => {
      this.#timer = undefined
      const now = performance.now()
      for (const deadline of this.#running) {
        if (deadline.due > now) {
          this.#timer ??= setTimeout(() => this.#expire(), deadline.due - now)
          return
        }
        this.end(deadline)
        deadline.onExpired()
      }
    })
  }
}

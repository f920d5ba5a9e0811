/** due: ms of `performance.now()` */
export interface Deadline { readonly due: number, readonly passed: () => void }

/** What must be over within one and the same time: one timer for all of them. */
export class Deadlines {
  readonly #time: number
  /** The next due first. */
  readonly #running = new Set<Deadline>()
  #timer: NodeJS.Timeout | undefined
  #over: (() => void) | undefined

  /** @param time ms */
  constructor (time: number) {
    this.#time = time
  }

  get size (): number { return this.#running.size }

  start (passed: () => void): Deadline {
    const deadline = { due: performance.now() + this.#time, passed }
    this.#running.add(deadline)
    this.#timer ??= setTimeout(() => this.#look(), this.#time)
    return deadline
  }

  /** @returns whether it was still running */
  end (deadline: Deadline): boolean {
    const running = this.#running.delete(deadline)
    if (this.#running.size === 0) this.#over?.()
    return running
  }

  /** Resolves when none is running. */
  async over (): Promise<void> {
    if (this.#running.size > 0) await new Promise<void>((resolve) => { this.#over = resolve })
    clearTimeout(this.#timer)
  }

  /** All pass now. */
  pass (): void {
    for (const deadline of this.#running) {
      this.end(deadline)
      deadline.passed()
    }
  }

  #look (): void {
    // A process that was held up for long has answers waiting in its sockets: they are read first.
    setImmediate(() => {
      this.#timer = undefined
      const now = performance.now()
      for (const deadline of this.#running) {
        if (deadline.due > now) {
          this.#timer ??= setTimeout(() => this.#look(), deadline.due - now)
          return
        }
        this.end(deadline)
        deadline.passed()
      }
    })
  }
}

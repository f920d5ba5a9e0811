/** Limits the number of concurrent tasks. Further tasks wait, in the order of the calls. */
export class Semaphore {
  #free: number
  readonly #waiting: Array<() => void> = []

  constructor (limit: number) {
    this.#free = limit
  }

  /** Runs a task when fewer tasks than the limit are running. Settles as the task does. */
  async run<T> (task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}

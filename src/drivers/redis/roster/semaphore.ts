/** Lets so many through at once; the rest wait, first come, first served. */
export class Turnstile {
  #free: number
  readonly #waiting: Array<() => void> = []

  constructor (width: number) {
    this.#free = width
  }

  async pass<T> (task: () => Promise<T>): Promise<T> {
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

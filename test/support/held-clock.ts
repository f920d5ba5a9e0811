import type { Delay } from '../../src/drivers/delay.ts'

/** A clock for timers of the drivers. It stands still until `pass` is called. */
export class HeldClock {
  #now = 0
  readonly #due = new Set<{ readonly at: number, readonly run: () => void }>()
  readonly after: Delay = (ms, run) => {
    const call = { at: this.#now + ms, run }
    this.#due.add(call)
    return () => { this.#due.delete(call) }
  }

  /** Number of timers that wait. */
  get waiting (): number { return this.#due.size }

  /** Lets time pass, and runs the timers that are due. */
  pass (ms: number): void {
    this.#now += ms
    for (const call of this.#due) {
      if (call.at > this.#now) continue
      this.#due.delete(call)
      call.run()
    }
  }
}

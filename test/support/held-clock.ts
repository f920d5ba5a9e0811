import { mock } from 'node:test'
import type { Test } from 'tap'
import type { Delay } from '../../src/drivers/delay.ts'

/** A clock for timers of the drivers. It advances only when `pass` is called. */
export class HeldClock {
  #now = 0
  readonly #due = new Set<{ readonly at: number, readonly run: () => void }>()
  readonly after: Delay = (ms, run) => {
    const call = { at: this.#now + ms, run }
    this.#due.add(call)
    return () => { this.#due.delete(call) }
  }

  /** Number of pending timers. */
  get waiting (): number { return this.#due.size }

  /** Advances the clock, and runs the timers that are due. */
  pass (ms: number): void {
    this.#now += ms
    for (const call of this.#due) {
      if (call.at > this.#now) continue
      this.#due.delete(call)
      call.run()
    }
  }
}

/** Holds the time of `Date` until the end of the test. */
export function holdDate (t: Test): void {
  mock.timers.enable({ apis: ['Date'], now: 1e12 })
  t.teardown(() => mock.timers.reset())
}

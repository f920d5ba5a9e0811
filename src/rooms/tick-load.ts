import { currentTick } from '../connection/tick.ts'

/** Counts the entries and changes that a room receives in each tick, to tell whether more are likely to follow in this one. */
export class TickLoad {
  /** Number of the last tick with any, and how many it had. */
  #tick = -1
  #count = 0
  /** Whether the previous tick with any had only one. */
  #wasQuiet = true

  /** Whether this tick has had only one so far, and the previous tick with any had only one too. */
  get isQuiet (): boolean { return this.#wasQuiet && this.#count === 1 && this.#tick === currentTick() }

  add (count: number): void {
    const tick = currentTick()
    if (tick !== this.#tick) {
      this.#tick = tick
      this.#wasQuiet = this.#count <= 1
      this.#count = 0
    }
    this.#count += count
  }
}

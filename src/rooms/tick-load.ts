import { currentTick } from '../connection/tick.ts'

/** Counts the entries and changes of a room in each tick. From the last ones, it predicts whether more will follow in this tick. */
export class TickLoad {
  /** Number of the last tick with entries or changes, and their count. */
  #tick = -1
  #count = 0
  /** Whether the last tick before it with entries or changes had only one. */
  #wasQuiet = true

  /** Whether this tick has one entry or change so far, and the last tick before it with entries or changes had one. */
  get isQuiet (): boolean { return this.#wasQuiet && this.#count === 1 && this.#tick === currentTick() }

  add (count: number): void {
    if (count === 0) return
    const tick = currentTick()
    if (tick !== this.#tick) {
      this.#tick = tick
      this.#wasQuiet = this.#count <= 1
      this.#count = 0
    }
    this.#count += count
  }
}

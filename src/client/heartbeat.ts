import { idleTimer } from './timer.ts'

/** ms that an answer may take, at most. */
const ANSWER = 10_000

/** Asks the other side for a sign of life, again and again: TCP alone doesn't tell for many minutes that it is gone. */
export class Heartbeat {
  readonly #interval: number
  readonly #answer: number
  readonly #ask: () => void
  readonly #dead: () => void
  #heard = true
  #timer: ReturnType<typeof setTimeout>

  /**
   * @param interval ms between two questions; half of it, and no more than 10 s, is given for an answer
   * @param dead called once when nothing at all was heard since a question
   */
  constructor (interval: number, ask: () => void, dead: () => void) {
    this.#interval = interval
    this.#answer = Math.min(ANSWER, interval / 2)
    this.#ask = ask
    this.#dead = dead
    this.#timer = idleTimer(() => this.#beat(), interval)
  }

  /** Whatever was heard is a sign of life. */
  heard (): void { this.#heard = true }

  stop (): void { clearTimeout(this.#timer) }

  #beat (): void {
    this.#heard = false
    this.#ask()
    // In two steps: where this process was busy or asleep, what has arrived meanwhile is read between them.
    this.#timer = idleTimer(() => { this.#timer = idleTimer(() => this.#judge(), 0) }, this.#answer)
  }

  #judge (): void {
    if (!this.#heard) return this.#dead()
    this.#timer = idleTimer(() => this.#beat(), this.#interval - this.#answer)
  }
}

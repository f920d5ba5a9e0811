import { delay, type Delay } from '../drivers/delay.ts'
import { meaningOf } from '../error-meaning.ts'
import { StreamEnded } from '../errors.ts'

type Call = () => Promise<void>

/** ms until a failed call is repeated for the first time, and the longest wait. Each wait is twice as long as the one before. */
const [FIRST_WAIT, LONGEST_WAIT] = [100, 3_200]

/** Intervals of a lease. It is renewed at the end of each one without a call. */
const INTERVALS = 3

/** Starts a timer that keeps the process alive: a script must not exit before its call succeeds or fails. */
const wait: Delay = (ms, run) => {
  const timeout = setTimeout(run, ms)
  return () => clearTimeout(timeout)
}

/**
 * Makes calls of the store for the holder of a lease, one at a time. Each call that succeeds renews the lease. A call that failed and may
 * succeed later is repeated until the lease has passed since the last one that succeeded.
 */
export class RepeatedCalls {
  readonly #lease: number
  readonly #idle: () => void
  readonly #after: Delay
  readonly #wait: Delay
  #state: 'open' | 'ending' | 'stopped' = 'open'
  #last: Promise<unknown> = Promise.resolve()
  /** Number of calls that haven't settled. */
  #pending = 0
  /** Intervals of the lease that have passed since the last call that succeeded. */
  #passed = 0
  #stopTimer = () => {}
  #stopWaiting = () => {}

  /** @param lease ms @param idle called when there was no call for an interval of the lease @param after for tests */
  constructor (lease: number, idle: () => void, after?: Delay) {
    this.#lease = lease
    this.#idle = idle
    this.#after = after ?? delay
    this.#wait = after ?? wait
  }

  /** Makes the first call. Passes it to the store before it returns. */
  begin (call: Call): Promise<void> {
    this.#startTimer()
    return this.#track(this.#repeat(call, 'open'))
  }

  /** Makes a call after the earlier ones. @throws StreamEnded after `end` and `stop` */
  add (call: Call): Promise<void> {
    return this.#track(this.#last.then(async () => {
      if (this.#state !== 'open') throw new StreamEnded()
      await this.#repeat(call, 'open')
    }))
  }

  /** Makes the last call, when the call under way has settled. Those that wait for it, or to be repeated, are not made any more. */
  async end (call: Call): Promise<void> {
    this.#state = 'ending'
    this.#stopWaiting()
    await this.#last
    try {
      await this.#repeat(call, 'ending')
    } finally {
      this.stop()
    }
  }

  /** Makes no further calls. Idempotent. */
  stop (): void {
    this.#state = 'stopped'
    this.#stopWaiting()
    this.#stopTimer()
  }

  #track (call: Promise<void>): Promise<void> {
    this.#pending++
    this.#last = call.then(() => { this.#pending-- }, () => { this.#pending-- })
    return call
  }

  /** Makes a call, and repeats it while the state stays the same. */
  async #repeat (call: Call, state: 'open' | 'ending'): Promise<void> {
    const mayRepeat = () => this.#passed < INTERVALS && this.#state === state
    for (let ms = FIRST_WAIT; ; ms = Math.min(2 * ms, LONGEST_WAIT)) {
      try {
        await call()
        this.#startTimer()
        return
      } catch (error) {
        if (!isRetryable(error) || !mayRepeat()) throw error
        await this.#waitFor(ms)
        if (!mayRepeat()) throw error
      }
    }
  }

  async #waitFor (ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#wait(ms, resolve)
      this.#stopWaiting = () => {
        cancel()
        resolve()
      }
    })
  }

  /** Called when the lease begins anew. */
  #startTimer (): void {
    this.#passed = 0
    this.#stopTimer()
    if (this.#state !== 'stopped') this.#stopTimer = this.#after(this.#lease / INTERVALS, this.#pass)
  }

  /** Called at the end of each interval. */
  readonly #pass = () => {
    if (++this.#passed === INTERVALS) {
      this.#stopWaiting()
      return
    }
    this.#stopTimer = this.#after(this.#lease / INTERVALS, this.#pass)
    if (this.#pending === 0 && this.#state === 'open') this.#idle()
  }
}

function isRetryable (error: unknown): boolean {
  const meaning = meaningOf(error)
  return meaning?.kind === 'failure' && meaning.retryable === true
}

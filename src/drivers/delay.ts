/** Calls a function after a delay in ms. Returns a function that cancels the call. */
export type Delay = (ms: number, run: () => void) => () => void

/** Starts a timer that doesn't keep the process alive. */
export const delay: Delay = (ms, run) => {
  const timeout = setTimeout(run, ms).unref()
  return () => clearTimeout(timeout)
}

/** The calls of delays that share a timer, and a function that cancels it. */
interface Shared { readonly calls: Set<() => void>, readonly cancel: () => void }

/** Delays of one length. Those that begin at nearly the same time share a timer, because each timer wakes the process. */
export class SharedDelay {
  readonly #ms: number
  readonly #window: number
  readonly #after: Delay
  /** For the delays that begin now. */
  #open: Shared | undefined

  /** @param window ms during which delays share a timer. A delay may be shorter by as much */
  constructor (ms: number, window: number, after: Delay) {
    this.#ms = ms
    this.#window = window
    this.#after = after
  }

  /** Calls a function after the delay. Returns a function that cancels the call. */
  start (run: () => void): () => void {
    const shared = this.#open ??= this.#begin()
    shared.calls.add(run)
    return () => {
      if (!shared.calls.delete(run) || shared.calls.size > 0) return
      shared.cancel()
      if (this.#open === shared) this.#open = undefined
    }
  }

  #begin (): Shared {
    const calls = new Set<() => void>()
    const closing = this.#after(this.#window, () => { this.#open = undefined })
    const running = this.#after(this.#ms, () => {
      for (const run of calls) {
        calls.delete(run)
        run()
      }
    })
    return {
      calls,
      cancel () {
        closing()
        running()
      }
    }
  }
}

/** Calls a function after a delay in ms. Returns a function that cancels the call. */
export type Delay = (ms: number, run: () => void) => () => void

/** Starts a timer that doesn't keep the process alive. */
export const delay: Delay = (ms, run) => {
  const timeout = setTimeout(run, ms).unref()
  return () => clearTimeout(timeout)
}

/** Maximum delay of a timer in ms. A timer with a longer delay fires immediately. */
export const LONGEST_TIMER = 2 ** 31 - 1

/** Starts a timer that doesn't keep a Node process alive. */
export function idleTimer (run: () => void, ms: number): ReturnType<typeof setTimeout> {
  const timer = setTimeout(run, Math.min(ms, LONGEST_TIMER))
  // In browsers, a timer is a number.
  if (typeof timer === 'object') (timer as { unref (): void }).unref()
  return timer
}

/** The longest that one timer can wait, in ms: a longer one would fire at once. */
export const LONGEST_TIMER = 2 ** 31 - 1

/** A timer that is no reason for a Node process to go on. */
export function idleTimer (run: () => void, ms: number): ReturnType<typeof setTimeout> {
  const timer = setTimeout(run, Math.min(ms, LONGEST_TIMER))
  // A browser's is a number.
  if (typeof timer === 'object') timer.unref()
  return timer
}

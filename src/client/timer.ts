import { LONGEST_TIMER } from './bounds.ts'

/** Starts a timer that doesn't keep a Node process alive. */
export function idleTimer (run: () => void, ms: number): ReturnType<typeof setTimeout> {
  const timer = setTimeout(run, Math.min(ms, LONGEST_TIMER))
  // In browsers, a timer is a number.
  if (typeof timer === 'object') (timer as { unref (): void }).unref()
  return timer
}

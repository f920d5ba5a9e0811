import { LONGEST_TIMER, MAX_DOUBLINGS } from './bounds.ts'

export type Backoff = ReturnType<typeof backoff>

/**
 * Returns an exponential backoff with full jitter: each wait is random between 0 and a ceiling that doubles from `min` to `max`.
 * @param min ms
 * @param max ms
 */
export function backoff (min: number, max: number) {
  let attempts = 0
  return {
    /**
     * Returns the ms to wait before the next attempt.
     * @param requested ms that the server requested. It sends the same number to all its clients, so the random part is at least
     * as long, to spread their attempts. A value that isn't finite counts as 0
     */
    next (requested = 0): number {
      const ceiling = Math.min(max, min * 2 ** Math.min(attempts++, MAX_DOUBLINGS))
      const floor = Number.isFinite(requested) ? Math.max(0, requested) : 0
      return Math.min(LONGEST_TIMER, Math.round(floor + Math.random() * Math.max(ceiling, floor)))
    },
    reset (): void { attempts = 0 }
  }
}

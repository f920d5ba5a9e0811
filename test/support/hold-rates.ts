import type { Test } from 'tap'

/** Stops the clock of the rate limits for the test: a refused request stays refused. */
export function holdRates (t: Test): void {
  const now = performance.now()
  t.intercept(performance, 'now', { value: () => now })
}

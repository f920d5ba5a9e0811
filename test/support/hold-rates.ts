import type { Test } from 'tap'

/** Stops the clock of the rate limits for the test: no request that is refused is accepted later. */
export function holdRates (t: Test): void {
  const now = performance.now()
  t.intercept(performance, 'now', { value: () => now })
}

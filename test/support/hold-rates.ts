import type { Test } from 'tap'

/**
 * Stops the clock of the rate limits for the test, so that a refused request is accepted only after the clock was
 * advanced. Returns a function that advances it by ms.
 */
export function holdRates (t: Test): (ms: number) => void {
  let now = performance.now()
  t.intercept(performance, 'now', { value: () => now })
  return (ms) => { now += ms }
}

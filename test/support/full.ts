/** Whether tests run in full, as `npm run test:faults` runs them. */
export const isFull = process.env['FULL_TESTS'] === '1'

/** Returns the size of a load, or the cases, of a test: a few, unless tests run in full. */
export const full = <T>(inFull: T, few: T): T => isFull ? inFull : few

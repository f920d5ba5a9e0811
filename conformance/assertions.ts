import { isDeepStrictEqual, inspect } from 'node:util'

/** The server does not meet a requirement. */
export class Violation extends Error {}

/** @param what a description of the compared value @throws Violation unless the values are deeply equal */
export function equal (actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return
  throw new Violation(`${what}: expected ${show(expected)}, received ${show(actual)}`)
}

/** @param violation the message of the error @throws Violation unless the condition is true */
export function ok (condition: boolean, violation: string): asserts condition {
  if (!condition) throw new Violation(violation)
}

/** Returns the value as one line of at most 300 characters. */
export function show (value: unknown): string {
  const text = inspect(value, { breakLength: Infinity, depth: 4 })
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}

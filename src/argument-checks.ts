import { isObject } from './checks.ts'
import { InvalidArgument } from './errors.ts'
import { unknownProperty } from './unknown-name.ts'

/** Maximum bytes of a reason, which is sent in a close frame. RFC 6455, section 5.5. */
const MAX_REASON = 123

/** Returns the error for a property of a wrong type or value. */
export type PropertyError = (property: string, problem: string) => Error

/** Returns a function that makes the errors for the properties of an argument. */
export function propertyErrors (name: string): PropertyError {
  return (property, problem) => new InvalidArgument(`${name}.${property}`, problem)
}

/** @throws InvalidArgument if the value isn't an object, or has an unknown property */
export function assertProperties (name: string, value: unknown, known: readonly string[]): void {
  if (!isObject(value)) throw new InvalidArgument(name, `must be an object with ${known.join(', ')}`)
  const unknown = unknownProperty(value, known, `${name}.`)
  if (unknown !== undefined) throw propertyErrors(name)(unknown.name, unknown.problem)
}

/** @throws InvalidArgument */
export function assertText (name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '') throw new InvalidArgument(name, 'must be a non-empty string')
}

/** @throws InvalidArgument */
export function assertFunction (name: string, value: unknown): void {
  if (typeof value !== 'function') throw new InvalidArgument(name, 'must be a function')
}

/** Rejects values that can't be a position. Only the store knows whether the entry is kept. @throws InvalidArgument */
export function assertPosition (name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '') throw new InvalidArgument(name, 'must be a position: a non-empty string')
}

/** @throws InvalidArgument */
export function assertReason (name: string, value: unknown): asserts value is string {
  if (typeof value === 'string' && value.isWellFormed() && Buffer.byteLength(value) <= MAX_REASON) return
  throw new InvalidArgument(name, `must be a string of at most ${MAX_REASON} bytes of UTF-8, without lone surrogates`)
}

/** @param least ms @throws InvalidArgument for a value that isn't a duration, such as NaN */
export function assertDuration (name: string, value: unknown, least: number): asserts value is number {
  if (typeof value === 'number' && value >= least) return
  throw new InvalidArgument(name, `must be a number of ms, at least ${least}, or Infinity`)
}

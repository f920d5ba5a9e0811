import { InvalidArgument } from './errors.ts'

/** Bytes of a reason, for it is sent in a close frame. RFC 6455, section 5.5. */
const MAX_REASON = 123

/** Returns the error for a property of a wrong type or value; takes its name and what is wrong with it. */
export type PropertyError = (property: string, problem: string) => Error

/** Returns errors for the properties of an argument. */
export function propertyErrors (name: string): PropertyError {
  return (property, problem) => new InvalidArgument(`${name}.${property}`, problem)
}

/** @throws InvalidArgument when it isn't an object, or has a property that isn't among the known ones */
export function assertProperties (name: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidArgument(name, `must be an object with ${known.join(', ')}`)
  }
  const unknown = Object.keys(value).find((property) => !known.includes(property))
  if (unknown !== undefined) throw new InvalidArgument(`${name}.${unknown}`, `does not exist; there are ${known.join(', ')}`)
}

/** @throws InvalidArgument */
export function assertFunction (name: string, value: unknown): void {
  if (typeof value !== 'function') throw new InvalidArgument(name, 'must be a function')
}

/** Rejects what can't name an entry; an entry that isn't kept is the store's matter. @throws InvalidArgument */
export function assertPosition (name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '') throw new InvalidArgument(name, 'must be a position: a string that is not empty')
}

/** @throws InvalidArgument */
export function assertReason (name: string, value: unknown): asserts value is string {
  // Without the flag u a lone surrogate would pass.
  if (typeof value === 'string' && !/\p{Cs}/u.test(value) && Buffer.byteLength(value) <= MAX_REASON) return
  throw new InvalidArgument(name, `must be a string of at most ${MAX_REASON} bytes of UTF-8, without lone surrogates`)
}

/** @param least ms @throws InvalidArgument for what is no duration, NaN among it */
export function assertDuration (name: string, value: unknown, least: number): asserts value is number {
  if (typeof value === 'number' && value >= least) return
  throw new InvalidArgument(name, least === 0 ? 'must be 0 or more ms, or Infinity' : `must be ${least} ms or more, or Infinity`)
}

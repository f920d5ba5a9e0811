import { InvalidOption } from './errors.ts'
import { unknownProperty } from './unknown-name.ts'

/** A rule for one option. mustBe: the text after "must be" in the error. */
export interface Check { readonly mustBe: string, readonly passes: (value: unknown) => boolean }

/** A rule for each known option. */
export type Checks<T> = { readonly [K in keyof T]-?: Check }

/** Returns whether the value is an object and not an array. */
export function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const limit: Check = {
  mustBe: 'a positive integer or Infinity',
  passes: (value) => value === Infinity || (Number.isSafeInteger(value) && Number(value) >= 1)
}

/** @param unit follows "an integer" in the error */
export const integer = (least: number, most: number, unit = ''): Check => ({
  mustBe: `an integer${unit} from ${least} to ${most}`,
  passes: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most
})

/** Returns a rule for a time in ms. The default maximum is that of a timer. */
export const milliseconds = (least: number, most = 2 ** 31 - 1): Check => integer(least, most, ' number of ms')

/** Returns a rule for a ttl of a backend, in ms. */
export const ttl = (least: number): Check => ({
  mustBe: `an integer number of ms, at least ${least}`,
  passes: (value) => Number.isSafeInteger(value) && Number(value) >= least
})

/**
 * Checks options. An undefined option counts as absent.
 * @param path prefix of the names in the error
 * @throws InvalidOption naming the first option that is unknown or of a wrong type or value
 */
export function check (given: object = {}, checks: Readonly<Record<string, Check>>, path = ''): void {
  const unknown = unknownProperty(given, Object.keys(checks), path)
  if (unknown !== undefined) throw new InvalidOption(path + unknown.name, unknown.problem)
  for (const [name, value] of Object.entries(given)) {
    const rule = checks[name]!
    if (value !== undefined && !rule.passes(value)) throw new InvalidOption(path + name, `must be ${rule.mustBe}`)
  }
}

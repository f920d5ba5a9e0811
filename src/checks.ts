import { InvalidOption } from './errors.ts'

/** A rule for one option. mustBe: for the error, after "must be". */
export interface Check { readonly mustBe: string, readonly passes: (value: unknown) => boolean }

/** A rule for each option that exists. */
export type Checks<T> = { readonly [K in keyof T]-?: Check }

export const limit: Check = {
  mustBe: 'a whole number from 1 on, or Infinity',
  passes: (value) => value === Infinity || (Number.isSafeInteger(value) && Number(value) >= 1)
}

/** What a timer takes. */
export const milliseconds = (least: number): Check => ({
  mustBe: `a whole number of ms, from ${least} to 2147483647`,
  passes: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) < 2 ** 31
})

/** ms that a backend keeps something. */
export const ttl = (least: number): Check => ({
  mustBe: `a whole number of ms, from ${least} on`,
  passes: (value) => Number.isSafeInteger(value) && Number(value) >= least
})

/**
 * Checks options; undefined counts as absent.
 * @param path before the name of each, for the error
 * @throws InvalidOption naming the first option that is unknown or of a wrong type or value
 */
export function check (given: object = {}, checks: Readonly<Record<string, Check>>, path = ''): void {
  for (const [name, value] of Object.entries(given)) {
    const wanted = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (wanted === undefined) {
      throw new InvalidOption(path + name, `does not exist; there are ${Object.keys(checks).join(', ')}`)
    }
    if (value !== undefined && !wanted.passes(value)) throw new InvalidOption(path + name, `must be ${wanted.mustBe}`)
  }
}

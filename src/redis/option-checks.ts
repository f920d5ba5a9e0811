import { InvalidOption } from '../errors.ts'

export interface Check { readonly mustBe: string, readonly passes: (value: unknown) => boolean }

export const limit: Check = {
  mustBe: 'a whole number from 1 on, or Infinity',
  passes: (value) => value === Infinity || (Number.isSafeInteger(value) && Number(value) >= 1)
}

/** What a timer takes. */
export const milliseconds = (least: number): Check => ({
  mustBe: `a whole number of ms, from ${least} to 2147483647`,
  passes: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) < 2 ** 31
})

/** ms that Redis keeps something. */
export const ttl = (least: number): Check => ({
  mustBe: `a whole number of ms, from ${least} on`,
  passes: (value) => Number.isSafeInteger(value) && Number(value) >= least
})

/** @throws InvalidOption naming the first option that is unknown or of a wrong type or value */
export function checkOptions (given: object, checks: Readonly<Record<string, Check>>): void {
  for (const [name, value] of Object.entries(given)) {
    const wanted = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (wanted === undefined) throw new InvalidOption(name, 'does not exist')
    if (value !== undefined && !wanted.passes(value)) throw new InvalidOption(name, `must be ${wanted.mustBe}`)
  }
}

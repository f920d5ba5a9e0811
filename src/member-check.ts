import { addressOf } from './addresses.ts'
import { InvalidMember } from './errors.ts'
import { normalizeName } from './protocol.ts'
import type { Identity } from './store/store.ts'

/** Characters (UTF-16 code units) of a member's id. */
const MAX_ID = 128

/** Code points of a name that are looked at for what is wrong with it. */
const LOOKED_AT = 128

/** Control characters, line and paragraph separators, lone surrogates. */
const unfit = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u

/** Returns what a name must be that `normalizeName` rejects. Its length is the fault where each character alone is valid. */
export function nameRule (given: string): string {
  const shown = [...given.trim()].slice(0, LOOKED_AT).every((character) => normalizeName(`x${character}x`) !== undefined)
  return shown
    ? 'must be 1 to 32 characters once normalised'
    : 'must be without control, bidirectional, zero-width, filler and private-use characters, variation selectors and line breaks'
}

/**
 * Returns a member as the app names it, its name normalised by the rules that hold for clients.
 * @param name empty for none
 * @throws InvalidMember naming the property and its rule
 */
export function checkMember (id: unknown, name: unknown): Identity {
  if (typeof id !== 'string' || id === '') throw new InvalidMember('id', 'must be a string that is not empty')
  if (id.length > MAX_ID) throw new InvalidMember('id', `must be at most ${MAX_ID} characters`)
  if (unfit.test(id)) throw new InvalidMember('id', 'must be without control characters, line breaks and lone surrogates')
  if (addressOf(id) !== undefined) throw new InvalidMember('id', "must not begin with 'address:'")
  return { id, name: checkName(name) }
}

function checkName (given: unknown): string {
  if (given === '') return ''
  if (typeof given !== 'string') throw new InvalidMember('name', 'must be a string')
  const name = normalizeName(given)
  if (name === undefined) throw new InvalidMember('name', nameRule(given))
  return name
}

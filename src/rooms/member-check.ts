import { addressOf } from '../connection/address.ts'
import type { PropertyError } from '../argument-checks.ts'
import { normalizeName } from '../protocol.ts'
import type { Member } from '../store.ts'

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

/** Returns what is wrong with a member's id; undefined for a valid one. */
export function idProblem (id: unknown): string | undefined {
  if (typeof id !== 'string' || id === '') return 'must be a string that is not empty'
  if (id.length > MAX_ID) return `must be at most ${MAX_ID} characters`
  if (unfit.test(id)) return 'must be without control characters, line breaks and lone surrogates'
  return addressOf(id) === undefined ? undefined : "must not begin with 'address:'"
}

/**
 * Returns a member as the app names it, its name normalised by the rules that hold for clients.
 * @param name empty for none
 * @param fault makes the error that is thrown for a wrong id or name
 */
export function checkMember (id: unknown, name: unknown, fault: PropertyError): Member {
  const problem = idProblem(id)
  if (problem !== undefined) throw fault('id', problem)
  return { id: id as string, name: checkName(name, fault) }
}

function checkName (given: unknown, fault: PropertyError): string {
  if (given === '') return ''
  if (typeof given !== 'string') throw fault('name', 'must be a string')
  const name = normalizeName(given)
  if (name === undefined) throw fault('name', nameRule(given))
  return name
}

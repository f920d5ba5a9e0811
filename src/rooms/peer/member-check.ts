import { addressOf } from '../../connection/address.ts'
import type { PropertyError } from '../../argument-checks.ts'
import { jsonOf } from '../../content.ts'
import { checkName } from '../../member-name.ts'
import type { Member } from '../../store.ts'

/** Characters (UTF-16 code units) of a member's id. */
const MAX_ID = 128

/** Bytes of a member's data as JSON. Each room that lists the member sends it to its members. */
const MAX_DATA = 1_024

/** Control characters, line and paragraph separators, lone surrogates. */
const invalid = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u

/** Returns the rule that a member's id breaks; undefined for a valid id. */
export function idProblem (id: unknown): string | undefined {
  if (typeof id !== 'string' || id === '') return 'must be a non-empty string'
  if (id.length > MAX_ID) return `must be at most ${MAX_ID} characters`
  if (invalid.test(id)) return 'must not contain control characters, line breaks or lone surrogates'
  return addressOf(id) === undefined ? undefined : "must not begin with 'address:'"
}

/**
 * Returns the member that the app named, with its name normalised by the rules for clients.
 * @param name empty for none
 * @param fault makes the error that is thrown for a wrong id or name
 */
export function checkMember (id: unknown, name: unknown, fault: PropertyError): Member {
  const problem = idProblem(id)
  if (problem !== undefined) throw fault('id', problem)
  return { id: id as string, name: normalizedName(name, fault) }
}

/**
 * Returns the JSON text of the data that the app gave a member; undefined for none.
 * @param fault makes the error that is thrown for data that isn't serializable, or too large
 */
export function checkMemberData (data: unknown, fault: PropertyError): string | undefined {
  if (data === undefined || data === null) return undefined
  const json = jsonOf(data, fault)
  const bytes = Buffer.byteLength(json)
  if (bytes > MAX_DATA) throw fault('data', `has ${bytes} bytes as JSON; the limit is ${MAX_DATA}`)
  return json
}

function normalizedName (given: unknown, fault: PropertyError): string {
  if (given === '') return ''
  if (typeof given !== 'string') throw fault('name', 'must be a string')
  const { name, problem } = checkName(given)
  if (problem !== undefined) throw fault('name', problem)
  return name
}

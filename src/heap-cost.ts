import type { Entry, Member } from './store.ts'

/*
 * Bytes that V8 takes for what clients make it keep, as seen with --expose-gc on Node 20 to 26; never less. A string has a
 * header of 16 bytes, and its length is rounded up to 8.
 */

/** Of a string's header, and what rounds its length up. */
const STRING = 24
/** Of a typed array, its buffer, and what Node and malloc need for both outside of the heap. */
const BYTES = 320
/** Of an object with two properties. */
const IDENTITY = 40
/** Of an entry: the object, its time, and its position with what that is made of. */
const ENTRY = 288

/** One character above U+00FF makes all of a string take two bytes a character. */
const wide = /[^\0-\xff]/

/** Returns the cost of a string that is no slice of another. */
export function stringCost (text: string): number {
  return STRING + (wide.test(text) ? 2 * text.length : text.length)
}

/** Returns the cost of a text, or of bytes in a buffer of their own. */
export function bodyCost (body: string | Uint8Array): number {
  return typeof body === 'string' ? stringCost(body) : BYTES + body.byteLength
}

/** Returns the cost of a sender that no other entry shares. */
export function identityCost (identity: Member | null): number {
  return identity === null ? 0 : IDENTITY + stringCost(identity.id) + stringCost(identity.name)
}

/** Returns what an entry on its way to members costs at most: as if all its strings took two bytes a character. */
export function entryCost ({ body, data = '', from }: Entry): number {
  const content = typeof body === 'string' ? 2 * body.length : BYTES + body.byteLength
  const who = from === null ? 0 : IDENTITY + 2 * (STRING + from.id.length + from.name.length)
  return ENTRY + STRING + content + STRING + 2 * data.length + who
}

import type { Draft, Member } from './store.ts'

/*
 * Bytes of memory of the data that clients store, measured with --expose-gc on Node 20 to 26 and rounded up. A string has a
 * header of 16 bytes, and its length is rounded up to a multiple of 8.
 */

/** Bytes of a string's header, and of the rounding of its length. */
const STRING = 24
/** Bytes of a typed array and its buffer, including the overhead of Node and malloc outside the heap. */
const BYTES = 320
/** Bytes of an object with two properties. */
const MEMBER = 40
/** Bytes of an entry: the object, its time, and its position with the strings that it is joined from. */
const ENTRY = 288

/** Matches a character above U+00FF. A string with one takes two bytes for every character. */
const wide = /[^\0-\xff]/

/** Returns the cost of a string that isn't a slice of another one. */
export function stringCost (text: string): number {
  return STRING + (wide.test(text) ? 2 * text.length : text.length)
}

/** Returns the cost of a text, or of bytes in a buffer of their own. */
export function bodyCost (body: string | Uint8Array): number {
  return typeof body === 'string' ? stringCost(body) : BYTES + body.byteLength
}

/** Returns the cost of a sender that no other entry shares. */
export function memberCost (member: Member | null): number {
  return member === null ? 0 : MEMBER + stringCost(member.id) + stringCost(member.name)
}

/** Returns the maximum cost of an entry that waits for delivery: two bytes for every character. */
export function entryCost ({ body, data = '', from }: Pick<Draft, 'body' | 'data' | 'from'>): number {
  const content = typeof body === 'string' ? 2 * body.length : BYTES + body.byteLength
  const sender = from === null ? 0 : MEMBER + 2 * (STRING + from.id.length + from.name.length)
  return ENTRY + STRING + content + STRING + 2 * data.length + sender
}

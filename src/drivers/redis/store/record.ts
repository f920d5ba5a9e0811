import { formatPosition, parsePosition } from '../../position.ts'
import type { Draft, Entry, Member, Cursor, Position } from '../../../store.ts'

/** What is stored and published of an entry, as JSON; bytes in base64, in an array of their own; data as JSON text. */
export type Content = [from: 0 | [id: string, name: string], body: string | [base64: string], data?: string]

/** A place in a life of a room, in numbers. */
export interface Place { readonly tag: string, readonly at: number, readonly n: number }

/** Identities remembered. */
const SPEAKERS = 10_000

/** Who spoke of late, by id: one object for all that a member says, so that what is made of it is made once. */
const speakers = new Map<string, Member>()

/** @throws TypeError for what can't be stored */
export function encode ({ from, body, data }: Draft): { readonly content: string, readonly size: number } {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw new TypeError('a body is a string or bytes')
  const text = typeof body === 'string' ? JSON.stringify(body) : `["${bytesOf(body).toString('base64')}"]`
  const who = from === null ? '0' : JSON.stringify([from.id, from.name])
  return {
    content: data === undefined ? `[${who},${text}]` : `[${who},${text},${JSON.stringify(data)}]`,
    size: (typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength) + (from?.name.length ?? 0) + (data === undefined ? 0 : Buffer.byteLength(data))
  }
}

export function entryOf ([who, said, data]: Content, { tag, at, n }: Place): Entry {
  const position = formatPosition(tag, at, n)
  const from = who === 0 ? null : identityOf(who[0], who[1])
  const body = typeof said === 'string' ? said : Buffer.from(said[0], 'base64')
  return data === undefined ? { n, position, at, from, body } : { n, position, at, from, body, data }
}

export function markOf ({ tag, at, n }: Place): Cursor { return { n, position: formatPosition(tag, at, n) } }

/** undefined for what was never given as a position. */
export function placeOf (position: Position): Place | undefined {
  const parts = parsePosition(position)
  return parts && { tag: parts.epoch, at: parts.at, n: parts.offset }
}

function identityOf (id: string, name: string): Member {
  let known = speakers.get(id)
  if (known === undefined || known.name !== name) {
    if (speakers.size === SPEAKERS) speakers.clear()
    // The app is given it too.
    known = Object.freeze({ id, name })
    speakers.set(id, known)
  }
  return known
}

function bytesOf (body: Uint8Array): Buffer { return Buffer.from(body.buffer, body.byteOffset, body.byteLength) }

import { formatPosition, parsePosition } from '../../position.ts'
import type { Draft, Entry, Member, Cursor, Position } from '../../../store.ts'

/** An entry as stored and published, in JSON. Bytes are base64 in an array; data is JSON text. */
export type Content = [from: 0 | [id: string, name: string], body: string | [base64: string], data?: string]

/** A parsed position. tag: epoch. at: time in ms. n: offset. */
export interface Place { readonly tag: string, readonly at: number, readonly n: number }

/** Maximum number of cached members. */
const MAX_CACHED_MEMBERS = 10_000

/** Recent senders by id. Entries of a sender share one object, so that values derived from it are computed once. */
const cachedMembers = new Map<string, Member>()

/** Returns a draft's content and its size in bytes. @throws TypeError if the body can't be stored */
export function encode ({ from, body, data }: Draft): { readonly content: string, readonly size: number } {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw new TypeError('a body is a string or bytes')
  const text = typeof body === 'string' ? JSON.stringify(body) : `["${bytesOf(body).toString('base64')}"]`
  const sender = from === null ? '0' : JSON.stringify([from.id, from.name])
  return {
    content: data === undefined ? `[${sender},${text}]` : `[${sender},${text},${JSON.stringify(data)}]`,
    size: (typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength) + (from?.name.length ?? 0) + (data === undefined ? 0 : Buffer.byteLength(data))
  }
}

export function entryOf ([sender, storedBody, data]: Content, { tag, at, n }: Place): Entry {
  const position = formatPosition(tag, at, n)
  const from = sender === 0 ? null : identityOf(sender[0], sender[1])
  const body = typeof storedBody === 'string' ? storedBody : Buffer.from(storedBody[0], 'base64')
  return data === undefined ? { offset: n, position, at, from, body } : { offset: n, position, at, from, body, data }
}

export function markOf ({ tag, at, n }: Place): Cursor { return { offset: n, position: formatPosition(tag, at, n) } }

/** Parses a position. Returns undefined for any other string. */
export function placeOf (position: Position): Place | undefined {
  const parts = parsePosition(position)
  return parts && { tag: parts.epoch, at: parts.at, n: parts.offset }
}

function identityOf (id: string, name: string): Member {
  let known = cachedMembers.get(id)
  if (known === undefined || known.name !== name) {
    if (cachedMembers.size === MAX_CACHED_MEMBERS) cachedMembers.clear()
    // The app receives the object too.
    known = Object.freeze({ id, name })
    cachedMembers.set(id, known)
  }
  return known
}

function bytesOf (body: Uint8Array): Buffer { return Buffer.from(body.buffer, body.byteOffset, body.byteLength) }

import type { Draft, Entry, Mark, Position } from './store.ts'

/** What is stored and published of an entry, as JSON; bytes in base64, in an array of their own. */
export type Content = [from: 0 | [id: string, name: string], body: string | [base64: string], data?: unknown]

/** A place in a life of a room, in numbers. */
export interface Place { readonly tag: string, readonly at: number, readonly n: number }

/** @throws TypeError for what can't be stored */
export function encode ({ from, body, data }: Draft): { readonly content: string, readonly size: number } {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw new TypeError('a body is a string or bytes')
  const json = data === undefined ? undefined : JSON.stringify(data)
  const text = typeof body === 'string' ? JSON.stringify(body) : `["${bytesOf(body).toString('base64')}"]`
  const who = from === null ? '0' : JSON.stringify([from.id, from.name])
  return {
    content: json === undefined ? `[${who},${text}]` : `[${who},${text},${json}]`,
    size: (typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength) + (from?.name.length ?? 0) + (json?.length ?? 0)
  }
}

export function entryOf (content: Content, { tag, at, n }: Place): Entry {
  const [from, body, data] = content
  const entry = {
    n,
    position: `${tag}-${at}-${n}`,
    at,
    from: from === 0 ? null : { id: from[0], name: from[1] },
    body: typeof body === 'string' ? body : Buffer.from(body[0], 'base64')
  }
  return content.length === 3 ? { ...entry, data } : entry
}

export function markOf ({ tag, at, n }: Place): Mark { return { n, position: `${tag}-${at}-${n}` } }

/** undefined for what was never given as a position. */
export function placeOf (position: Position): Place | undefined {
  const [, tag, at, n] = /^([\w.]{1,32})-(0|[1-9]\d{0,15})-(0|[1-9]\d{0,15})$/.exec(position) ?? []
  return tag === undefined ? undefined : { tag, at: Number(at), n: Number(n) }
}

function bytesOf (body: Uint8Array): Buffer { return Buffer.from(body.buffer, body.byteOffset, body.byteLength) }

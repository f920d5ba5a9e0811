import { formatPosition, type PositionParts } from '../../position.ts'
import { formatRevision } from '../../revision.ts'
import type { Head } from '../../../change.ts'
import type { Cursor, Draft, Entry, Member } from '../../../store.ts'

/** An entry as stored and published, in JSON. Bytes are base64 in an array; data is JSON text. */
export type Content = [from: 0 | [id: string, name: string], body: string | [base64: string], data?: string]

/** Maximum number of cached members. */
const MAX_CACHED_MEMBERS = 10_000

/** Recent senders by id. Entries of a sender share one object, so that values derived from it are computed once. */
const cachedMembers = new Map<string, Member>()

/** Returns a draft's content and its size in bytes. @throws TypeError if the body can't be stored */
export function encode ({ from, body, data }: Draft): { readonly content: string, readonly size: number } {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw new TypeError('a body must be a string or bytes')
  const text = typeof body === 'string' ? JSON.stringify(body) : `["${bytesOf(body).toString('base64')}"]`
  const sender = from === null ? '0' : JSON.stringify([from.id, from.name])
  return {
    content: data === undefined ? `[${sender},${text}]` : `[${sender},${text},${JSON.stringify(data)}]`,
    size: (typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength) +
      (from?.name.length ?? 0) + (data === undefined ? 0 : Buffer.byteLength(data))
  }
}

/** Returns the entry at a position. */
export function decode ([sender, storedBody, data]: Content, { epoch, at, offset }: PositionParts): Entry {
  const position = formatPosition(epoch, at, offset)
  const from = sender === 0 ? null : memberOf(sender[0], sender[1])
  const body = typeof storedBody === 'string' ? storedBody : Buffer.from(storedBody[0], 'base64')
  return data === undefined ? { offset, position, at, from, body } : { offset, position, at, from, body, data }
}

export function cursorOf ({ epoch, at, offset }: PositionParts): Cursor {
  return { offset, position: formatPosition(epoch, at, offset) }
}

/** Returns the head of a room whose newest entry has a position. */
export function headOf (position: PositionParts): Head {
  return { ...cursorOf(position), change: { number: 0, revision: formatRevision(position.epoch, 0, 0) } }
}

/** Returns the cursor of a post that Redis remembers as `<offset> <time>`; more text may follow. */
export function cursorOfPost (epoch: string, post: string): Cursor {
  const [offset, at] = post.split(' ')
  return cursorOf({ epoch, at: Number(at), offset: Number(offset) })
}

function memberOf (id: string, name: string): Member {
  let member = cachedMembers.get(id)
  if (member === undefined || member.name !== name) {
    if (cachedMembers.size === MAX_CACHED_MEMBERS) cachedMembers.clear()
    // The app receives the object too.
    member = Object.freeze({ id, name })
    cachedMembers.set(id, member)
  }
  return member
}

function bytesOf (body: Uint8Array): Buffer { return Buffer.from(body.buffer, body.byteOffset, body.byteLength) }

import { withState } from '../../entry-state.ts'
import { formatPosition, type PositionParts } from '../../position.ts'
import { formatRevision, parseRevision, type RevisionParts } from '../../revision.ts'
import type { ChangeCursor, Changed } from '../../../change.ts'
import type { Cursor, Draft, Entry, Member } from '../../../store.ts'

/** An entry as stored and published, in JSON. Bytes are base64 in an array; data is JSON text. */
export type Content = [from: 0 | [id: string, name: string], body: string | [base64: string], data?: string]

/** The state of an entry as the scripts return it: 0 if the entry never changed. `content`: empty if it wasn't edited. */
export type State = 0 | [
  number: number, at: number, flags: number, editedAt: number, storedAt: number, size: number, charge: number,
  content: [] | [body: string, data?: string], reactions: Array<[reaction: string, count: number]>, mine: string[]
]

/** A change as published. `storedAt`: time of the entry. */
export type ChangeRecord = [offset: number, storedAt: number, by: string | null, ...made:
  | ['edit', body: string, data?: string]
  | ['delete']
  | ['react' | 'unreact', reaction: string, count: number]
]

/** Maximum number of cached members. */
const MAX_CACHED_MEMBERS = 10_000

/** Recent senders by id. Entries of a sender share one object, so that values derived from it are computed once. */
const cachedMembers = new Map<string, Member>()

/** Returns the content of an edit without the author, as the scripts store it, and its size in bytes. */
export function encodeEdit ({ body, data }: { readonly body: string, readonly data?: string | undefined }): { readonly content: string, readonly size: number } {
  const text = JSON.stringify(body)
  return data === undefined
    ? { content: text, size: Buffer.byteLength(body) }
    : { content: `${text},${JSON.stringify(data)}`, size: Buffer.byteLength(body) + Buffer.byteLength(data) }
}

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

/** Returns an entry with the content and the properties that its state adds. */
export function withStoredState (entry: Entry, state: State, epoch: string): Entry {
  if (state === 0) return entry
  const [number, at, flags, editedAt, , , , [edited, data], reactions, mine] = state
  const isDeleted = flags !== 0
  const body = isDeleted ? '' : edited
  const { offset, position, at: storedAt, from } = entry
  const changed = body === undefined ? entry : { offset, position, at: storedAt, from, body, ...data !== undefined && { data } }
  // The script was given the member whose reactions are `mine`.
  const list = () => reactions.map(([reaction, count]) => mine.includes(reaction) ? { reaction, count, mine: true as const } : { reaction, count })
  const readable = { isDeleted, reactions: reactions.length === 0 ? undefined : { list } }
  return withState(changed, readable, formatRevision(epoch, at, number), editedAt === 0 ? undefined : editedAt, undefined)
}

/** Returns a published change. */
export function decodeChange ([offset, storedAt, by, ...made]: ChangeRecord, parts: RevisionParts): Changed {
  const { epoch, at } = parts
  const record = { offset, position: formatPosition(epoch, storedAt, offset), change: changeOf(parts), at }
  switch (made[0]) {
    case 'edit': {
      const [, body, data] = made
      return { ...record, by, made: { edit: data === undefined ? { body } : { body, data } } }
    }
    case 'delete': return { ...record, by, made: { delete: true } }
    case 'react':
    case 'unreact': {
      const [kind, reaction, count] = made
      return { ...record, by: by!, made: { react: reaction, on: kind === 'react' }, count }
    }
  }
}

/** Returns the record of an entry that changed, of which only the state is known. */
export function changedEntry (entry: Entry): Changed {
  const { offset, position, revision = '' } = entry
  const { number, at } = parseRevision(revision)!
  return { offset, position, change: { number, revision }, at, entry }
}

export function changeOf ({ epoch, at, number }: RevisionParts): ChangeCursor {
  return { number, revision: formatRevision(epoch, at, number) }
}

export function cursorOf ({ epoch, at, offset }: PositionParts): Cursor {
  return { offset, position: formatPosition(epoch, at, offset) }
}

/** Returns the cursor of a post that Redis remembers as `<offset> <time>`; more text may follow. */
export function cursorOfPost (epoch: string, post: string): Cursor {
  const [offset, at] = post.split(' ')
  return cursorOf({ epoch, at: Number(at), offset: Number(offset) })
}

/** Returns the cursor of a change that Redis remembers as `<number> <time>`; more text may follow. */
export function cursorOfChange (epoch: string, change: string): ChangeCursor {
  const [number, at] = change.split(' ')
  return changeOf({ epoch, at: Number(at), number: Number(number) })
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

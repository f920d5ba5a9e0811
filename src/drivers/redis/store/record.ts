import { stateOfDraft, withState } from '../../entry-state.ts'
import { formatPosition, type PositionParts } from '../../position.ts'
import { formatRevision, parseRevision, type RevisionParts } from '../../revision.ts'
import type { ChangeCursor, Changed } from '../../../change.ts'
import type { Cursor, Draft, Entry, Member } from '../../../store.ts'

/** An entry as stored and published, in JSON. Bytes are base64 in an array; data is JSON text. */
export type Content = [from: 0 | [id: string, name: string], body: string | [base64: string], data?: string]

/**
 * The state of an entry as the scripts return it: 0 if the entry never changed. `size` has a fraction while the entry is streaming, or if it
 * is unfinished. `content`: empty if it neither was edited nor is streamed.
 */
export type State = 0 | [
  number: number, at: number, flags: number, editedAt: number, storedAt: number, size: number, charge: number,
  content: [] | [body: string, data?: string], reactions: Array<[reaction: string, count: number]>, mine: string[]
]

/** What a version without streams can't parse: it then reads the room. */
export interface OfStream<Item> { readonly stream: Item }

/** A change as published. `storedAt`: time of the entry. */
export type ChangeRecord =
  | [...ChangedEntry, ...made: ['edit', body: string, data?: string] | ['delete'] | ['react' | 'unreact', reaction: string, count: number]]
  | OfStream<[...ChangedEntry, ...made: ['append', at: number, text: string] | ['end', content: Content, state: State]]>

type ChangedEntry = [offset: number, storedAt: number, by: string | null]

/** Fractions of the size of a state, in tenths. */
const [STREAMING, UNFINISHED] = [1, 2]

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

/**
 * Returns a draft's content, its size in bytes, and the lengths of a streaming text, or ''.
 * @throws TypeError if the body can't be stored; InvalidArgument if it can't be streamed
 */
export function encode (draft: Draft): { readonly content: string, readonly size: number, readonly streamed: string } {
  const { from, body, data } = draft
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw new TypeError('a body must be a string or bytes')
  const text = typeof body === 'string' ? JSON.stringify(body) : `["${bytesOf(body).toString('base64')}"]`
  const sender = from === null ? '0' : JSON.stringify([from.id, from.name])
  return {
    content: data === undefined ? `[${sender},${text}]` : `[${sender},${text},${JSON.stringify(data)}]`,
    size: (typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength) +
      (from?.name.length ?? 0) + (data === undefined ? 0 : Buffer.byteLength(data)),
    streamed: draft.streaming === undefined ? '' : `${stateOfDraft(draft)!.streamed} ${Buffer.byteLength(body as string)} ${Buffer.byteLength(text) - 2}`
  }
}

/** Returns the entry at a position. */
export function decode ([sender, storedBody, data]: Content, { epoch, at, offset }: PositionParts): Entry {
  const position = formatPosition(epoch, at, offset)
  const from = sender === 0 ? null : memberOf(sender[0], sender[1])
  const body = typeof storedBody === 'string' ? storedBody : Buffer.from(storedBody[0], 'base64')
  return data === undefined ? { offset, position, at, from, body } : { offset, position, at, from, body, data }
}

/** Returns a published entry. */
export function decodePublished (content: Content | OfStream<Content>, parts: PositionParts): Entry {
  return 'stream' in content ? { ...decode(content.stream, parts), streaming: true } : decode(content, parts)
}

/** Returns an entry with the content and the properties that its state adds. */
export function withStoredState (entry: Entry, state: State, epoch: string): Entry {
  if (state === 0) return entry
  const [number, at, flags, editedAt, , size, , [edited, data], reactions, mine] = state
  const progress = Math.round(10 * size) % 10
  const isDeleted = flags !== 0
  const body = isDeleted ? '' : edited
  const { offset, position, at: storedAt, from } = entry
  const changed = body === undefined ? entry : { offset, position, at: storedAt, from, body, ...data !== undefined && { data } }
  // The script was given the member whose reactions are `mine`.
  const list = () => reactions.map(([reaction, count]) => mine.includes(reaction) ? { reaction, count, mine: true as const } : { reaction, count })
  const readable = {
    isDeleted,
    streamed: progress === STREAMING ? 0 : undefined,
    isUnfinished: progress === UNFINISHED,
    reactions: reactions.length === 0 ? undefined : { list }
  }
  const revision = number === 0 ? undefined : formatRevision(epoch, at, number)
  return withState(changed, readable, revision, editedAt === 0 ? undefined : editedAt, undefined)
}

/** Returns a published change. */
export function decodeChange (published: ChangeRecord, parts: RevisionParts): Changed {
  const [offset, storedAt, by, ...made] = 'stream' in published ? published.stream : published
  const { epoch, at } = parts
  const position = { epoch, at: storedAt, offset }
  const record = { ...cursorOf(position), change: changeOf(parts), at }
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
    case 'append': return { ...record, by, made: { append: made[2], at: made[1] } }
    case 'end': {
      const ended = withStoredState(decode(made[1], position), made[2], epoch)
      return { ...record, by, made: { end: true, ...ended.unfinished !== undefined && { unfinished: true } }, ended }
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

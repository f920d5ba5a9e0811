import { hash as digest } from 'node:crypto'
import { codePoints } from '../../code-points.ts'
import { stateOfDraft, withState, type Changeable, type EntryState, type ReadableState } from '../entry-state.ts'
import { formatRevision } from '../revision.ts'
import { decodeReactions, encodeReactions, listReactions } from './reaction-text.ts'
import type { Draft, Entry, Member, Cursor } from '../../store.ts'

/**
 * An encoded entry: kind; time; digest of the key and hash of the content, if it has them; the state of an entry that
 * changed or is streaming; lengths of `from` and `data`; `from` as JSON; `data` unchanged; body. The record of a trimmed entry with a
 * key ends after the hash.
 */
export type EntryRecord = Buffer

/** The decoded part of a record that changes replace, with the author. */
export type Content = Changeable & { readonly from: Member | null }

/** The content of an entry with a state. */
export type StatefulContent = Content & { readonly state: EntryState }

const BYTES = 1
const KEYED = 2
const HASHED = 4
const STATEFUL = 8
const DELETED = 16
const STREAMING = 32
const UNFINISHED = 64

const AT = 1
const KEY = AT + 8
const HASH_LENGTH = KEY + 16
const HASH = HASH_LENGTH + 4

/**
 * Offsets in the state: number and time of the last change, or 0; time of the last edit, or 0; bytes of the reactions; the reactions.
 * The other parts are flags of the record.
 */
const [CHANGED_AT, EDITED_AT, REACTIONS_LENGTH, REACTIONS] = [8, 16, 24, 28]

/** Bytes of the lengths of `from` and `data`. 0 means that there is none, because no JSON text is empty. */
const LENGTHS = 8

/** Returns the digest that identifies a key: 128 bits of SHA-256, so that a client can't find a collision. */
export function digestOf (key: string): string {
  return digest('sha256', key, 'binary').slice(0, HASH_LENGTH - KEY)
}

/** Encodes a draft. `stamp` sets its time later. @throws InvalidArgument, and for a draft that can't be encoded */
export function encodeRecord (draft: Draft): EntryRecord {
  const { from, body, data } = draft
  const state = stateOfDraft(draft)
  const record = encodeContent(draft)
  return state === undefined ? record : withContent(record, { from, body, data, state })
}

/** Encodes a draft without its state. */
function encodeContent ({ key, hash, from, body, data }: Draft): EntryRecord {
  const author = from === null ? '' : JSON.stringify(from)
  const fromLength = Buffer.byteLength(author)
  const dataLength = data === undefined ? 0 : Buffer.byteLength(data)
  const start = key === undefined ? KEY : HASH + Buffer.byteLength(hash ?? '')
  const content = start + LENGTHS + fromLength + dataLength
  const record = Buffer.allocUnsafe(content + Buffer.byteLength(body))
  record[0] = (typeof body === 'string' ? 0 : BYTES) | (key === undefined ? 0 : KEYED) | (hash === undefined ? 0 : HASHED)
  if (key !== undefined) {
    record.write(digestOf(key), KEY, 'latin1')
    record.writeUInt32LE(start - HASH, HASH_LENGTH)
    record.write(hash ?? '', HASH)
  }
  record.writeUInt32LE(fromLength, start)
  record.writeUInt32LE(dataLength, start + 4)
  record.write(author, start + LENGTHS)
  if (data !== undefined) record.write(data, start + LENGTHS + fromLength)
  if (typeof body === 'string') record.write(body, content)
  else record.set(body, content)
  return record
}

export function stamp (record: EntryRecord, at: number): void {
  record.writeDoubleLE(at, AT)
}

export function timeOf (record: EntryRecord): number { return record.readDoubleLE(AT) }

/** Returns the digest of the entry's key; undefined if it has none. */
export function keyOf (record: EntryRecord): string | undefined {
  return (record[0]! & KEYED) === 0 ? undefined : record.toString('latin1', KEY, HASH_LENGTH)
}

export function hashOf (record: EntryRecord): string | undefined {
  return (record[0]! & HASHED) === 0 ? undefined : record.toString('utf8', HASH, stateOf(record))
}

/** Returns the number of the entry's last change; 0 for an entry that never changed. */
export function changeOf (record: EntryRecord): number {
  return (record[0]! & STATEFUL) === 0 ? 0 : record.readDoubleLE(stateOf(record))
}

export function isStreaming (record: EntryRecord): boolean { return (record[0]! & STREAMING) !== 0 }

/** Returns the bytes of a record that are reactions. */
export function reactionBytesOf (record: EntryRecord): number {
  return (record[0]! & STATEFUL) === 0 ? 0 : record.readUInt32LE(stateOf(record) + REACTIONS_LENGTH)
}

/** Returns the bytes of a record that `historyBytes` bounds. Reactions have a bound of their own. */
export function historyBytesOf (record: EntryRecord): number { return record.length - reactionBytesOf(record) }

/** @param epoch of the room @param member whose reactions are `mine` */
export function decodeRecord (record: EntryRecord, cursor: Cursor, epoch: string, member?: string): Entry {
  const message = decodeMessage(record)
  const state = decodeState(record, message.body)
  if (state === undefined) return entryOf(cursor, timeOf(record), message, undefined, epoch, member)
  const { reactions: text } = state
  const reactions = text === '' ? undefined : { list: (member?: string) => listReactions(text, member) }
  return entryOf(cursor, timeOf(record), message, { ...state, reactions }, epoch, member)
}

/**
 * Returns an entry as readers receive it.
 * @param at time of the entry, ms since 1970 @param epoch of the room @param member whose reactions are `mine`
 */
export function entryOf (
  { offset, position }: Cursor, at: number, { from, body, data }: Pick<Draft, 'from' | 'body' | 'data'>,
  state: Omit<EntryState, 'reactions'> & ReadableState | undefined, epoch: string, member?: string
): Entry {
  const entry = data === undefined ? { offset, position, at, from, body } : { offset, position, at, from, body, data }
  if (state === undefined) return entry
  const revision = state.number === 0 ? undefined : formatRevision(epoch, state.at, state.number)
  return withState(entry, state, revision, state.editedAt, member)
}

export function decodeContent (record: EntryRecord): Content {
  const { from, body, data } = decodeMessage(record)
  const state = decodeState(record, body)
  return { from, body, data, state: state && { ...state, reactions: decodeReactions(state.reactions) } }
}

function decodeMessage (record: EntryRecord): Omit<Content, 'state'> {
  const lengths = lengthsOf(record)
  const start = lengths + LENGTHS
  const dataStart = start + record.readUInt32LE(lengths)
  const content = dataStart + record.readUInt32LE(lengths + 4)
  const bytes = (record[0]! & BYTES) !== 0
  const body = bytes ? new Uint8Array(record.subarray(content)) : record.toString('utf8', content)
  const from = dataStart === start ? null : JSON.parse(record.toString('utf8', start, dataStart)) as Member
  const data = content === dataStart ? undefined : record.toString('utf8', dataStart, content)
  return { from, body, data }
}

/** Returns the record of the same entry with another content and state. */
export function withContent (record: EntryRecord, { from, body, data, state }: StatefulContent): EntryRecord {
  const reactions = encodeReactions(state.reactions)
  const block = Buffer.allocUnsafe(REACTIONS + Buffer.byteLength(reactions))
  block.writeDoubleLE(state.number)
  block.writeDoubleLE(state.at, CHANGED_AT)
  block.writeDoubleLE(state.editedAt ?? 0, EDITED_AT)
  block.writeUInt32LE(block.length - REACTIONS, REACTIONS_LENGTH)
  block.write(reactions, REACTIONS)
  const content = encodeContent({ from, body, data })
  const changed = Buffer.concat([trimmed(record), block, content.subarray(KEY)])
  changed[0] = (record[0]! & (KEYED | HASHED)) | (content[0]! & BYTES) | flagsOf(state)
  return changed
}

function flagsOf ({ isDeleted, streamed, isUnfinished }: EntryState): number {
  return STATEFUL | (isDeleted ? DELETED : 0) | (streamed === undefined ? 0 : STREAMING) | (isUnfinished ? UNFINISHED : 0)
}

/** Returns the part of a record that remains when its entry is trimmed and its key is still needed. */
export function trimmed (record: EntryRecord): EntryRecord { return record.subarray(0, stateOf(record)) }

/** Returns the state of an entry; undefined if it has none. `reactions`: encoded. @param body of the entry */
function decodeState (record: EntryRecord, body: string | Uint8Array): Omit<EntryState, 'reactions'> & { readonly reactions: string } | undefined {
  if ((record[0]! & STATEFUL) === 0) return undefined
  const start = stateOf(record)
  const editedAt = record.readDoubleLE(start + EDITED_AT)
  return {
    number: record.readDoubleLE(start),
    at: record.readDoubleLE(start + CHANGED_AT),
    editedAt: editedAt === 0 ? undefined : editedAt,
    isDeleted: (record[0]! & DELETED) !== 0,
    streamed: isStreaming(record) ? codePoints(body as string) : undefined,
    isUnfinished: (record[0]! & UNFINISHED) !== 0,
    reactions: record.toString('utf8', start + REACTIONS, lengthsOf(record))
  }
}

/** Returns the offset of the state, or of what follows if there is none. */
function stateOf (record: EntryRecord): number {
  return (record[0]! & KEYED) === 0 ? KEY : HASH + record.readUInt32LE(HASH_LENGTH)
}

/** Returns the offset of the lengths of `from` and `data`. */
function lengthsOf (record: EntryRecord): number {
  const state = stateOf(record)
  return (record[0]! & STATEFUL) === 0 ? state : state + REACTIONS + record.readUInt32LE(state + REACTIONS_LENGTH)
}

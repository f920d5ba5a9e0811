import { hash as digest } from 'node:crypto'
import type { Draft, Entry, Member, Cursor } from '../../store.ts'

/**
 * An encoded entry: kind; time; digest of the key and hash of the content, if it has them; lengths of `from` and `data`; `from`
 * as JSON; `data` unchanged; body. The record of a trimmed entry with a key ends before the lengths.
 */
export type EntryRecord = Buffer

const BYTES = 1
const KEYED = 2
const HASHED = 4

const AT = 1
const KEY = AT + 8
const HASH_LENGTH = KEY + 16
const HASH = HASH_LENGTH + 4

/** Bytes of the lengths of `from` and `data`. 0 means that there is none, because no JSON text is empty. */
const LENGTHS = 8

/** Returns the digest that identifies a key: 128 bits of SHA-256, so that a client can't find a collision. */
export function digestOf (key: string): string {
  return digest('sha256', key, 'binary').slice(0, HASH_LENGTH - KEY)
}

/** Encodes a draft. `stamp` sets its time later. @throws for a draft that can't be encoded */
export function encodeRecord ({ key, hash, from, body, data }: Draft): EntryRecord {
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
  return (record[0]! & HASHED) === 0 ? undefined : record.toString('utf8', HASH, startOf(record))
}

export function decodeRecord (record: EntryRecord, { offset, position }: Cursor): Entry {
  const lengths = startOf(record)
  const start = lengths + LENGTHS
  const dataStart = start + record.readUInt32LE(lengths)
  const content = dataStart + record.readUInt32LE(lengths + 4)
  const bytes = (record[0]! & BYTES) !== 0
  const body = bytes ? new Uint8Array(record.subarray(content)) : record.toString('utf8', content)
  const from = dataStart === start ? null : JSON.parse(record.toString('utf8', start, dataStart)) as Member
  const at = timeOf(record)
  if (content === dataStart) return { offset, position, at, from, body }
  return { offset, position, at, from, body, data: record.toString('utf8', dataStart, content) }
}

/** Returns the part of a record that remains when its entry is trimmed and its key is still needed. */
export function trimmed (record: EntryRecord): EntryRecord { return record.subarray(0, startOf(record)) }

/** Returns the record of the same entry without `data` and with an empty body. */
export function emptied (record: EntryRecord): EntryRecord {
  const { from } = decodeRecord(record, { offset: 0, position: '' })
  const blank = encodeRecord({ from, body: '' })
  const empty = Buffer.concat([trimmed(record), blank.subarray(KEY)])
  empty[0]! &= ~BYTES
  return empty
}

function startOf (record: EntryRecord): number {
  return (record[0]! & KEYED) === 0 ? KEY : HASH + record.readUInt32LE(HASH_LENGTH)
}

import { hash as digest } from 'node:crypto'
import type { Draft, Entry, Member, Cursor } from '../../store.ts'

/**
 * An encoded entry: kind, time, the digest of its key and the hash of its content if it has them, the lengths of `from` and
 * `data`, `from` as JSON, `data` unchanged, body. A trimmed entry whose key is remembered ends before the lengths.
 */
export type Row = Buffer

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
export function encodeRow ({ key, hash, from, body, data }: Draft): Row {
  const author = from === null ? '' : JSON.stringify(from)
  const fromLength = Buffer.byteLength(author)
  const dataLength = data === undefined ? 0 : Buffer.byteLength(data)
  const start = key === undefined ? KEY : HASH + Buffer.byteLength(hash ?? '')
  const content = start + LENGTHS + fromLength + dataLength
  const row = Buffer.allocUnsafe(content + Buffer.byteLength(body))
  row[0] = (typeof body === 'string' ? 0 : BYTES) | (key === undefined ? 0 : KEYED) | (hash === undefined ? 0 : HASHED)
  if (key !== undefined) {
    row.write(digestOf(key), KEY, 'latin1')
    row.writeUInt32LE(start - HASH, HASH_LENGTH)
    row.write(hash ?? '', HASH)
  }
  row.writeUInt32LE(fromLength, start)
  row.writeUInt32LE(dataLength, start + 4)
  row.write(author, start + LENGTHS)
  if (data !== undefined) row.write(data, start + LENGTHS + fromLength)
  if (typeof body === 'string') row.write(body, content)
  else row.set(body, content)
  return row
}

export function stamp (row: Row, at: number): void {
  row.writeDoubleLE(at, AT)
}

export function timeOf (row: Row): number { return row.readDoubleLE(AT) }

/** Returns the digest of the entry's key; undefined if it has none. */
export function keyOf (row: Row): string | undefined {
  return (row[0]! & KEYED) === 0 ? undefined : row.toString('latin1', KEY, HASH_LENGTH)
}

export function hashOf (row: Row): string | undefined {
  return (row[0]! & HASHED) === 0 ? undefined : row.toString('utf8', HASH, startOf(row))
}

/** Returns the bytes of `from`, `data` and body. */
export function contentOf (row: Row): number { return row.length - startOf(row) - LENGTHS }

export function decodeRow (row: Row, { offset: n, position }: Cursor): Entry {
  const lengths = startOf(row)
  const start = lengths + LENGTHS
  const dataStart = start + row.readUInt32LE(lengths)
  const content = dataStart + row.readUInt32LE(lengths + 4)
  const bytes = (row[0]! & BYTES) !== 0
  const body = bytes ? new Uint8Array(row.subarray(content)) : row.toString('utf8', content)
  const from = dataStart === start ? null : JSON.parse(row.toString('utf8', start, dataStart)) as Member
  const at = timeOf(row)
  if (content === dataStart) return { offset: n, position, at, from, body }
  return { offset: n, position, at, from, body, data: row.toString('utf8', dataStart, content) }
}

/** Returns the part of a row that remains when its entry is trimmed and its key is still needed. */
export function trimmed (row: Row): Row { return row.subarray(0, startOf(row)) }

/** Returns the row of the same entry without `data` and with an empty body. */
export function emptied (row: Row): Row {
  const { from } = decodeRow(row, { offset: 0, position: '' })
  const blank = encodeRow({ from, body: '' })
  const empty = Buffer.concat([trimmed(row), blank.subarray(KEY)])
  empty[0]! &= ~BYTES
  return empty
}

function startOf (row: Row): number {
  return (row[0]! & KEYED) === 0 ? KEY : HASH + row.readUInt32LE(HASH_LENGTH)
}

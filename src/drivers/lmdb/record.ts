import { hash as digest } from 'node:crypto'
import type { Draft, Entry, Member, Cursor } from '../../store.ts'

/**
 * An entry as it is kept: its kind, its time, the digest of its key and the hash of its content where it has them,
 * `from` as JSON, `data` as it was given, its body. Of one that was trimmed while its key is remembered, all before `from` is left.
 */
export type Row = Buffer

const BYTES = 1
const KEYED = 2
const HASHED = 4

const AT = 1
const KEY = AT + 8
const HASH_LENGTH = KEY + 16
const HASH = HASH_LENGTH + 4

/** Bytes that tell the lengths of `from` and `data`. No JSON text is empty: 0 is none. */
const LENGTHS = 8

/** What a key is known by: nobody can make two that are the same. */
export function digestOf (key: string): string {
  return digest('sha256', key, 'binary').slice(0, HASH_LENGTH - KEY)
}

/** A draft as it will be kept; its time is set later. @throws for what can't be kept */
export function encodeRow ({ key, hash, from, body, data }: Draft): Row {
  const who = from === null ? '' : JSON.stringify(from)
  const whoLength = Buffer.byteLength(who)
  const dataLength = data === undefined ? 0 : Buffer.byteLength(data)
  const start = key === undefined ? KEY : HASH + Buffer.byteLength(hash ?? '')
  const content = start + LENGTHS + whoLength + dataLength
  const row = Buffer.allocUnsafe(content + Buffer.byteLength(body))
  row[0] = (typeof body === 'string' ? 0 : BYTES) | (key === undefined ? 0 : KEYED) | (hash === undefined ? 0 : HASHED)
  if (key !== undefined) {
    row.write(digestOf(key), KEY, 'latin1')
    row.writeUInt32LE(start - HASH, HASH_LENGTH)
    row.write(hash ?? '', HASH)
  }
  row.writeUInt32LE(whoLength, start)
  row.writeUInt32LE(dataLength, start + 4)
  row.write(who, start + LENGTHS)
  if (data !== undefined) row.write(data, start + LENGTHS + whoLength)
  if (typeof body === 'string') row.write(body, content)
  else row.set(body, content)
  return row
}

export function stamp (row: Row, at: number): void {
  row.writeDoubleLE(at, AT)
}

export function timeOf (row: Row): number { return row.readDoubleLE(AT) }

/** The digest of its key, if it has one. */
export function keyOf (row: Row): string | undefined {
  return (row[0]! & KEYED) === 0 ? undefined : row.toString('latin1', KEY, HASH_LENGTH)
}

export function hashOf (row: Row): string | undefined {
  return (row[0]! & HASHED) === 0 ? undefined : row.toString('utf8', HASH, startOf(row))
}

/** Bytes of what was said. */
export function contentOf (row: Row): number { return row.length - startOf(row) - LENGTHS }

export function decodeRow (row: Row, { n, position }: Cursor): Entry {
  const lengths = startOf(row)
  const start = lengths + LENGTHS
  const dataStart = start + row.readUInt32LE(lengths)
  const content = dataStart + row.readUInt32LE(lengths + 4)
  const bytes = (row[0]! & BYTES) !== 0
  const body = bytes ? new Uint8Array(row.subarray(content)) : row.toString('utf8', content)
  const from = dataStart === start ? null : JSON.parse(row.toString('utf8', start, dataStart)) as Member
  const at = timeOf(row)
  if (content === dataStart) return { n, position, at, from, body }
  return { n, position, at, from, body, data: row.toString('utf8', dataStart, content) }
}

/** What stays of an entry whose key is still needed. */
export function trimmed (row: Row): Row { return row.subarray(0, startOf(row)) }

/** The same entry with nothing said. */
export function emptied (row: Row): Row {
  const { from } = decodeRow(row, { n: 0, position: '' })
  const said = encodeRow({ from, body: '' })
  const empty = Buffer.concat([trimmed(row), said.subarray(KEY)])
  empty[0]! &= ~BYTES
  return empty
}

function startOf (row: Row): number {
  return (row[0]! & KEYED) === 0 ? KEY : HASH + row.readUInt32LE(HASH_LENGTH)
}

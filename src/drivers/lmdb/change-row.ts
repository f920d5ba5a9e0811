import type { Control } from '../../change.ts'

/**
 * An encoded change: its time; the index of its entry; the keys that are remembered with it: the digest of each, the length of
 * its hash plus 1, or 0 for none, and the hash. The change itself is in the record of its entry. The row of a control has CONTROL as
 * index, and the length of the control and the control as JSON before the keys.
 */
export type ChangeRow = Buffer

/** A key of an edit. `digest`: see `digestOf`. */
export interface EditKey { readonly digest: string, readonly hash: string | undefined }

const AT = 0
const ENTRY = AT + 8
const KEYS = ENTRY + 8

/** Bytes of a digest, and of the length of a hash or a control. */
const [DIGEST, LENGTH] = [16, 4]

/** Stands for the index of an entry in the row of a control. Lower than each index. */
const CONTROL = -1

/** @param at ms since 1970 @param entry index of the changed entry; 0 for the beginning of the changes */
export function encodeChange (at: number, entry: number, key: EditKey | undefined): ChangeRow {
  const row = Buffer.allocUnsafe(KEYS)
  row.writeDoubleLE(at, AT)
  row.writeDoubleLE(entry, ENTRY)
  return key === undefined ? row : withKey(row, key)
}

/** @param at ms since 1970 @param control JSON text */
export function encodeControl (at: number, control: string): ChangeRow {
  const row = Buffer.allocUnsafe(KEYS + LENGTH + Buffer.byteLength(control))
  row.writeDoubleLE(at, AT)
  row.writeDoubleLE(CONTROL, ENTRY)
  row.writeUInt32LE(row.length - KEYS - LENGTH, KEYS)
  row.write(control, KEYS + LENGTH)
  return row
}

/** Returns the row with a further key. */
export function withKey (row: ChangeRow, { digest, hash }: EditKey): ChangeRow {
  const bytes = hash === undefined ? 0 : Buffer.byteLength(hash)
  const longer = Buffer.allocUnsafe(row.length + DIGEST + LENGTH + bytes)
  row.copy(longer)
  longer.write(digest, row.length, 'latin1')
  longer.writeUInt32LE(hash === undefined ? 0 : bytes + 1, row.length + DIGEST)
  if (hash !== undefined) longer.write(hash, row.length + DIGEST + LENGTH)
  return longer
}

/** Returns the time of a change, ms since 1970. */
export function timeOfChange (row: ChangeRow): number { return row.readDoubleLE(AT) }

/** Returns the index of the changed entry; a number below 1 if the row is of no change of an entry. */
export function entryOfChange (row: ChangeRow): number { return row.readDoubleLE(ENTRY) }

export function keysOfChange (row: ChangeRow): EditKey[] {
  const keys: EditKey[] = []
  let at = entryOfChange(row) === CONTROL ? endOfControl(row) : KEYS
  while (at < row.length) {
    const digest = row.toString('latin1', at, at + DIGEST)
    const length = row.readUInt32LE(at + DIGEST)
    const start = at + DIGEST + LENGTH
    at = start + Math.max(0, length - 1)
    keys.push({ digest, hash: length === 0 ? undefined : row.toString('utf8', start, at) })
  }
  return keys
}

/** Returns all of a row. @throws RangeError, SyntaxError for a damaged row */
export function decodeChange (row: ChangeRow): { at: number, entry: number, control: Control | undefined, keys: EditKey[] } {
  const [at, entry] = [timeOfChange(row), entryOfChange(row)]
  const control = entry === CONTROL ? JSON.parse(row.toString('utf8', KEYS + LENGTH, endOfControl(row))) as Control : undefined
  return { at, entry, control, keys: keysOfChange(row) }
}

/** Returns the offset of the keys in the row of a control. @throws RangeError for a damaged row */
function endOfControl (row: ChangeRow): number {
  const end = KEYS + LENGTH + row.readUInt32LE(KEYS)
  if (end > row.length) throw new RangeError('a control is longer than its row')
  return end
}

import { hash, randomBytes } from 'node:crypto'
import { formatPosition, parsePosition } from '../position.ts'
import type { Cursor, Position } from '../../store.ts'

/**
 * The state of a room without its entries, as stored on disk. Entries have an index that continues through all epochs of the
 * room, so that rows of two epochs have different keys. Offsets begin at 1 in each epoch: offset = index - `base`.
 */
export interface Head {
  /** the epoch; a position of another one is never honoured */
  readonly tag: string
  /** when the epoch began, ms since 1970 */
  readonly born: number
  /** index of the last entry of the epoch before */
  readonly base: number
  /** index of the newest entry */
  last: number
  /** time of the newest entry, ms since 1970 */
  at: number
  /** index of the oldest entry kept */
  first: number
  /** bytes of the entries kept */
  bytes: number
  /** index of the last entry whose key may have been forgotten */
  forgotten: number
  /** index of the last entry without a row */
  swept: number
  /** bytes on disk of all its rows, as charged */
  size: number
  /** the part of `size` that belongs to earlier epochs */
  dead: number
  /** last use according to the order of use on disk, ms since 1970 */
  used: number
}

/** From this the epochs of rooms without entries are derived, so that they can be resumed without being stored. */
export interface Epoch { readonly name: string, readonly at: number }

export function newEpoch (): Epoch { return { name: newTag(), at: Date.now() } }

/** Returns the head of a room without entries. */
export function beginning (room: string, { name, at }: Epoch): Head {
  const tag = withoutDash(hash('sha256', `${name} ${room}`, 'base64url')).slice(0, 12)
  return { tag, born: at, base: 0, last: 0, at, first: 1, bytes: 0, forgotten: 0, swept: 0, size: 0, dead: 0, used: 0 }
}

/** Returns the head of a new epoch, whose earlier rows remain to be removed. */
export function reborn ({ last, at, swept, size, used }: Head): Head {
  const born = Math.max(at, Date.now())
  return { tag: newTag(), born, base: last, last, at: born, first: last + 1, bytes: 0, forgotten: last, swept, size, dead: size, used }
}

/** Returns true for a room that never had an entry. */
export function isUntouched ({ last }: Head): boolean { return last === 0 }

/** @param at time of that entry, ms since 1970 */
export function markOf ({ tag, base }: Head, index: number, at: number): Cursor {
  const n = index - base
  return { offset: n, position: formatPosition(tag, at, n) }
}

/** Returns the cursor of the beginning, from which a member that joined an empty room resumes. */
export function genesisOf (head: Head): Cursor { return markOf(head, head.base, head.born) }

export function newestOf (head: Head): Cursor { return head.last === head.base ? genesisOf(head) : markOf(head, head.last, head.at) }

/** Returns the index of a position of this epoch, whether kept or not; NaN for any other position. Doesn't check the time. */
export function placeOf ({ tag, base, last }: Head, position: Position): number {
  const { epoch, offset = NaN } = parsePosition(position) ?? {}
  const index = base + offset
  return epoch === tag && index <= last ? index : NaN
}

function newTag (): string { return withoutDash(randomBytes(9).toString('base64url')) }

function withoutDash (text: string): string { return text.replaceAll('-', '.') }

import { hash, randomBytes } from 'node:crypto'
import { formatPosition, parsePosition } from '../position.ts'
import type { Cursor, Position } from '../../store.ts'

/**
 * The state of a room without its entries, as stored on disk. Entries have an index that continues through all epochs of the
 * room, so that records of two epochs have different keys. Offsets begin at 1 in each epoch: offset = index - `base`.
 */
export interface Head {
  readonly epoch: string
  /** when the epoch began, ms since 1970 */
  readonly startedAt: number
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
  /** index of the last entry whose record was removed; entries from there to `first` are trimmed */
  removed: number
  /** bytes on disk of all its records, as charged */
  size: number
  /** the part of `size` that belongs to earlier epochs */
  earlierSize: number
  /** last use according to the order of use on disk, ms since 1970 */
  used: number
}

/** From this the epochs of rooms without entries are derived, so that they can be resumed without being stored. */
export interface EpochSeed { readonly name: string, readonly at: number }

export function newEpochSeed (): EpochSeed { return { name: newEpoch(), at: Date.now() } }

/** Returns the head of a room without entries. */
export function emptyHead (room: string, { name, at }: EpochSeed): Head {
  const epoch = withoutDash(hash('sha256', `${name} ${room}`, 'base64url')).slice(0, 12)
  return { epoch, startedAt: at, base: 0, last: 0, at, first: 1, bytes: 0, forgotten: 0, removed: 0, size: 0, earlierSize: 0, used: 0 }
}

/** Returns the head of a new epoch, whose earlier records remain to be removed. */
export function nextEpochHead ({ last, at, removed, size, used }: Head): Head {
  const startedAt = Math.max(at, Date.now())
  return { epoch: newEpoch(), startedAt, base: last, last, at: startedAt, first: last + 1, bytes: 0, forgotten: last, removed, size, earlierSize: size, used }
}

/** @param at time of that entry, ms since 1970 */
export function cursorAt ({ epoch, base }: Head, index: number, at: number): Cursor {
  const offset = index - base
  return { offset, position: formatPosition(epoch, at, offset) }
}

/** Returns the cursor of the beginning, from which a member that joined an empty room resumes. */
export function beginningCursor (head: Head): Cursor { return cursorAt(head, head.base, head.startedAt) }

export function newestCursor (head: Head): Cursor {
  return head.last === head.base ? beginningCursor(head) : cursorAt(head, head.last, head.at)
}

/** Returns the index of a position of this epoch, whether kept or not; NaN for any other position. Doesn't check the time. */
export function indexInEpoch ({ epoch, base, last }: Head, position: Position): number {
  const parts = parsePosition(position)
  if (parts?.epoch !== epoch) return NaN
  const index = base + parts.offset
  return index <= last ? index : NaN
}

function newEpoch (): string { return withoutDash(randomBytes(9).toString('base64url')) }

function withoutDash (text: string): string { return text.replaceAll('-', '.') }

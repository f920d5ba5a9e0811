import { hash, randomBytes } from 'node:crypto'
import { formatPosition, parsePosition } from '../position.ts'
import { formatRevision } from '../revision.ts'
import type { Head as RoomHead } from '../../change.ts'
import type { Cursor, Position } from '../../store.ts'

/**
 * The state of a room without its entries, as stored on disk. Each entry has an index. Indexes continue through all epochs of
 * the room, so that records of two epochs have different keys. Offsets begin at 1 in each epoch: offset = index - `base`.
 * Entries from `first` to `last` are kept. Records between `removed` and `first` belong to trimmed entries, which have only
 * their key left, or to earlier epochs.
 */
export interface Head {
  readonly epoch: string
  /** time at which the epoch began, ms since 1970 */
  readonly startedAt: number
  /** index of the last entry of the previous epoch; 0 in the first epoch */
  readonly base: number
  /** index of the newest entry; `base` if the epoch has none */
  last: number
  /** time of the newest entry, ms since 1970; `startedAt` if the epoch has none */
  at: number
  /** index of the oldest kept entry; `last` + 1 if none is kept */
  first: number
  /** bytes of the records of kept entries, which `historyBytes` bounds */
  bytes: number
  /** index of the last entry whose key was forgotten; a repeat of an earlier post may not be detected */
  forgotten: number
  /** index of the last entry whose record was removed */
  removed: number
  /** bytes charged for all records on disk, with page slack: of kept and trimmed entries, and of earlier epochs */
  size: number
  /** the part of `size` for records of earlier epochs */
  earlierSize: number
  /** last use in the order of use on disk, ms since 1970 */
  used: number
}

/** Seed of the epochs of empty rooms. These epochs need no storage, and positions in them stay valid. */
export interface EpochSeed { readonly name: string, readonly at: number }

export function newEpochSeed (): EpochSeed { return { name: newEpoch(), at: Date.now() } }

/** Returns the head of a room without entries. */
export function emptyHead (room: string, { name, at }: EpochSeed): Head {
  const epoch = withoutDash(hash('sha256', `${name} ${room}`, 'base64url')).slice(0, 12)
  return { epoch, startedAt: at, base: 0, last: 0, at, first: 1, bytes: 0, forgotten: 0, removed: 0, size: 0, earlierSize: 0, used: 0 }
}

/** Returns the head of a new epoch. The records of the previous epoch must still be removed. */
export function nextEpochHead ({ last, at, removed, size, used }: Head): Head {
  const startedAt = Math.max(at, Date.now())
  return { epoch: newEpoch(), startedAt, base: last, last, at: startedAt, first: last + 1, bytes: 0, forgotten: last, removed, size, earlierSize: size, used }
}

/** Returns the cursor of an entry. @param at time of the entry, ms since 1970 */
export function cursorAt ({ epoch, base }: Head, index: number, at: number): Cursor {
  const offset = index - base
  return { offset, position: formatPosition(epoch, at, offset) }
}

/** Returns the cursor of the beginning of the log. A member that joined an empty room resumes from it. */
export function beginningCursor (head: Head): Cursor { return cursorAt(head, head.base, head.startedAt) }

export function newestCursor (head: Head): Cursor {
  return head.last === head.base ? beginningCursor(head) : cursorAt(head, head.last, head.at)
}

/** Returns the newest entry of a room and its newest change. */
export function newestHead (head: Head): RoomHead {
  const { offset, position } = newestCursor(head)
  return { offset, position, change: { number: 0, revision: formatRevision(head.epoch, head.startedAt, 0) } }
}

/** Returns the index of a position of this epoch, even of a trimmed entry; NaN for any other position. Doesn't check the time. */
export function indexInEpoch ({ epoch, base, last }: Head, position: Position): number {
  const parts = parsePosition(position)
  if (parts?.epoch !== epoch) return NaN
  const index = base + parts.offset
  return index <= last ? index : NaN
}

function newEpoch (): string { return withoutDash(randomBytes(9).toString('base64url')) }

function withoutDash (text: string): string { return text.replaceAll('-', '.') }

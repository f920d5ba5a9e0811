import { hash, randomBytes } from 'node:crypto'
import { formatPosition, parsePosition } from '../position.ts'
import { formatRevision, parseRevision } from '../revision.ts'
import { timeOfChange, type ChangeRow } from './change-row.ts'
import type { ChangeCursor, Head, Revision } from '../../change.ts'
import type { Cursor, Position } from '../../store.ts'

/**
 * The state of a room without its entries, as stored on disk. Each entry has an index. Indexes continue through all epochs of
 * the room, so that records of two epochs have different keys. Offsets begin at 1 in each epoch: offset = index - `base`.
 * Entries from `first` to `last` are kept. Records between `removed` and `first` belong to trimmed entries, which have only
 * their key left, or to earlier epochs.
 */
export interface RoomHead {
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
  /** absent until the first change of the room, so that the head of a room without changes stays small */
  changes?: ChangesHead | undefined
}

/**
 * The state of a room's changes without their rows. Each change has an index. Indexes continue through all epochs, as those of
 * entries do: number = index - `base`. The newest changes are remembered; rows up to `removed` are removed. The beginning of an
 * epoch (number 0) has a row only if keys are remembered with it.
 */
export interface ChangesHead {
  /** index of the beginning of the epoch, after all changes of the previous one */
  readonly base: number
  /** index of the newest change; `base` if the epoch has none */
  last: number
  /** time of the newest change, ms since 1970; `startedAt` of the room if the epoch has none */
  at: number
  /** index of the last change whose row was removed; -1 for none */
  removed: number
  /** highest number of the last change of a trimmed entry */
  trimmed: number
  /** bytes of the reactions of kept entries */
  reactionBytes: number
  /** bytes charged for all rows on disk, with page slack, also of earlier epochs */
  size: number
  /** the part of `size` for rows of earlier epochs */
  earlierSize: number
}

/** Seed of the epochs of unused rooms. These epochs need no storage, and positions in them stay valid. */
export interface EpochSeed { readonly name: string, readonly at: number }

export function newEpochSeed (): EpochSeed { return { name: newEpoch(), at: Date.now() } }

/** Returns the head of a room without entries. */
export function emptyHead (room: string, { name, at }: EpochSeed): RoomHead {
  const epoch = withoutDash(hash('sha256', `${name} ${room}`, 'base64url')).slice(0, 12)
  return { epoch, startedAt: at, base: 0, last: 0, at, first: 1, bytes: 0, forgotten: 0, removed: 0, size: 0, earlierSize: 0, used: 0 }
}

/** Returns whether a room never had an entry or a change. Such a room isn't on disk. */
export function isUnused ({ last, changes }: Readonly<RoomHead>): boolean { return last === 0 && changes === undefined }

/** Returns whether a room has an entry that is kept, or had a change in this epoch. */
export function isKept ({ first, last, changes }: Readonly<RoomHead>): boolean {
  return first <= last || (changes !== undefined && changes.last > changes.base)
}

/** Returns the head of a new epoch. The records and changes of the previous epoch must still be removed. */
export function nextEpochHead ({ last, at, removed, size, used, changes }: RoomHead): RoomHead {
  const startedAt = Math.max(at, changes?.at ?? 0, Date.now())
  return {
    epoch: newEpoch(),
    startedAt,
    base: last,
    last,
    at: startedAt,
    first: last + 1,
    bytes: 0,
    forgotten: last,
    removed,
    size,
    earlierSize: size,
    used,
    changes: changes && nextChangesHead(changes, startedAt)
  }
}

/** Returns the state of a room's changes before its first change. */
export function emptyChangesHead ({ startedAt }: RoomHead): ChangesHead {
  return { base: 0, last: 0, at: startedAt, removed: -1, trimmed: 0, reactionBytes: 0, size: 0, earlierSize: 0 }
}

function nextChangesHead ({ last, removed, size }: ChangesHead, at: number): ChangesHead {
  return { base: last + 1, last: last + 1, at, removed, trimmed: 0, reactionBytes: 0, size, earlierSize: size }
}

/** Returns the cursor of an entry. @param at time of the entry, ms since 1970 */
export function cursorAt ({ epoch, base }: RoomHead, index: number, at: number): Cursor {
  const offset = index - base
  return { offset, position: formatPosition(epoch, at, offset) }
}

/** Returns the cursor of the beginning of the log. A member that joined an empty room resumes from it. */
export function beginningCursor (head: RoomHead): Cursor { return cursorAt(head, head.base, head.startedAt) }

export function newestCursor (head: RoomHead): Cursor {
  return head.last === head.base ? beginningCursor(head) : cursorAt(head, head.last, head.at)
}

/** Returns the newest entry and the newest change. */
export function headOf (head: RoomHead): Head {
  const { offset, position } = newestCursor(head)
  return { offset, position, change: newestChange(head) }
}

/** Returns the cursor of a change. @param at time of the change, ms since 1970 */
export function changeCursorAt ({ epoch }: RoomHead, number: number, at: number): ChangeCursor {
  return { number, revision: formatRevision(epoch, at, number) }
}

/** Returns the newest change; the beginning of the room's changes if there is none. */
export function newestChange (head: RoomHead): ChangeCursor {
  const { changes } = head
  return changes === undefined ? changeCursorAt(head, 0, head.startedAt) : changeCursorAt(head, changes.last - changes.base, changes.at)
}

/** Returns the index of a position of this epoch, even of a trimmed entry; NaN for any other position. Doesn't check the time. */
export function indexInEpoch ({ epoch, base, last }: RoomHead, position: Position): number {
  const parts = parsePosition(position)
  if (parts?.epoch !== epoch) return NaN
  const index = base + parts.offset
  return index <= last ? index : NaN
}

/** Returns the index of the oldest remembered change, or of the beginning of the epoch. */
export function firstChange ({ removed, base }: ChangesHead): number { return Math.max(removed + 1, base) }

/**
 * Returns the number of a revision if that very change is remembered; undefined for any other revision.
 * @param rowAt returns the row of a remembered change
 */
export function rememberedNumber (head: RoomHead, revision: Revision, rowAt: (index: number) => ChangeRow): number | undefined {
  const { epoch, at, number = NaN } = parseRevision(revision) ?? {}
  if (epoch !== head.epoch) return undefined
  const { changes, startedAt } = head
  const [first, last] = changes === undefined ? [0, 0] : [firstChange(changes) - changes.base, changes.last - changes.base]
  if (number < first || number > last) return undefined
  const time = number === 0 ? startedAt : timeOfChange(rowAt(changes!.base + number))
  return at === time ? number : undefined
}

function newEpoch (): string { return withoutDash(randomBytes(9).toString('base64url')) }

function withoutDash (text: string): string { return text.replaceAll('-', '.') }

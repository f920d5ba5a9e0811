import { hash, randomBytes } from 'node:crypto'
import { formatPosition, parsePosition } from '../position.ts'
import type { Cursor, Position } from '../../store.ts'

/**
 * What is known of a room beside its entries. They are counted through all its lives, so that those of two lives don't
 * meet on disk; their numbers begin anew with each.
 */
export interface Head {
  /** names this life of the room: a position of another one is never honoured */
  readonly tag: string
  /** when this life began, ms */
  readonly born: number
  /** entries of former lives */
  readonly base: number
  /** the newest entry */
  last: number
  /** of the newest entry, ms */
  at: number
  /** the oldest entry kept */
  first: number
  /** of the entries kept */
  bytes: number
  /** the last entry whose key may have been forgotten */
  forgotten: number
  /** the last entry of which nothing is left */
  swept: number
  /** bytes on disk of all its rows, as charged */
  size: number
  /** of them, bytes of former lives */
  dead: number
  /** when it was last used, ms, as the order of use on disk has it */
  used: number
}

/** What rooms are made of that have nothing yet: theirs to be resumed without being stored. */
export interface Epoch { readonly name: string, readonly at: number }

export function newEpoch (): Epoch { return { name: newTag(), at: Date.now() } }

/** The beginning of a room that has nothing yet. */
export function beginning (room: string, { name, at }: Epoch): Head {
  const tag = withoutDash(hash('sha256', `${name} ${room}`, 'base64url')).slice(0, 12)
  return { tag, born: at, base: 0, last: 0, at, first: 1, bytes: 0, forgotten: 0, swept: 0, size: 0, dead: 0, used: 0 }
}

/** The beginning of another life, with nothing of the one before. */
export function reborn ({ last, at, swept, size, used }: Head): Head {
  const born = Math.max(at, Date.now())
  return { tag: newTag(), born, base: last, last, at: born, first: last + 1, bytes: 0, forgotten: last, swept, size, dead: size, used }
}

/** Whether it is as it was before its first entry. */
export function isUntouched ({ last }: Head): boolean { return last === 0 }

/** @param at of that entry */
export function markOf ({ tag, base }: Head, count: number, at: number): Cursor {
  const n = count - base
  return { n, position: formatPosition(tag, at, n) }
}

/** Stands before the first entry, so that someone who joined an empty room has a place too. */
export function genesisOf (head: Head): Cursor { return markOf(head, head.base, head.born) }

export function newestOf (head: Head): Cursor { return head.last === head.base ? genesisOf(head) : markOf(head, head.last, head.at) }

/** Which entry a position of this life names, kept or not; NaN for any other. */
export function placeOf ({ tag, base, last }: Head, position: Position): number {
  const { epoch, offset = NaN } = parsePosition(position) ?? {}
  const place = base + offset
  return epoch === tag && place <= last ? place : NaN
}

function newTag (): string { return withoutDash(randomBytes(9).toString('base64url')) }

function withoutDash (text: string): string { return text.replaceAll('-', '.') }

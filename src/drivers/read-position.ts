import { parsePosition } from './position.ts'
import { MAX_READ_POSITIONS, type ReadPosition } from '../store.ts'

/** A read position without its room. */
export type ReadCursor = Omit<ReadPosition, 'room'>

/** Returns whether a read position replaces the kept one, as `Store.markRead` specifies. */
export function movesForward (next: ReadCursor, kept: ReadCursor | undefined): boolean {
  if (kept === undefined || next.at !== kept.at) return kept === undefined || next.at > kept.at
  return next.offset > kept.offset || parsePosition(next.position)?.epoch !== parsePosition(kept.position)?.epoch
}

/** Returns whether `Store.forgetRead` keeps a read position. */
export function staysAfter (upTo: ReadCursor | undefined, kept: ReadCursor): boolean { return upTo !== undefined && movesForward(kept, upTo) }

/** Returns the later one of two read positions; undefined if there is none. */
export function laterOf (one: ReadCursor | undefined, other: ReadCursor | undefined): ReadCursor | undefined {
  return other !== undefined && movesForward(other, one) ? other : one
}

/** Returns read positions in the order of the room names. */
export function orderedByRoom (positions: Iterable<ReadPosition>): ReadPosition[] {
  return [...positions].sort((a, b) => a.room < b.room ? -1 : 1)
}

/** Returns at most `MAX_READ_POSITIONS`, in the order of the room names. Leaves out those with the lowest `at`. */
export function boundedPositions (positions: Iterable<ReadPosition>): ReadPosition[] {
  return orderedByRoom(newestPositions(positions, ({ at }) => at))
}

/** Returns at most `MAX_READ_POSITIONS`. Leaves out those with the lowest `at`. @param at returns that of a position */
export function newestPositions<Kept> (positions: Iterable<Kept>, at: (position: Kept) => number): Kept[] {
  const all = [...positions]
  return all.length > MAX_READ_POSITIONS ? all.sort((a, b) => at(b) - at(a)).slice(0, MAX_READ_POSITIONS) : all
}

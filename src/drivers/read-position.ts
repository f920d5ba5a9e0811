import { parsePosition } from './position.ts'
import type { ReadPosition } from '../store.ts'

/** A read position without its room. */
export type ReadCursor = Omit<ReadPosition, 'room'>

/** Returns whether a read position replaces the kept one, as `Store.markRead` specifies. */
export function movesForward (next: ReadCursor, kept: ReadCursor | undefined): boolean {
  if (kept === undefined || next.at !== kept.at) return kept === undefined || next.at > kept.at
  return next.offset > kept.offset || parsePosition(next.position)?.epoch !== parsePosition(kept.position)?.epoch
}

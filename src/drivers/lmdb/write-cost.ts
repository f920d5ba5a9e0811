import { MAX_STREAM_BYTES } from '../../request-bounds.ts'
import type { Amendment } from '../../change.ts'
import type { Draft, ReadPosition } from '../../store.ts'

/** Bytes of memory of a write without its record and content: promise, closures and queue slots. The record is copied once. */
export const WRITE = 1_500

/** Bytes of memory of a read position without its strings, and most bytes of its numbers in a row. */
const [READ_POSITION, NUMBERS] = [150, 48]

/** Returns the bytes of memory of a draft's content, which is kept until it is on disk. */
export function contentCost ({ body, data = '' }: Draft): number {
  return (typeof body === 'string' ? 2 * body.length : body.byteLength) + 2 * data.length
}

/** Returns the bytes of memory of the content of a change, with its copy in the record. An `append` rewrites the text before it. */
export function changeCost ({ change }: Amendment): number {
  if ('append' in change) return 4 * (Math.min(change.at, MAX_STREAM_BYTES) + change.append.length)
  return 'edit' in change ? 2 * contentCost({ from: null, ...change.edit }) : 0
}

/**
 * Returns the bytes of memory of read positions, and of the row with them, which is copied twice.
 * @param stored bytes of the row on disk
 */
export function markCost (positions: readonly ReadPosition[], stored: number): number {
  const cost = (bytes: number, { room, position }: ReadPosition) => bytes + READ_POSITION + 2 * NUMBERS + 4 * (room.length + position.length)
  return positions.reduce(cost, 3 * stored)
}

import { formatPosition } from '../position.ts'
import type { ReadPosition } from '../../store.ts'

/**
 * The encoded read positions of a member: the time of the last use, then a JSON array in the order of the room names. Each read
 * position takes four items: room, epoch, time and offset, which make up the position.
 */
export type MemberRow = Buffer

const POSITIONS = 8

/** Precedes a position that its epoch, time and offset don't make up. No epoch has it. */
const WHOLE = '-'

/** @param used last use in the order of use on disk, ms since 1970 @param positions in the order of the room names */
export function encodeMember (used: number, positions: readonly ReadPosition[]): MemberRow {
  const items = []
  for (const { room, position, at, offset } of positions) items.push(room, epochOf(position, at, offset), at, offset)
  const text = JSON.stringify(items)
  const row = Buffer.allocUnsafe(POSITIONS + Buffer.byteLength(text))
  row.writeDoubleLE(used)
  row.write(text, POSITIONS)
  return row
}

/** Returns the time of the last use, ms since 1970. @throws RangeError if the row can't be decoded */
export function useOf (row: MemberRow): number { return row.readDoubleLE() }

/** Returns the same read positions with another last use. */
export function withUse (row: MemberRow, used: number): MemberRow {
  const copy = Buffer.from(row)
  copy.writeDoubleLE(used)
  return copy
}

/** Returns the read positions in the order of the room names. @throws SyntaxError or TypeError if the row can't be decoded */
export function decodeMember (row: MemberRow): ReadPosition[] {
  const items = JSON.parse(row.toString('utf8', POSITIONS)) as unknown[]
  const positions: ReadPosition[] = []
  for (let i = 0; i < items.length; i += 4) {
    const [room, epoch, at, offset] = [items[i], items[i + 1], items[i + 2], items[i + 3]]
    if (typeof room !== 'string' || typeof epoch !== 'string' || typeof at !== 'number' || typeof offset !== 'number') {
      throw new TypeError('not a list of read positions')
    }
    const position = epoch.startsWith(WHOLE) ? epoch.slice(WHOLE.length) : formatPosition(epoch, at, offset)
    positions.push({ room, offset, position, at })
  }
  return positions
}

function epochOf (position: string, at: number, offset: number): string {
  const numbers = `-${at}-${offset}`
  const isWhole = !position.endsWith(numbers) || position.length === numbers.length || position.startsWith(WHOLE)
  return isWhole ? WHOLE + position : position.slice(0, -numbers.length)
}

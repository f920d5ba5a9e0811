import type { Position } from '../store.ts'

/** The parts of a position. `at`: time of the entry in ms; for offset 0, the time at which the epoch began. */
export interface PositionParts { readonly epoch: string, readonly at: number, readonly offset: number }

/** Matches only one form of each number, so that two different strings never name the same entry. */
const pattern = /^([\w.]{1,32})-(0|[1-9]\d{0,15})-(0|[1-9]\d{0,15})$/

/** Returns the parts of a position; undefined for a string that `formatPosition` can't return. */
export function parsePosition (position: Position): PositionParts | undefined {
  const [, epoch, ...numbers] = pattern.exec(position) ?? []
  const [at = NaN, offset = NaN] = numbers.map(Number)
  if (epoch === undefined || !Number.isSafeInteger(at) || !Number.isSafeInteger(offset)) return undefined
  return { epoch, at, offset }
}

/** The last prefix is cached, because many entries share epoch and millisecond. Entries of other rooms share only the millisecond. */
let lastEpoch = ''
let lastAt = NaN
let lastTime = ''
let lastPrefix = ''

/** Returns the position of an entry. `epoch`: 1 to 32 letters, digits, `.` and `_`. */
export function formatPosition (epoch: string, at: number, offset: number): Position {
  if (at !== lastAt || epoch !== lastEpoch) {
    if (at !== lastAt) lastTime = `-${at}-`
    lastAt = at
    lastEpoch = epoch
    lastPrefix = epoch + lastTime
  }
  return lastPrefix + offset
}

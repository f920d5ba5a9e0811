import type { Position } from '../store.ts'

/** What the drivers' positions consist of. `at`: ms, of the entry; of the beginning of the epoch for offset 0. */
export interface PositionParts { readonly epoch: string, readonly at: number, readonly offset: number }

/** Has one form for each number, so that two different strings never name one entry. */
const form = /^([\w.]{1,32})-(0|[1-9]\d{0,15})-(0|[1-9]\d{0,15})$/

/** Returns undefined for everything that `formatPosition` can't have returned. */
export function parsePosition (position: Position): PositionParts | undefined {
  const [, epoch, ...numbers] = form.exec(position) ?? []
  const [at = NaN, offset = NaN] = numbers.map(Number)
  if (epoch === undefined || !Number.isSafeInteger(at) || !Number.isSafeInteger(offset)) return undefined
  return { epoch, at, offset }
}

let lastEpoch = ''
let lastAt = NaN
let lastPrefix = ''

/** Returns the position of an entry. `epoch`: 1 to 32 letters, digits, `.` and `_`. Many entries share epoch and millisecond. */
export function formatPosition (epoch: string, at: number, offset: number): Position {
  if (at !== lastAt || epoch !== lastEpoch) {
    lastAt = at
    lastEpoch = epoch
    lastPrefix = `${epoch}-${at}-`
  }
  return lastPrefix + offset
}

import type { Revision } from '../change.ts'

/** The parts of a revision. `at`: time of the change in ms; for number 0, the time at which the epoch began. */
export interface RevisionParts { readonly epoch: string, readonly at: number, readonly number: number }

/** Matches only one form of each number, so that two different strings never name the same change. Matches no position. */
const pattern = /^([\w.]{1,32})-(0|[1-9]\d{0,15})-c(0|[1-9]\d{0,15})$/

/** Returns the parts of a revision; undefined for a string that `formatRevision` can't return. */
export function parseRevision (revision: Revision): RevisionParts | undefined {
  const [, epoch, ...numbers] = pattern.exec(revision) ?? []
  const [at = NaN, number = NaN] = numbers.map(Number)
  if (epoch === undefined || !Number.isSafeInteger(at) || !Number.isSafeInteger(number)) return undefined
  return { epoch, at, number }
}

/** Returns the revision of a change. `epoch`: 1 to 32 letters, digits, `.` and `_`. */
export function formatRevision (epoch: string, at: number, number: number): Revision {
  return `${epoch}-${at}-c${number}`
}

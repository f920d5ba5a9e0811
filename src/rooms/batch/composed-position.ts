import type { Position } from '../../store.ts'

/*
 * A client without changes receives a streamed entry late: once, when its streaming has ended. Its position in a room can't be that of one
 * entry then. It is composed:
 *
 *     <base> [ -.l <late> ] ( -.o <outstanding> )* [ -.x ]
 *
 * Stores return no position that contains `-.`. The positions after `base` are shortened, because a position on the wire is: a digit to
 * base 36, then the position without its first characters. So many of these are those of `base`.
 */

/** The parts of a position on the wire. */
export interface ComposedPosition {
  /** The position of the entry up to which all were sent, apart from `outstanding`. */
  readonly base: Position
  /** The position of the entry of a late message; undefined for any other message. */
  readonly late: Position | undefined
  /** The positions of the streaming entries up to `base` that weren't sent yet. */
  readonly outstanding: readonly Position[]
  /** `false` if there were more of these than a position can name. */
  readonly isComplete: boolean
}

/** Maximum length of a position on the wire. */
const MAX_LENGTH = 128

/** Maximum number of outstanding streams in a position. Each costs a read when a client resumes. */
export const MAX_OUTSTANDING = 8

/** Maximum number of characters that a shortened position shares with `base`: one digit to base 36. */
const MAX_SHARED = 35

const [LATE, OUTSTANDING, MORE] = ['-.l', '-.o', '-.x']

/** Returns the parts of a position. Any string that isn't composed as above has only a `base`, which no store honours if it contains `-.`. */
export function parseComposed (position: Position): ComposedPosition {
  const plain = { base: position, late: undefined, outstanding: [], isComplete: true }
  const [base = '', ...rest] = position.split('-.')
  if (rest.length === 0) return plain
  const isComplete = rest.at(-1) !== 'x'
  if (!isComplete) rest.pop()
  if (rest.length > MAX_OUTSTANDING + 1) return plain
  const late = rest[0]?.startsWith('l') === true ? wholePosition(rest.shift()!.slice(1), base) : undefined
  const outstanding = rest.map((part) => wholePosition(part.slice(1), base))
  const isValid = base !== '' && late !== '' && rest.every((part) => part.startsWith('o')) && !outstanding.includes('')
  if (!isValid || rest.length > MAX_OUTSTANDING || new Set(outstanding).size < rest.length) return plain
  return { base, late, outstanding, isComplete }
}

/**
 * Returns a position with these parts; `base` alone if there are no others. One that would be too long has no outstanding streams: a
 * resume from it is not complete.
 */
export function composePosition (base: Position, late?: Position, outstanding: Iterable<Position> = []): Position {
  const start = late === undefined ? base : base + LATE + shortened(late, base)
  let composed = start
  let count = 0
  for (const position of outstanding) {
    composed += OUTSTANDING + shortened(position, base)
    if (++count > MAX_OUTSTANDING || composed.length > MAX_LENGTH) break
  }
  if (composed.length <= MAX_LENGTH && count <= MAX_OUTSTANDING) return composed
  // The last one is never honoured.
  return [start + MORE, base + MORE, MORE].find(({ length }) => length <= MAX_LENGTH)!
}

/** Returns the position of the entry of a message. */
export function entryPosition (position: Position): Position {
  const { late, base } = parseComposed(position)
  return late ?? base
}

function shortened (position: Position, base: Position): string {
  let shared = 0
  while (shared < MAX_SHARED && shared < base.length && position[shared] === base[shared]) shared++
  return shared.toString(36) + position.slice(shared)
}

/** Returns a position that was shortened; '' for an invalid one. */
function wholePosition (short: string, base: Position): Position {
  const shared = /^[0-9a-z]/.test(short) ? parseInt(short[0]!, 36) : NaN
  return shared <= base.length ? base.slice(0, shared) + short.slice(1) : ''
}

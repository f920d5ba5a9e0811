import type { Position } from '../store.ts'

/*
 * A client without changes receives a streamed entry late: once, when its streaming has ended. Its position in a room can't be that of one
 * entry then. It is composed:
 *
 *     <base> [ -.l <own> ] ( -.o <outstanding> )* [ -.x ]
 *
 * Stores return no position that contains `-.`.
 */

/** The parts of a position on the wire. */
export interface ComposedPosition {
  /** The position of the entry up to which all were sent, apart from `outstanding`. */
  readonly base: Position
  /** The position of the entry of a late message itself; undefined for any other message. */
  readonly own: Position | undefined
  /** The positions of the streaming entries up to `base` that weren't sent yet. */
  readonly outstanding: readonly Position[]
  /** `false` if there were more of these than a position can name. */
  readonly isComplete: boolean
}

/** Maximum length of a position on the wire. */
const MAX_LENGTH = 128

/** Maximum number of outstanding streams in a position. Each costs a read when a client resumes. */
const MAX_OUTSTANDING = 8

const [OWN, OUTSTANDING, MORE] = ['-.l', '-.o', '-.x']

/** Returns the parts of a position. Any string that isn't composed as above has only a `base`, which no store honours if it contains `-.`. */
export function parseComposed (position: Position): ComposedPosition {
  const plain = { base: position, own: undefined, outstanding: [], isComplete: true }
  const [base = '', ...rest] = position.split('-.')
  if (rest.length === 0) return plain
  const isComplete = rest.at(-1) !== 'x'
  if (!isComplete) rest.pop()
  const own = rest[0]?.startsWith('l') === true ? rest.shift()!.slice(1) : undefined
  const outstanding = rest.map((part) => part.slice(1))
  const isValid = base !== '' && own !== '' && rest.every((part) => part.startsWith('o') && part.length > 1)
  if (!isValid || rest.length > MAX_OUTSTANDING || new Set(outstanding).size < rest.length) return plain
  return { base, own, outstanding, isComplete }
}

/**
 * Returns a position with these parts; `base` alone if there are no others. One that would be too long has no outstanding streams: a
 * resume from it is not complete.
 */
export function composePosition (base: Position, own?: Position, outstanding: Iterable<Position> = []): Position {
  const start = own === undefined ? base : base + OWN + own
  let composed = start
  let count = 0
  for (const position of outstanding) {
    composed += OUTSTANDING + position
    count++
  }
  if (composed.length <= MAX_LENGTH && count <= MAX_OUTSTANDING) return composed
  // The last one is never honoured.
  return [start + MORE, base + MORE, MORE].find(({ length }) => length <= MAX_LENGTH)!
}

/** Returns the position of the entry of a message. */
export function entryPosition (position: Position): Position {
  const { own, base } = parseComposed(position)
  return own ?? base
}

import type { LmdbDatabase } from './database.ts'
import { genesisOf, markOf, newestOf, placeOf, type Head } from './head.ts'
import { contentOf, decodeRow, timeOf } from './record.ts'
import type { Entry, Page, Position, Query } from '../../store.ts'

/**
 * Reads a page of the entries on disk.
 * @param since ms since 1970; older entries are about to be trimmed and left out
 */
export function readPage (database: LmdbDatabase, room: string, head: Head, query: Query, since: number): Page {
  const { limit, maxBytes, after, before } = query
  const first = firstSince(database, room, head, since)
  const position = after ?? before
  const index = position === undefined ? undefined : indexOf(database, room, head, first, position)
  const forward = after !== undefined && index !== undefined
  const step = forward ? 1 : -1
  const entries: Entry[] = []
  let bytes = 0
  let i = (index ?? head.last + 1) + step
  for (; i >= first && i <= head.last && entries.length < limit; i += step) {
    const row = database.entry(room, i)
    bytes += contentOf(row)
    if (bytes > maxBytes && entries.length > 0) break
    entries.push(decodeRow(row, markOf(head, i, timeOf(row))))
  }
  if (!forward) entries.reverse()
  const complete = position === undefined || index !== undefined
  return { entries, complete, more: i >= first && i <= head.last, head: newestOf(head) }
}

/** Returns the index of a position's entry; the one before the first for the beginning; undefined if it isn't kept. */
function indexOf (database: LmdbDatabase, room: string, head: Head, first: number, position: Position): number | undefined {
  if (position === genesisOf(head).position) return first === head.base + 1 ? head.base : undefined
  const index = placeOf(head, position)
  if (!Number.isInteger(index) || index < first) return undefined
  return markOf(head, index, timeOf(database.entry(room, index))).position === position ? index : undefined
}

/** Returns the index of the oldest entry since a time, by binary search: times never decrease. */
function firstSince (database: LmdbDatabase, room: string, { first, last }: Head, since: number): number {
  if (since === -Infinity) return first
  let [low, high] = [first, last + 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (timeOf(database.entry(room, middle)) < since) low = middle + 1
    else high = middle
  }
  return low
}

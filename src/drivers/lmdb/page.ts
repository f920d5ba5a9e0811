import type { LmdbDatabase } from './database.ts'
import { genesisOf, markOf, newestOf, placeOf, type Head } from './head.ts'
import { contentOf, decodeRow, timeOf } from './record.ts'
import type { Entry, Page, Position, Query } from '../../store.ts'

/**
 * What a query asks for, of what is on disk.
 * @param since ms; what is older is about to be trimmed, and not shown
 */
export function readPage (database: LmdbDatabase, room: string, head: Head, query: Query, since: number): Page {
  const { limit, maxBytes, after, before } = query
  const first = firstSince(database, room, head, since)
  const position = after ?? before
  const place = position === undefined ? undefined : keptPlace(database, room, head, first, position)
  const forward = after !== undefined && place !== undefined
  const step = forward ? 1 : -1
  const entries: Entry[] = []
  let bytes = 0
  let at = (place ?? head.last + 1) + step
  for (; at >= first && at <= head.last && entries.length < limit; at += step) {
    const row = database.entry(room, at)
    bytes += contentOf(row)
    if (bytes > maxBytes && entries.length > 0) break
    entries.push(decodeRow(row, markOf(head, at, timeOf(row))))
  }
  if (!forward) entries.reverse()
  const complete = position === undefined || place !== undefined
  return { entries, complete, more: at >= first && at <= head.last, head: newestOf(head) }
}

/** The entry that a position names, if it is kept; the place before the first for the genesis. */
function keptPlace (database: LmdbDatabase, room: string, head: Head, first: number, position: Position): number | undefined {
  if (position === genesisOf(head).position) return first === head.base + 1 ? head.base : undefined
  const place = placeOf(head, position)
  if (!Number.isInteger(place) || place < first) return undefined
  return markOf(head, place, timeOf(database.entry(room, place))).position === position ? place : undefined
}

/** The oldest entry to be shown. By halves: they are in the order of their times. */
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

import type { Cursor, Entry, Page, Position, Query } from '../store.ts'

/** The kept entries of one room. Each has an index; indexes have no gaps. */
export interface PageSource {
  /** index of the oldest kept entry */
  readonly first: number
  /** index of the newest entry; `first - 1` if none is kept */
  readonly last: number
  readonly head: Cursor
  /**
   * Returns the index of a position's entry. Returns `first - 1` for the beginning of the log while its first entry is kept.
   * Returns undefined for a position that isn't honoured.
   */
  indexOf (position: Position): number | undefined
  entryAt (index: number): Entry
}

/** Returns the page that a query selects, as `Store.read` specifies. */
export function readPage (source: PageSource, { limit, maxBytes, after, before }: Query): Page {
  const { first, last, head } = source
  const position = after ?? before
  const start = position === undefined ? undefined : source.indexOf(position)
  const isForward = after !== undefined && start !== undefined
  const step = isForward ? 1 : -1
  const entries: Entry[] = []
  let bytes = 0
  let index = (start ?? last + 1) + step
  for (; index >= first && index <= last && entries.length < limit; index += step) {
    const entry = source.entryAt(index)
    bytes += contentBytes(entry)
    if (bytes > maxBytes && entries.length > 0) break
    entries.push(entry)
  }
  if (!isForward) entries.reverse()
  return { entries, complete: position === undefined || start !== undefined, more: index >= first && index <= last, head }
}

/** Returns the bytes of an entry that count towards `Query.maxBytes`. */
function contentBytes ({ body, data, from }: Entry): number {
  const text = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
  return text + (from === null ? 0 : from.name.length) + (data === undefined ? 0 : Buffer.byteLength(data))
}

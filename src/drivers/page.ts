import type { Cursor, Entry, Page, Position, Query } from '../store.ts'

/** The kept entries of one room. Each has an index; indexes have no gaps. */
export interface PageSource {
  /** index of the oldest kept entry */
  readonly first: number
  /** index of the newest entry; `first - 1` if none is kept */
  readonly last: number
  readonly head: Cursor
  /**
   * Returns the index of a position's entry; `first - 1` for the beginning of the log while its first entry is kept; undefined
   * for a position that isn't honoured.
   */
  indexOf (position: Position): number | undefined
  /** Returns the content of an entry in bytes, as `Query.maxBytes` counts it. */
  bytesAt (index: number): number
  /** Returns an entry. Called right after `bytesAt` with the same index. */
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
    bytes += source.bytesAt(index)
    if (bytes > maxBytes && entries.length > 0) break
    entries.push(source.entryAt(index))
  }
  if (!isForward) entries.reverse()
  return { entries, complete: position === undefined || start !== undefined, more: index >= first && index <= last, head }
}

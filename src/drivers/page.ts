import type { ChangedPage, Head, Revision } from '../change.ts'
import type { Entry, Page, Position, Query } from '../store.ts'

/** The kept entries of one room, and its remembered changes. Each entry has an index; indexes have no gaps. */
export interface PageSource {
  /** index of the oldest kept entry */
  readonly first: number
  /** index of the newest entry; `first - 1` if none is kept */
  readonly last: number
  readonly head: Head
  /**
   * Returns the index of a position's entry. Returns `first - 1` for the beginning of the log while its first entry is kept.
   * Returns undefined for a position that isn't honoured.
   */
  indexOf (position: Position): number | undefined
  /** @param member whose reactions are `mine` */
  entryAt (index: number, member: string | undefined): Entry
  /** Returns the number of a revision after which all changes are remembered; undefined for a revision that isn't honoured. */
  numberOf (revision: Revision): number | undefined
  /** Returns the index of the kept entry whose last change has this number; undefined if there is none. */
  changedAt (number: number): number | undefined
  /** Returns whether an entry that changed after this number is no longer kept. */
  hasRemovedSince (number: number): boolean
}

const NONE: Entry[] = []

/** Returns the page that a query selects, as `Store.read` specifies. */
export function readPage (source: PageSource, query: Query): Page {
  const page = selectPage(source, query)
  return query.readPosition === undefined ? page : { ...page, unread: unreadAfter(source, query.readPosition) }
}

/** Returns the number of the kept entries after a read position; of all if it isn't honoured. */
function unreadAfter (source: PageSource, readPosition: Position): number {
  const { first, last } = source
  return last - (source.indexOf(readPosition) ?? first - 1)
}

function selectPage (source: PageSource, query: Query): Page {
  const { limit, maxBytes, after, before, revision, for: member } = query
  const { first, last, head } = source
  const position = after ?? before
  const found = position === undefined ? undefined : source.indexOf(position)
  const since = revision === undefined ? undefined : source.numberOf(revision)
  const complete = (position === undefined || found !== undefined) && (revision === undefined || since !== undefined)
  const start = complete ? found : undefined
  const isForward = after !== undefined && start !== undefined
  const step = isForward ? 1 : -1
  const entries: Entry[] = []
  let bytes = 0
  let index = (start ?? last + 1) + step
  for (; index >= first && index <= last && entries.length < limit; index += step) {
    const entry = source.entryAt(index, member)
    bytes += contentBytes(entry)
    if (bytes > maxBytes && entries.length > 0) break
    entries.push(entry)
  }
  if (!isForward) entries.reverse()
  const more = index >= first && index <= last
  if (!isForward || since === undefined) return { entries, complete, more, head, changed: NONE, moreChanged: false, revision: head.change.revision }
  const { changed, moreChanged, revision: reached } = changedSince(source, head, since, start, query)
  if (!source.hasRemovedSince(since)) return { entries, complete, more, head, changed, moreChanged, revision: reached }
  return { entries, complete, more, head, changed, moreChanged, revision: reached, oldest: source.entryAt(first, undefined).position }
}

/** Returns the entries up to an index that changed after a number. Each has the place of its last change. */
function changedSince (source: PageSource, { change: newest }: Head, since: number, last: number, { limit, maxBytes, revision = '', for: member }: Query): ChangedPage {
  const changed: Entry[] = []
  let bytes = 0
  for (let number = since + 1; number <= newest.number; number++) {
    const index = source.changedAt(number)
    if (index === undefined || index > last) continue
    const entry = source.entryAt(index, member)
    bytes += contentBytes(entry)
    if (changed.length >= limit || (bytes > maxBytes && changed.length > 0)) {
      return { changed, moreChanged: true, revision: changed.at(-1)?.revision ?? revision }
    }
    changed.push(entry)
  }
  return { changed, moreChanged: false, revision: newest.revision }
}

/** Bytes of a reaction beside its text. */
const REACTION = 24

/** Returns the bytes of an entry that count towards `Query.maxBytes`. */
function contentBytes ({ body, data, from, reactions }: Entry): number {
  const text = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
  const bytes = text + (from === null ? 0 : from.name.length) + (data === undefined ? 0 : Buffer.byteLength(data))
  return reactions === undefined ? bytes : reactions.reduce((sum, { reaction }) => sum + REACTION + Buffer.byteLength(reaction), bytes)
}

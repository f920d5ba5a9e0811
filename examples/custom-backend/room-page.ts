import type { Entry, Page, Query } from 'fastify-chat'
import type { RoomLog } from './room-log.ts'

/** Returns the page that a query selects. */
export function readPage (log: RoomLog, query: Query): Page {
  const page = selectPage(log, query)
  return query.readPosition === undefined ? page : { ...page, unread: log.last - (log.indexOf(query.readPosition) ?? log.first - 1) }
}

function selectPage (log: RoomLog, { limit, maxBytes, after, before, revision, for: member }: Query): Page {
  const { head, first, last } = log
  const position = after ?? before
  const found = position === undefined ? undefined : log.indexOf(position)
  const since = revision === undefined ? undefined : log.numberOf(revision)
  const complete = (position === undefined || found !== undefined) && (revision === undefined || since !== undefined)
  const start = complete ? found : undefined
  const isForward = after !== undefined && start !== undefined
  const step = isForward ? 1 : -1
  const entries: Entry[] = []
  let bytes = 0
  let index = (start ?? last + 1) + step
  for (; index >= first && index <= last && entries.length < limit; index += step) {
    const entry = log.entryAt(index, member)
    bytes += sizeOf(entry)
    if (bytes > maxBytes && entries.length > 0) break
    entries.push(entry)
  }
  if (!isForward) entries.reverse()
  const page = { entries, complete, more: index >= first && index <= last, head, changed: [], moreChanged: false, revision: head.change.revision }
  if (!isForward || since === undefined) return page
  const oldest = log.hasRemovedSince(since) && { oldest: log.entryAt(first, undefined).position }
  return { ...page, ...changedSince(log, since, start, { limit, maxBytes, revision: revision!, member }), ...oldest }
}

/** Returns the entries up to an offset that changed after a number. Each has the place of its last change. */
function changedSince (log: RoomLog, since: number, upTo: number, { limit, maxBytes, revision, member }: {
  readonly limit: number, readonly maxBytes: number, readonly revision: string, readonly member: string | undefined
}): Pick<Page, 'changed' | 'moreChanged' | 'revision'> {
  const { change } = log.head
  const changed: Entry[] = []
  let bytes = 0
  for (let number = since + 1; number <= change.number; number++) {
    const offset = log.changedAt(number)
    if (offset === undefined || offset > upTo) continue
    const entry = log.entryAt(offset, member)
    bytes += sizeOf(entry)
    if (changed.length >= limit || (bytes > maxBytes && changed.length > 0)) {
      return { changed, moreChanged: true, revision: changed.at(-1)?.revision ?? revision }
    }
    changed.push(entry)
  }
  return { changed, moreChanged: false, revision: change.revision }
}

function sizeOf ({ body, data = '', reactions = [] }: Entry): number {
  return Buffer.byteLength(body) + Buffer.byteLength(data) + reactions.reduce((sum, { reaction }) => sum + 24 + Buffer.byteLength(reaction), 0)
}

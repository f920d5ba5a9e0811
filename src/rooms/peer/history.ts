import { authorize, type Hooks } from '../../hooks.ts'
import { entryPosition } from '../batch/composed-position.ts'
import type { Membership } from '../membership/membership.ts'
import { readWhileAllowed } from './request-rights.ts'
import type { Rooms } from '../rooms.ts'
import type { Page, Position, Query } from '../../store.ts'

/** Minimum size of a page that is read because the one before had only streaming entries. */
const NEXT_LIMIT = 100

/** Selects the entries before a position on the wire, or those after it. Exactly one of the two positions is present. */
export interface HistoryQuery extends Pick<Query, 'limit' | 'maxBytes'> {
  readonly before?: Position | undefined
  readonly after?: Position | undefined
}

/**
 * Reads entries for a membership, and calls `answer` with them in the tick in which the member is still allowed to read them.
 * @throws Forbidden, HookFailed
 */
export async function sendHistory (
  membership: Membership, query: HistoryQuery, hooks: Hooks, rooms: Rooms, answer: (page: Page) => void
): Promise<void> {
  const { forms: { member }, room } = membership
  const action = 'history'
  const read = async (query: Query) => {
    await rooms.turns.wait(query.limit)
    return await rooms.read(room, query)
  }
  await readWhileAllowed(membership, action, async () => {
    await authorize(hooks, { member, action, room })
    return await readHistory(read, query, membership.reader)
  }, answer)
}

/**
 * Resolves with the entries that a query selects. For a client without changes, a page has no streaming entries. If it has no other
 * entries, reads on in the same direction, because the client would have no position from which to request the next page.
 * @param reader id of a member that receives changes; undefined for any other
 */
async function readHistory (
  read: (query: Query) => Promise<Page>, { before, after, limit, maxBytes }: HistoryQuery, reader: string | undefined
): Promise<Page> {
  const isForward = after !== undefined
  const from = (position: Position) => isForward ? { after: position } : { before: position }
  let page = await read({ ...from(entryPosition(after ?? before!)), limit, maxBytes, for: reader })
  if (reader !== undefined) return page
  for (;;) {
    const entries = page.entries.filter(({ streaming }) => streaming !== true)
    const last = page.entries.at(isForward ? -1 : 0)
    if (entries.length > 0 || !page.complete || !page.more || last === undefined) {
      return { ...page, entries: isForward ? entries.slice(0, limit) : entries.slice(-limit), more: page.more || entries.length > limit }
    }
    page = await read({ ...from(last.position), limit: Math.max(limit, NEXT_LIMIT), maxBytes })
  }
}

import { authorize, type Hooks } from '../hooks.ts'
import { entryPosition } from './composed-position.ts'
import type { Membership } from './membership.ts'
import { whileAllowed } from './request-rights.ts'
import type { Rooms } from './rooms.ts'
import type { Page, Position, Query } from '../store.ts'

/** Minimum size of a page that is read because the one before had only streaming entries. */
const NEXT_LIMIT = 100

/**
 * Reads older entries for a membership, and calls `answer` with them in the tick in which the member is still allowed to read them.
 * @param before position on the wire
 * @throws Forbidden, HookFailed
 */
export async function sendHistory (
  membership: Membership, before: Position, limit: number, maxBytes: number, hooks: Hooks, rooms: Rooms, answer: (page: Page) => void
): Promise<void> {
  const { forms: { member }, room } = membership
  const action = 'history'
  const ask = async () => await authorize(hooks, { member, action, room })
  const read = async (query: Query) => {
    await rooms.turns.wait(query.limit)
    return await rooms.read(room, query)
  }
  await whileAllowed(membership, action, ask, async () => {
    await ask()
    return await readHistory(read, before, limit, maxBytes, membership.reader)
  }, answer)
}

/**
 * Resolves with the entries before a position. Without changes, a page has no streaming entries. If it has no others, it is read on:
 * the client couldn't name the entry before which to read on.
 * @param before position on the wire @param reader id of a member that receives changes; undefined for any other
 */
async function readHistory (
  read: (query: Query) => Promise<Page>, before: Position, limit: number, maxBytes: number, reader: string | undefined
): Promise<Page> {
  let page = await read({ before: entryPosition(before), limit, maxBytes, for: reader })
  if (reader !== undefined) return page
  for (;;) {
    const entries = page.entries.filter(({ streaming }) => streaming !== true)
    const [oldest] = page.entries
    if (entries.length > 0 || !page.complete || !page.more || oldest === undefined) return { ...page, entries: entries.slice(-limit), more: page.more || entries.length > limit }
    page = await read({ before: oldest.position, limit: Math.max(limit, NEXT_LIMIT), maxBytes })
  }
}

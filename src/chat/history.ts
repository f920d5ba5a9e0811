import { assertPosition, assertProperties } from '../argument-checks.ts'
import { chatEntry, type ChatEntry } from '../chat-entry.ts'
import { InvalidArgument } from '../errors.ts'
import { entryPosition } from '../rooms/batch/composed-position.ts'
import type { Page, Position, Store } from '../store.ts'

/** A page of entries as the app receives it. */
export interface ChatPage extends Pick<Page, 'complete' | 'more' | 'head'> { readonly entries: readonly ChatEntry[] }

/** Selects the entries that `history` returns. */
export interface HistoryQuery {
  /** maximum number of entries, an integer from 0; default 50 */
  readonly limit?: number | undefined
  /** reads the entries before this position; default: the newest entries */
  readonly before?: Position | undefined
}

/** Reads a page of a room for the app. @throws InvalidArgument */
export async function readHistory (store: Store, room: string, query: HistoryQuery): Promise<ChatPage> {
  assertProperties('query', query, ['limit', 'before'])
  const { limit = 50, before } = query
  if (!Number.isSafeInteger(limit) || limit < 0) throw new InvalidArgument('query.limit', 'must be a non-negative integer')
  if (before !== undefined) assertPosition('query.before', before)
  const { entries, complete, more, head } = await store.read(room, { limit, maxBytes: Infinity, ...before !== undefined && { before: entryPosition(before) } })
  return { entries: entries.map((entry) => chatEntry(entry)), complete, more, head }
}

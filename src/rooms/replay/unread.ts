import type { JoinedPage } from '../batch/format.ts'
import type { Cursor, Position } from '../../store.ts'

/**
 * Returns an answer with the number of unread entries up to the end of its page, so that the client can add the messages that follow. If
 * the read position is after that end, the answer has no number: the member receives its read position when it has caught up.
 * @param page `unread` is counted at its head
 * @param end of the page
 * @param readPosition for which it was counted; undefined if there is none
 * @param streams that the member will receive as messages when they end
 */
export function withUnread (page: JoinedPage, end: Cursor, readPosition: Position | undefined, streams: readonly Cursor[] = []): JoinedPage {
  const { head, unread } = page
  if (readPosition === undefined || unread === undefined) return page
  const following = head.offset - end.offset
  if (unread < following) return page
  const first = head.offset - unread + 1
  const unsent = streams.filter(({ offset }) => offset >= first && offset <= end.offset).length
  return { ...page, readPosition, unread: unread - following - unsent }
}

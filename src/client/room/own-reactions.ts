import { targetOf } from '../requests/pending-request.ts'
import type { RequestQueue } from '../requests/request-queue.ts'
import type { Changed } from '../room-events.ts'

/**
 * Returns a whole change with `mine` of the reactions whose requests are under way. The server doesn't know which reactions are the
 * member's own after a break of its connection to the store.
 */
export function withOwnReactions (changed: Changed, queue: RequestQueue): Changed {
  const { room, position, reactions } = changed
  if (reactions === undefined) return changed
  /** The reactions that the member adds (`true`) and removes. */
  const own = new Map<string, boolean>()
  for (const { target, sent, content } of queue.values()) {
    if (target === targetOf(room, position) && sent && content.type === 'react') own.set(content.reaction, content.on)
  }
  return {
    ...changed,
    reactions: reactions.map((reaction) => {
      const mine = reaction.mine ?? own.get(reaction.reaction)
      return mine === undefined ? reaction : { ...reaction, mine }
    })
  }
}

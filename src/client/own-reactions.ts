import type { Changed } from './room-events.ts'

/**
 * Returns a whole change with `mine` of the reactions whose requests are under way. The server doesn't know which reactions are the
 * member's own after a break of its connection to the store.
 * @param own reactions that the member adds (`true`) and removes
 */
export function withOwnReactions (changed: Changed, own: ReadonlyMap<string, boolean>): Changed {
  const { reactions } = changed
  if (reactions === undefined || own.size === 0) return changed
  return {
    ...changed,
    reactions: reactions.map((reaction) => {
      const mine = reaction.mine ?? own.get(reaction.reaction)
      return mine === undefined ? reaction : { ...reaction, mine }
    })
  }
}

import { replaceMessage } from '../../apply-change.ts'
import type { StoredItem } from './timeline-item.ts'

/** The sides of a window on which messages can be loaded. */
export type Side = 'older' | 'newer'

export type HistoryWindow = ReturnType<typeof historyWindow>

/**
 * Returns consecutive messages of a room, oldest first: a bounded part of its history.
 * @param size maximum items; twice as many while the user doesn't follow the newest ones
 * @param anchor position of the joined room: beside it, messages are found while there are no items
 * @param items the first ones; the oldest of them are removed if there are too many
 */
export function historyWindow (size: number, anchor?: string, items: StoredItem[] = []) {
  /** Whether there may be messages before and after the items. While there are newer ones, live messages are not added. */
  const more = { older: false, newer: false }
  /** The loads that are under way. */
  const loads: { [side in Side]?: Promise<void> | undefined } = {}
  /**
   * Live messages since the last load of newer ones began, whose page may not have them. undefined: no load has begun since the last page,
   * or there were too many messages.
   */
  let live: StoredItem[] | undefined
  trim('older')

  /** Returns the position beside which further messages are loaded; undefined before the join. */
  function edge (side: Side): string | undefined { return items.at(side === 'older' ? 0 : -1)?.position ?? anchor }

  /** Removes the items on one side for which the window has no room. */
  function trim (side: Side): void {
    const surplus = items.length - size
    if (surplus <= 0) return
    items.splice(side === 'older' ? 0 : size, surplus)
    more[side] = true
  }

  return {
    items,
    more,
    loads,
    edge,
    trim,

    has (position: string): boolean { return items.some((item) => item.position === position) },

    /** Replaces the item at a position, if there is one. Returns whether there is one. */
    update (position: string, change: (item: StoredItem) => StoredItem): boolean {
      const isLive = replaceMessage(live ?? [], position, change)
      return replaceMessage(items, position, change) || isLive
    },

    /** Adds a live message. @param follows whether the user is at the newest items, so that the oldest ones may be removed */
    add (item: StoredItem, follows: boolean): void {
      if (!follows && items.length >= size * 2) more.newer = true
      if (more.newer) {
        if (live !== undefined && live.push(item) > size) live = undefined
      } else {
        items.push(item)
        if (follows) trim('older')
      }
    },

    /** Called when a load of newer messages begins. */
    onLoadNewer (): void { live = [] },

    /** Adds a page of messages on one side, and after the last page on the newer side, the live messages. @param isMore whether another page follows */
    extend (side: Side, page: readonly StoredItem[], isMore: boolean): void {
      if (side === 'older') {
        more.older = isMore
        items.unshift(...page)
        trim('newer')
      } else {
        more.newer = isMore || live === undefined
        items.push(...more.newer ? page : new Map([...page, ...live!].map((item) => [item.position, item])).values())
        trim('older')
        live = undefined
      }
    },

    /** Removes the items before a position, if they have it: the server no longer keeps them. Returns whether they have it. */
    dropBefore (oldest: string): boolean {
      const index = items.findIndex(({ position }) => position === oldest)
      if (index < 0) return false
      items.splice(0, index)
      more.older = false
      return true
    }
  }
}

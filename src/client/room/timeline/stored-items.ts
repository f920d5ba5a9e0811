import type { Change, Message } from '../../../messages.ts'
import { applyChange } from '../../apply-change.ts'
import { PAGE_SIZE } from '../../bounds.ts'
import type { Deliveries } from '../deliveries.ts'
import { ChatError } from '../../error.ts'
import type { Joined } from '../../room-events.ts'
import type { RoomClient } from '../room-client.ts'
import { historyWindow, type HistoryWindow, type Side } from './history-window.ts'
import type { OwnPosts } from './own-posts.ts'
import type { StoredItem } from './timeline-item.ts'

/** The feature of a server that has pages of newer messages. */
const newerPages = 'history-after'

/** The room of a timeline. */
export interface TimelineRoom { readonly name: string }

export type StoredItems = ReturnType<typeof storedItems>

/**
 * Returns the stored messages of a timeline: a window of the room's history. Loads pages into the window, and replaces it at a jump and at
 * a break, after which messages may be missing.
 * @param size maximum messages in the window
 * @param onChange called when the state of a load has changed
 */
export function storedItems (
  room: TimelineRoom, { pages, server }: RoomClient, deliveries: Deliveries, posts: OwnPosts, size: number, onChange: () => void
) {
  let window = historyWindow(size)
  /** The window of the last jump, while its pages are under way. */
  let next: HistoryWindow | undefined
  let follows = true
  /** Number of messages on each side that a new window has room for, at most a page. */
  const half = Math.min(PAGE_SIZE, size >> 1)

  /** Replaces the window, by default by one with the newest message. */
  function start (messages: readonly Message[] = deliveries.newest, position = deliveries.position): void {
    window = historyWindow(size, position, messages.map(itemOf))
    window.more.older = true
    next = undefined
  }

  /** Starts anew, and keeps the items before. */
  function startAfterBreak (messages?: readonly Message[], position?: string): void {
    const { shown } = items
    if (shown.length > 0) items.earlier = shown
    start(messages, position)
    posts.onBreak()
  }

  function itemOf (message: Message): StoredItem {
    const own = server.isOwn(message.from)
    return { ...message, key: posts.keyOf(message.position, own), state: 'stored', own }
  }

  /** Loads a page into a window. Resolves with whether it was added: not if the window was replaced or trimmed meanwhile. */
  async function extend (target: HistoryWindow, side: Side, limit = half): Promise<boolean> {
    const edge = target.edge(side)!
    if (side === 'newer') {
      server.assertSupports(newerPages)
      target.onLoadNewer()
    }
    const { messages, more, complete } = await pages.history(room, edge, limit, side === 'older' ? 'before' : 'after')
    if ((target !== window && target !== next) || edge !== target.edge(side)) return false
    if (!complete && target === next) throw new ChatError('not_kept', 'the server no longer keeps the message')
    const isBroken = !complete && side === 'newer'
    if (isBroken) startAfterBreak()
    else target.extend(side, messages.map(itemOf), more)
    return !isBroken
  }

  /** Lets the jump that is under way have no effect. */
  function dropJump (): void { next = undefined }

  /** Replaces the window by one around a position. */
  async function jumpTo (position: string): Promise<void> {
    if (window.has(position)) return dropJump()
    server.assertSupports(newerPages)
    const target = next = historyWindow(size, position)
    // Live messages don't follow the pages.
    target.more.newer = true
    try {
      // The older page ends before the message.
      if (!await extend(target, 'older') || !await extend(target, 'newer')) return
      if (!target.has(position) && target.items.length > 0 && !await extend(target, 'older', 1)) return
      // Own posts keep the keys with which they are shown.
      for (const { position, key } of window.items) target.update(position, (item) => ({ ...item, key }))
      window = target
      onChange()
    } finally {
      if (next === target) next = undefined
    }
  }

  async function loadPage (target: HistoryWindow, side: Side, limit: number): Promise<void> {
    try {
      // Pages end before a position, so the message at the position of the join isn't in the one before it.
      if (side === 'older' && target.items.length === 0 && server.supports(newerPages)) await jumpTo(target.edge(side)!)
      else await extend(target, side, limit)
    } finally {
      target.loads[side] = undefined
      onChange()
    }
  }

  /** Loads a page, if there may be one. A second call meanwhile returns the same promise. */
  function load (side: Side, limit = PAGE_SIZE): Promise<void> {
    if (!window.more[side]) return Promise.resolve()
    const loading = window.loads[side] ??= loadPage(window, side, limit)
    onChange()
    return loading
  }

  /** Replaces the item at a position, if there is one. Returns whether the window has one. */
  function update (position: string, change: (item: StoredItem) => StoredItem): boolean {
    next?.update(position, change)
    return window.update(position, change)
  }

  function change (change: Change): void { update(change.position, (item) => applyChange(item, change) as StoredItem) }

  /** Adds a live message. */
  function add (message: Message): void {
    // A page of newer messages may have it already.
    const windows = [window, next].filter((each) => each?.has(message.position) === false)
    if (windows.length === 0) return
    const item = itemOf(message)
    for (const each of windows) each!.add(item, follows && each === window && each.loads.older === undefined)
  }

  const items = {
    /** The items before a break. */
    earlier: undefined as StoredItem[] | undefined,
    load,
    jumpTo,
    add,
    change,
    update,
    dropJump,

    get window (): HistoryWindow { return window },

    /** The items of the window that are not hidden. */
    get shown (): StoredItem[] { return window.items.filter(({ position }) => !posts.hides(position)) },

    /** Replaces the window by the newest messages. */
    jumpToNewest (): Promise<void> {
      start()
      return load('older', half)
    },

    /** @param on whether the user is at the newest items */
    follow (on: boolean): void {
      follows = on
      if (on) window.trim('older')
    },

    /** Called with each answer to a join. */
    onJoined ({ complete, messages, changes = [], oldest, position }: Joined): void {
      if (window.edge('newer') === undefined) start(messages, position)
      else if (!complete) startAfterBreak(messages, position)
      else {
        // All items of a window that doesn't reach the newest message may be older than the oldest one that the server keeps.
        if (oldest !== undefined && !window.dropBefore(oldest) && window.more.newer) startAfterBreak()
        changes.forEach(change)
        messages.forEach(add)
      }
    }
  }
  return items
}

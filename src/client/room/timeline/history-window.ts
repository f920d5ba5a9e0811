import type { StoredItem } from './timeline-item.ts'

/** The sides of a window on which messages can be loaded. */
export type Side = 'older' | 'newer'

/** Consecutive messages of a room, oldest first: a bounded part of its history. */
export class HistoryWindow {
  readonly items: StoredItem[] = []
  /** Whether there may be messages before and after the items. While there are newer ones, live messages are not added. */
  readonly more = { older: false, newer: false }
  /** The loads that are under way. */
  readonly loads: { [side in Side]?: Promise<void> | undefined } = {}
  /** Position of the joined room: beside it, messages are found while there are no items. undefined: before the join. */
  declare readonly anchor: string | undefined
  /** Live messages since a load of newer ones has begun: its page may not have them. undefined: no load, or too many of them. */
  declare live: StoredItem[] | undefined
  readonly #size: number

  /**
   * @param size maximum items; twice as many while the user doesn't follow the newest ones
   * @param items the first ones; the oldest of them are removed if there are too many
   */
  constructor (size: number, anchor?: string, items: readonly StoredItem[] = []) {
    this.#size = size
    this.anchor = anchor
    this.items.push(...items)
    this.trim('older')
  }

  /** Returns the position beside which further messages are loaded. */
  edge (side: Side): string | undefined { return this.items.at(side === 'older' ? 0 : -1)?.position ?? this.anchor }

  has (position: string): boolean { return this.items.some((item) => item.position === position) }

  /** Replaces the item at a position, if there is one. Returns whether there is one. */
  update (position: string, change: (item: StoredItem) => StoredItem): boolean {
    let isFound = false
    for (const items of [this.items, this.live ?? []]) {
      const index = items.findLastIndex((item) => item.position === position)
      if (index < 0) continue
      items[index] = change(items[index]!)
      isFound = true
    }
    return isFound
  }

  /** Adds a live message. @param follows whether the user is at the newest items, so that the oldest ones may be removed */
  add (item: StoredItem, follows: boolean): void {
    if (!follows && this.items.length >= this.#size * 2) this.more.newer = true
    if (this.more.newer) {
      if (this.live !== undefined && this.live.push(item) > this.#size) this.live = undefined
    } else {
      this.items.push(item)
      if (follows) this.trim('older')
    }
  }

  /** Adds a page of messages on one side, and after the last page on the newer side, the live messages. @param more whether another page follows */
  extend (side: Side, items: readonly StoredItem[], more: boolean): void {
    if (side === 'older') {
      this.more.older = more
      this.items.unshift(...items)
      this.trim('newer')
    } else {
      this.more.newer = more || this.live === undefined
      const added = this.more.newer ? items : new Map([...items, ...this.live!].map((item) => [item.position, item])).values()
      this.items.push(...added)
      this.trim('older')
    }
  }

  /** Removes the items on one side for which the window has no room. */
  trim (side: Side): void {
    const surplus = this.items.length - this.#size
    if (surplus <= 0) return
    this.items.splice(side === 'older' ? 0 : this.#size, surplus)
    this.more[side] = true
  }

  /** Removes the items before a position, if they have it: the server no longer keeps them. Returns whether they have it. */
  dropBefore (oldest: string): boolean {
    const index = this.items.findIndex(({ position }) => position === oldest)
    if (index < 0) return false
    this.items.splice(0, index)
    this.more.older = false
    return true
  }
}

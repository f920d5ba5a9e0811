import type { Change, Message } from '../../../messages.ts'
import { applyChange } from '../../apply-change.ts'
import { PAGE_SIZE } from '../../bounds.ts'
import type { Deliveries } from '../deliveries.ts'
import { ChatError, unsupported } from '../../error.ts'
import type { HistoryPage, Joined } from '../../room-events.ts'
import type { RoomClient } from '../room-client.ts'
import { HistoryWindow, type Side } from './history-window.ts'
import type { OwnPosts } from './own-posts.ts'
import type { StoredItem } from './timeline-item.ts'

const directions = { older: 'before', newer: 'after' } as const

/** The room of a timeline. */
export interface TimelineRoom {
  readonly name: string
  readonly position: string | undefined
}

/**
 * The stored messages of a timeline: a window of the room's history. Loads pages into the window, and replaces it at a jump and at a
 * break, after which messages may be missing.
 */
export class StoredItems {
  readonly #room: TimelineRoom
  readonly #client: RoomClient
  readonly #deliveries: Deliveries
  readonly #posts: OwnPosts
  readonly #size: number
  readonly #onChange: () => void
  #window: HistoryWindow
  /** The window of the last jump, while its pages are under way. */
  #next: HistoryWindow | undefined
  #follows = true
  /** The items before a break. */
  earlier: StoredItem[] | undefined

  /**
   * @param size maximum messages in the window
   * @param onChange called when the state of a load has changed
   */
  constructor (
    room: TimelineRoom, client: RoomClient, deliveries: Deliveries, posts: OwnPosts, size: number, onChange: () => void
  ) {
    this.#room = room
    this.#client = client
    this.#deliveries = deliveries
    this.#posts = posts
    this.#size = size
    this.#onChange = onChange
    this.#window = new HistoryWindow(size)
  }

  get window (): HistoryWindow { return this.#window }

  /** The items of the window that are not hidden. */
  get shown (): StoredItem[] { return this.#window.items.filter(({ position }) => !this.#posts.hides(position)) }

  /** Number of messages on each side that a new window has room for, at most a page. */
  get #half (): number { return Math.min(PAGE_SIZE, this.#size >> 1) }

  /** Loads a page, if there may be one. A second call meanwhile returns the same promise. */
  load (side: Side, limit = PAGE_SIZE): Promise<void> {
    const window = this.#window
    if (!window.more[side]) return Promise.resolve()
    const load = window.loads[side] ??= this.#loadPage(window, side, limit).finally(() => {
      window.loads[side] = undefined
      if (side === 'newer') window.live = undefined
      this.#onChange()
    })
    this.#onChange()
    return load
  }

  /** Replaces the window by one around a position. */
  async jumpTo (position: string): Promise<void> {
    if (this.#window.has(position)) return
    this.#assertNewer()
    const window = this.#next = new HistoryWindow(this.#size, position)
    /** Resolves with whether no other window has replaced this one meanwhile. */
    const extend = async (side: Side, limit = this.#half): Promise<boolean> => {
      const { messages, more, complete } = await this.#page(window.edge(side)!, limit, side)
      if (this.#next !== window) return false
      if (!complete) throw new ChatError('not_kept', 'the server no longer keeps the message')
      window.extend(side, this.#itemsOf(messages), more)
      return true
    }
    try {
      // Live messages don't follow the pages.
      window.more.newer = true
      // The page ends before the message.
      if (!await extend('older')) return
      window.live = []
      if (!await extend('newer')) return
      window.live = undefined
      if (!window.has(position) && window.items.length > 0 && !await extend('older', 1)) return
      // Own posts keep the keys with which they are shown.
      for (const { position, key } of this.#window.items) window.update(position, (item) => ({ ...item, key }))
      this.#window = window
      this.#onChange()
    } finally {
      if (this.#next === window) this.#next = undefined
    }
  }

  /** Replaces the window by the newest messages. */
  jumpToNewest (): Promise<void> {
    this.#start()
    return this.load('older', this.#half)
  }

  /** @param on whether the user is at the newest items */
  follow (on: boolean): void {
    this.#follows = on
    if (on) this.#window.trim('older')
  }

  /** Called with each answer to a join. */
  onJoined ({ complete, messages, changes = [], oldest, position }: Joined): void {
    if (this.#window.anchor === undefined) this.#start(messages, position)
    else if (!complete) this.#break(messages, position)
    else {
      // All items of a window that doesn't reach the newest message may be older than the oldest one that the server keeps.
      if (oldest !== undefined && !this.#window.dropBefore(oldest) && this.#window.more.newer) this.#break()
      for (const change of changes) this.change(change)
      for (const message of messages) this.add(message)
    }
  }

  /** Adds a live message. */
  add (message: Message): void {
    const { position } = message
    // A page of newer messages may have it already.
    const windows = [this.#window, this.#next].filter((window) => window?.has(position) === false)
    if (windows.length === 0) return
    const item = this.#itemOf(message)
    for (const window of windows) window!.add(item, this.#follows && window === this.#window && window.loads.older === undefined)
  }

  change (change: Change): void { this.update(change.position, (item) => applyChange(item, change) as StoredItem) }

  /** Replaces the item at a position, if there is one. Returns whether the window has one. */
  update (position: string, change: (item: StoredItem) => StoredItem): boolean {
    this.#next?.update(position, change)
    return this.#window.update(position, change)
  }

  /** Starts anew, by default with the newest message. */
  #break (messages?: readonly Message[], position?: string): void {
    const { shown } = this
    if (shown.length > 0) this.earlier = shown
    this.#start(messages, position)
    this.#posts.onBreak()
  }

  #start (messages: readonly Message[] = this.#deliveries.last === undefined ? [] : [this.#deliveries.last], position = this.#room.position!): void {
    this.#window = new HistoryWindow(this.#size, position, this.#itemsOf(messages))
    this.#next = undefined
    this.#window.more.older = true
  }

  async #loadPage (window: HistoryWindow, side: Side, limit: number): Promise<void> {
    const edge = window.edge(side)!
    // Pages end before a position, so the message at the position of the join isn't in the one before it.
    if (side === 'older' && window.items.length === 0 && this.#canLoadNewer) return await this.jumpTo(edge)
    if (side === 'newer') {
      this.#assertNewer()
      window.live = []
    }
    const { messages, more, complete } = await this.#page(edge, limit, side)
    // The window was replaced or trimmed meanwhile.
    if (window !== this.#window || edge !== window.edge(side)) return
    if (side === 'newer' && !complete) this.#break()
    else window.extend(side, this.#itemsOf(messages), more)
  }

  #page (position: string, limit: number, side: Side = 'older'): Promise<HistoryPage> {
    return this.#client.pages.history(this.#room, position, limit, directions[side])
  }

  get #canLoadNewer (): boolean { return this.#client.server.supports('history-after') === true }

  /** @throws ChatError with `unsupported` */
  #assertNewer (): void { if (!this.#canLoadNewer) throw unsupported('history-after') }

  #itemsOf (messages: readonly Message[]): StoredItem[] { return messages.map((message) => this.#itemOf(message)) }

  #itemOf (message: Message): StoredItem {
    const own = message.from !== null && message.from.id === this.#client.server.sender?.id
    return { ...message, key: this.#posts.keyOf(message.position, own), state: 'stored', own }
  }
}

import type { Change, Message } from '../../messages.ts'
import type { ClientTypes, DataOf } from '../app-data.ts'
import { applyChange } from '../apply-change.ts'
import type { Deliveries, Delivery, DeliveryReceiver } from '../deliveries.ts'
import { ChatError, unsupported } from '../error.ts'
import type { Direction } from '../history-requests.ts'
import type { WaitingPost } from '../pending-requests.ts'
import type { HistoryPage, Joined, Sender } from '../room-events.ts'
import type { RoomOperations } from '../room-operations.ts'
import { HistoryWindow, type Side } from './history-window.ts'
import { OwnPosts } from './own-posts.ts'
import { Snapshots } from './snapshots.ts'
import type { StoredItem, TimelineSnapshot } from './timeline-item.ts'
import { TypingMembers } from './typing-members.ts'

const directions = { older: 'before', newer: 'after' } as const

/** Messages of a page, unless the app says otherwise. */
const LIMIT = 50

/** The room of a timeline. */
export interface TimelineRoom<Types extends ClientTypes> {
  readonly name: string
  readonly position: string | undefined
  readonly readPosition: string | undefined
  readonly unread: number | undefined
  post (text: string, data?: DataOf<Types>): PromiseLike<string>
}

/**
 * The messages of a room as an app shows them: a bounded part of its history with all changes, and the own posts that are not
 * stored yet. `getSnapshot` and `subscribe` fit React's `useSyncExternalStore`.
 */
export class Timeline<Types extends ClientTypes = ClientTypes> implements DeliveryReceiver {
  readonly #room: TimelineRoom<Types>
  readonly #operations: RoomOperations
  readonly #deliveries: Deliveries
  readonly #size: number
  readonly #posts = new OwnPosts()
  readonly #typing = new TypingMembers(() => this.#snapshots.onChange())
  readonly #isUnsent = (id: string): boolean => this.#operations.requests.isUnsent(id)
  #window: HistoryWindow
  /** The window of the last jump, while its first page is under way. */
  #next: HistoryWindow | undefined
  #earlier: StoredItem[] | undefined
  /** The read position when the room was joined, if there were unread messages. */
  #readPosition: string | undefined
  #follows = true
  #isClosed = false
  readonly #snapshots: Snapshots<TimelineSnapshot<Types>>

  /** @param size maximum stored messages in the window */
  constructor (room: TimelineRoom<Types>, operations: RoomOperations, deliveries: Deliveries, size: number) {
    this.#room = room
    this.#operations = operations
    this.#deliveries = deliveries
    this.#size = size
    this.#window = new HistoryWindow(size)
    this.#snapshots = new Snapshots(() => this.#snapshot())
  }

  /** Number of messages on each side that a new window has room for, at most a page. */
  get #half (): number { return Math.min(LIMIT, this.#size >> 1) }

  /** Returns the same object until something changes. */
  getSnapshot (): TimelineSnapshot<Types> { return this.#snapshots.get() }

  /**
   * Adds a listener, which is called after changes: at most once a tick, never within the call that makes the change. Returns an
   * unsubscribe function.
   */
  subscribe (listener: () => void): () => void { return this.#snapshots.subscribe(listener) }

  /**
   * Loads older messages, if there are any. The newest ones leave the window if it is full. Resolves when they are in the snapshot.
   * A second call meanwhile returns the same promise. Rejects as `ClientRoom.history`.
   */
  loadOlder (limit?: number): Promise<void> { return this.#load('older', limit) }

  /** Loads newer messages, as `loadOlder`. Rejects with `unsupported` if the server has no pages in this direction. */
  loadNewer (limit?: number): Promise<void> { return this.#load('newer', limit) }

  /** Shows the messages around a position. Rejects as `loadNewer`, and with `not_kept` if the server doesn't have the message. */
  async jumpTo (position: string): Promise<void> {
    if (this.#window.has(position)) return
    this.#assertNewer()
    const window = this.#next = new HistoryWindow(this.#size, position)
    const { messages, more, complete } = await this.#request(position, this.#half)
    if (this.#next !== window) return
    if (!complete) throw new ChatError('not_kept', 'the server no longer keeps the message')
    this.#window = window
    window.prepend(this.#itemsOf(messages), more)
    // The page ends before the message.
    window.hasNewer = true
    await this.#load('newer', this.#half)
    if (this.#window !== window || window.has(position) || window.items.length === 0) return
    window.hasOlder = true
    await this.#load('older', 1)
  }

  /** Shows the newest messages again, if they have left the window. Rejects as `loadOlder`; the newest message is shown anyway. */
  jumpToNewest (): Promise<void> {
    if (!this.#window.hasNewer) return Promise.resolve()
    this.#start()
    return this.#load('older', this.#half)
  }

  /** Reports whether the user is at the newest items. If not, later messages don't remove the oldest items, as long as there is room. */
  follow (on: boolean): void {
    this.#follows = on
    if (on) this.#window.trimOldest()
    this.#snapshots.onChange()
  }

  /** Posts a failed post again, as a new post at the end. */
  retry (key: string): void {
    const item = this.#posts.get(key)
    if (item?.state !== 'failed') return
    this.#posts.delete(key)
    void this.#room.post(item.text, item.data as DataOf<Types>)
  }

  /** Removes a failed post. */
  discard (key: string): void {
    if (this.#posts.get(key)?.state === 'failed') this.#posts.delete(key)
    this.#snapshots.onChange()
  }

  /** Removes `earlier`. */
  dropEarlier (): void {
    this.#earlier = undefined
    this.#snapshots.onChange()
  }

  /** Ends the timeline. The room stays joined. */
  close (): void {
    this.#isClosed = true
    this.#deliveries.timelines.delete(this)
    this.#typing.stop()
    this.#snapshots.close()
  }

  /** Called by the room when its first events were delivered before the timeline was created. */
  startLate (): void {
    this.#start()
    this.#markUnread()
    this.#load('older', this.#half).catch(() => { /* the app can load them again */ })
  }

  /** Called by the room with each post. */
  onPost ({ post, text, data }: WaitingPost): void {
    const key = post.id
    const from = this.#operations.member()
    this.#posts.add({ key, state: 'pending', own: true, text, ...data !== undefined && { data }, at: new Date().toISOString(), from })
    post.then((position) => {
      const { hasNewer } = this.#window
      const isShown = this.#window.update(position, (item) => ({ ...item, key }))
      this.#posts.onStored(key, position, isShown, !hasNewer)
      this.#snapshots.onChange()
    }, (error: unknown) => {
      if (!(error instanceof ChatError)) throw error
      if (!this.#isClosed) this.#posts.onFailed(key, error)
      this.#snapshots.onChange()
    })
    this.#snapshots.onChange()
  }

  /** Called by the room with each of its events. */
  receive (delivery: Delivery): void {
    switch (delivery.type) {
      case 'joined':
      case 'gap':
        this.#onJoined(delivery.type === 'gap' ? delivery.joined : delivery)
        break
      case 'message':
        if (delivery.from !== null) this.#typing.stop(delivery.from.id)
        this.#add(delivery)
        break
      case 'changed':
        this.#change(delivery)
        break
      case 'typing':
        if (delivery.on === false) this.#typing.stop(delivery.from.id)
        else if (!this.#isOwn(delivery.from)) this.#typing.start(delivery.from)
        break
      case 'readPosition':
        if (!this.#room.unread) this.#readPosition = undefined
        break
      case 'end':
        this.#typing.stop()
        this.#posts.onBreak(this.#isUnsent)
    }
    this.#snapshots.onChange()
  }

  #onJoined ({ complete, messages, changes = [], oldest, position }: Joined): void {
    if (this.#window.anchor === undefined) this.#start(messages, position)
    else if (!complete) {
      this.#readPosition = undefined
      this.#break(messages, position)
    } else {
      // All items of a window that doesn't reach the newest message may be older than the oldest one that the server keeps.
      if (oldest !== undefined && !this.#window.dropBefore(oldest) && this.#window.hasNewer) this.#break()
      for (const change of changes) this.#change(change)
      for (const message of messages) this.#add(message)
    }
    this.#markUnread()
  }

  /** Starts anew, by default with the newest message. */
  #break (messages?: readonly Message[], position?: string): void {
    const shown = this.#shown()
    if (shown.length > 0) this.#earlier = shown
    this.#start(messages, position)
    this.#posts.onBreak(this.#isUnsent)
  }

  #start (messages: readonly Message[] = this.#deliveries.last === undefined ? [] : [this.#deliveries.last], position = this.#room.position!): void {
    this.#window = this.#next = new HistoryWindow(this.#size, position)
    this.#window.hasOlder = true
    this.#window.append(this.#itemsOf(messages), false)
  }

  #markUnread (): void {
    if (this.#room.unread) this.#readPosition ??= this.#room.readPosition
  }

  #add (message: Message): void {
    // A page of newer messages may have it already.
    if (!this.#window.has(message.position)) this.#window.add(this.#itemOf(message), this.#follows && this.#window.loads.older === undefined)
  }

  #change (change: Change): void {
    this.#window.update(change.position, (item) => applyChange(item, change) as StoredItem)
  }

  #load (side: Side, limit = LIMIT): Promise<void> {
    const window = this.#window
    if (!(side === 'older' ? window.hasOlder : window.hasNewer)) return Promise.resolve()
    const load = window.loads[side] ??= this.#loadPage(window, side, limit).finally(() => {
      window.loads[side] = undefined
      if (side === 'newer') window.live = undefined
      this.#snapshots.onChange()
    })
    this.#snapshots.onChange()
    return load
  }

  async #loadPage (window: HistoryWindow, side: Side, limit: number): Promise<void> {
    const edge = window.edge(side)!
    // Pages end before a position, so the message at the position of the join isn't in the one before it.
    if (side === 'older' && window.items.length === 0 && this.#operations.canLoadNewer()) return await this.jumpTo(edge)
    if (side === 'newer') {
      this.#assertNewer()
      window.live = []
    }
    const { messages, more, complete } = await this.#request(edge, limit, directions[side])
    // The window was replaced or trimmed meanwhile.
    if (window !== this.#window || edge !== window.edge(side)) return
    if (side === 'older') window.prepend(this.#itemsOf(messages), more)
    else if (complete) window.append(this.#itemsOf(messages), more || window.live === undefined)
    else this.#break()
  }

  #request (position: string, limit: number, direction?: Direction): Promise<HistoryPage> {
    const { history, isJoined } = this.#operations
    return history.request(this.#room.name, position, limit, isJoined(), direction)
  }

  /** @throws ChatError with `unsupported` */
  #assertNewer (): void { if (!this.#operations.canLoadNewer()) throw unsupported('pages of newer messages') }

  #itemsOf (messages: readonly Message[]): StoredItem[] { return messages.map((message) => this.#itemOf(message)) }

  #itemOf (message: Message): StoredItem {
    const own = this.#isOwn(message.from)
    return { ...message, key: this.#posts.keyOf(message.position, own ? this.#isUnsent : undefined), state: 'stored', own }
  }

  #isOwn (sender: Sender | null): boolean { return sender !== null && sender.id === this.#operations.member()?.id }

  #shown (): StoredItem[] { return this.#window.items.filter(({ position }) => !this.#posts.hides(position)) }

  #snapshot (): TimelineSnapshot<Types> {
    const { hasOlder, hasNewer, loads: { older, newer } } = this.#window
    const shown = this.#shown()
    const read = shown.findLastIndex(({ position }) => position === this.#readPosition)
    return {
      items: [...shown, ...this.#posts.items] as TimelineSnapshot<Types>['items'],
      hasOlder,
      hasNewer,
      loading: older !== undefined ? 'older' : newer !== undefined ? 'newer' : undefined,
      earlier: this.#earlier as TimelineSnapshot<Types>['earlier'],
      unread: this.#room.unread,
      firstUnread: this.#readPosition === undefined || (read < 0 && hasOlder) ? undefined : shown[read + 1]?.key,
      typing: this.#typing.list
    }
  }
}

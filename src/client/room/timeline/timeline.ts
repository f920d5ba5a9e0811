import type { ClientTypes, DataOf } from '../../app-data.ts'
import type { Deliveries, Delivery, DeliveryReceiver } from '../deliveries.ts'
import { ChatError } from '../../error.ts'
import type { WaitingPost } from '../../requests/request-queue.ts'
import type { RoomClient } from '../room-client.ts'
import { ownPosts, type OwnPosts } from './own-posts.ts'
import { snapshots, type Snapshots } from './snapshots.ts'
import { storedItems, type StoredItems, type TimelineRoom } from './stored-items.ts'
import type { TimelineSnapshot } from './timeline-item.ts'
import { typingMembers } from './typing-members.ts'

interface Room<Types extends ClientTypes> extends TimelineRoom {
  readonly readPosition: string | undefined
  readonly unread: number | undefined
  post (text: string, data?: DataOf<Types>): PromiseLike<string>
}

/**
 * The messages of a room as an app shows them: a bounded part of its history with all changes, and the own posts that are not
 * stored yet. `getSnapshot` and `subscribe` fit React's `useSyncExternalStore`.
 */
export class Timeline<Types extends ClientTypes = ClientTypes> implements DeliveryReceiver {
  readonly #room: Room<Types>
  readonly #client: RoomClient
  readonly #deliveries: Deliveries
  readonly #posts: OwnPosts
  readonly #stored: StoredItems
  readonly #typing = typingMembers(() => this.#snapshots.onChange())
  /** The read position when the room was joined, if there were unread messages. */
  #readPosition: string | undefined
  #isClosed = false
  readonly #snapshots: Snapshots<TimelineSnapshot<Types>>

  /** @param size maximum stored messages in the window */
  constructor (room: Room<Types>, client: RoomClient, deliveries: Deliveries, size: number) {
    this.#room = room
    this.#client = client
    this.#deliveries = deliveries
    this.#posts = ownPosts((id) => client.requests.queue.get(id)?.sent === false)
    this.#stored = storedItems(room, client, deliveries, this.#posts, size, () => this.#snapshots.onChange())
    this.#snapshots = snapshots(() => this.#snapshot())
  }

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
  loadOlder (limit?: number): Promise<void> { return this.#stored.load('older', limit) }

  /** Loads newer messages, as `loadOlder`. Rejects with `unsupported` if the server has no pages in this direction. */
  loadNewer (limit?: number): Promise<void> { return this.#stored.load('newer', limit) }

  /** Shows the messages around a position. Rejects as `loadNewer`, and with `not_kept` if the server doesn't have the message. */
  jumpTo (position: string): Promise<void> { return this.#stored.jumpTo(position) }

  /** Shows the newest messages again, if they have left the window. Rejects as `loadOlder`; the newest message is shown anyway. */
  jumpToNewest (): Promise<void> {
    if (this.#stored.window.more.newer) return this.#stored.jumpToNewest()
    this.#stored.dropJump()
    return Promise.resolve()
  }

  /** Reports whether the user is at the newest items. If not, later messages don't remove the oldest items, as long as there is room. */
  follow (on: boolean): void {
    this.#stored.follow(on)
    this.#snapshots.onChange()
  }

  /** Posts a failed post again, as a new post at the end. */
  retry (key: string): void {
    // A closed timeline doesn't handle the rejection of the new post.
    const item = this.#isClosed ? undefined : this.#posts.takeFailed(key)
    if (item !== undefined) void this.#room.post(item.text, item.data as DataOf<Types>)
  }

  /** Removes a failed post. */
  discard (key: string): void {
    this.#posts.takeFailed(key)
    this.#snapshots.onChange()
  }

  /** Removes `earlier`. */
  dropEarlier (): void {
    this.#stored.earlier = undefined
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
    this.#markUnread()
    this.#stored.jumpToNewest().catch(() => { /* the app can load them again */ })
  }

  /** Called by the room with each post. */
  onPost ({ post, text, data }: WaitingPost): void {
    const key = post.id
    const from = this.#client.server.sender
    this.#posts.add({ key, state: 'pending', own: true, text, ...data !== undefined && { data }, at: new Date().toISOString(), from })
    post.then((position) => {
      const isShown = this.#stored.update(position, (item) => ({ ...item, key }))
      this.#posts.onStored(key, position, isShown, !this.#stored.window.more.newer)
      this.#snapshots.onChange()
    }, (error: unknown) => {
      // A TypeError: `data` can't be serialized.
      if (!this.#isClosed) this.#posts.onFailed(key, error instanceof ChatError ? error : new ChatError('invalid', String(error)))
      this.#snapshots.onChange()
    })
    this.#snapshots.onChange()
  }

  /** Called by the room with each of its events. */
  receive (delivery: Delivery): void {
    switch (delivery.type) {
      case 'joined':
        if (!delivery.complete) this.#readPosition = undefined
        this.#stored.onJoined(delivery)
        this.#markUnread()
        break
      case 'message':
        if (delivery.from !== null) this.#typing.stop(delivery.from.id)
        this.#stored.add(delivery)
        break
      case 'changed':
        this.#stored.change(delivery)
        break
      case 'typing':
        if (delivery.on === false) this.#typing.stop(delivery.from.id)
        else if (!this.#client.server.isOwn(delivery.from)) this.#typing.start(delivery.from)
        break
      case 'readPosition':
        if (!this.#room.unread) this.#readPosition = undefined
        break
      case 'end':
        this.#typing.stop()
        this.#posts.onBreak()
    }
    this.#snapshots.onChange()
  }

  #markUnread (): void {
    if (this.#room.unread) this.#readPosition ??= this.#room.readPosition
  }

  #snapshot (): TimelineSnapshot<Types> {
    const { shown, earlier, window: { more: { older: hasOlder, newer: hasNewer }, loads: { older, newer } } } = this.#stored
    const read = shown.findLastIndex(({ position }) => position === this.#readPosition)
    return {
      items: [...shown, ...this.#posts.items()] as TimelineSnapshot<Types>['items'],
      hasOlder,
      hasNewer,
      loading: older !== undefined ? 'older' : newer !== undefined ? 'newer' : undefined,
      earlier: earlier as TimelineSnapshot<Types>['earlier'],
      unread: this.#room.unread,
      firstUnread: this.#readPosition === undefined || (read < 0 && hasOlder) ? undefined : shown[read + 1]?.key,
      typing: this.#typing.list()
    }
  }
}

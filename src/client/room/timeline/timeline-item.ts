import type { ClientTypes, DataOf, Message } from '../../app-data.ts'
import type { ChatError } from '../../error.ts'
import type { Sender } from '../../room-events.ts'

/** A stored message. key: its position, or for a post that this client has shown as pending, the id of the post. */
export type StoredItem<Data = unknown> = Message<Data> & {
  readonly key: string
  readonly state: 'stored'
  /** Whether this client's member is the author. */
  readonly own: boolean
}

/** An own post that is pending or has failed. key: the id of the post. */
export interface UnstoredItem<Data = unknown> {
  readonly key: string
  readonly state: 'pending' | 'failed'
  readonly own: true
  readonly text: string
  readonly data?: Data
  /** Time of the post in ISO 8601, by this device's clock. */
  readonly at: string
  /** This client's member; null before the first connection. */
  readonly from: Sender | null
  /** Why the post has failed. */
  readonly error?: ChatError
}

/** One line of a timeline: a stored message, or an own post that is pending or has failed. */
export type TimelineItem<Data = unknown> = StoredItem<Data> | UnstoredItem<Data>

/** The state of a timeline. A later snapshot has the same objects for what has not changed. */
export interface TimelineSnapshot<Types extends ClientTypes = ClientTypes> {
  /** Stored messages, oldest first, then the posts that are pending or have failed, in the order of posting. */
  readonly items: ReadonlyArray<TimelineItem<DataOf<Types>>>
  /** Whether there may be older messages to load. */
  readonly hasOlder: boolean
  /** Whether there are newer messages to load: the items don't reach the newest message. */
  readonly hasNewer: boolean
  readonly loading: 'older' | 'newer' | undefined
  /** The stored messages before a break, after which messages may be missing. Never show them as one list with `items`. */
  readonly earlier: ReadonlyArray<TimelineItem<DataOf<Types>>> | undefined
  /** Number of unread messages of the room. */
  readonly unread: number | undefined
  /** Key of the first item that was unread when the room was joined, until all messages are marked as read. */
  readonly firstUnread: string | undefined
  /** The other members that are typing. */
  readonly typing: readonly Sender[]
}

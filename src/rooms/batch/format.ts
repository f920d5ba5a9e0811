import type { Revision } from '../../change.ts'
import type { Framing, Payload } from '../../connection/writer.ts'
import type { MergedChange, OwnReactions } from './merged-change.ts'
import type { RoomSignal } from './signal.ts'
import type { Presence, PresentMember } from '../../roster.ts'
import type { Entry, Page, Position } from '../../store.ts'

/**
 * A page as the answer to a join contains it. position: of the member, on the wire. readPosition: the read position for which `unread`
 * was counted; undefined if there is none.
 */
export interface JoinedPage extends Page { readonly position: Position, readonly readPosition?: Position | undefined }

/** Why a member is no longer in a room. message: for the member. */
export interface Revocation { readonly code: 'removed' | 'forbidden', readonly message: string }

/** Encodes the messages of a room for one wire. Entries and signals MUST be encoded equally for all members: batches share them. */
export interface Format {
  /** Frames entries, changes and signals for the transport of the wire. */
  readonly framing: Framing
  /** Another format whose entries and changes have the same payloads. A batch encodes them once for both. */
  readonly sameEntriesAs?: Format
  /** Another format with the same framing, entries that never changed, and signals. A batch without changes is encoded once for both. */
  readonly withoutChanges?: Format
  /** @param entry with its position on the wire. A wire without changes has no streaming ones */
  entry (room: string, entry: Entry): Payload
  /**
   * Returns the message of a change. Absent if the wire has none.
   * @param own reactions of the receiver; undefined if they are not known, or unchanged
   */
  change? (room: string, change: MergedChange, own?: OwnReactions): Payload
  /** Returns undefined if the wire has no message for the signal. */
  signal (room: string, signal: RoomSignal): Payload | undefined
  /**
   * Returns the acknowledgement of a post or a change; undefined if the wire has none.
   * @param id of the request, chosen by the client
   * @param revision of a change
   */
  ack (room: string, id: string, position: Position, revision?: Revision): string | undefined
  /** Returns the answer to a join. The same messages are sent when the view of a member is no longer valid. */
  joined (room: string, page: JoinedPage, presence: Presence, member: PresentMember): readonly Payload[]
  /** Returns the message for a read position that another connection has moved. Absent if the wire has none. */
  read? (room: string, position: Position): Payload
  /** Returns the message for a read position that was removed. Absent if the wire has none. */
  forgotten? (room: string): Payload
  /** Returns the message for a member that may no longer be in a room. Absent if the wire has none: the connection is closed instead. */
  left? (room: string, code: Revocation['code'], message: string): Payload
}

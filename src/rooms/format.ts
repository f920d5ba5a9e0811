import type { Framing, Payload } from '../connection/writer.ts'
import type { RoomSignal } from './signal.ts'
import type { Presence } from '../roster.ts'
import type { Entry, Member, Page, Position } from '../store.ts'

/** Encodes the messages of a room for one wire. Entries and signals MUST be encoded equally for all members: batches share them. */
export interface Format {
  /** Frames entries and signals for the transport of the wire. */
  readonly framing: Framing
  /** Another format whose entries have the same payloads. A batch encodes them once for both. */
  readonly sameEntriesAs?: Format
  entry (room: string, entry: Entry): Payload
  /** Returns undefined if the wire has no message for the signal. */
  signal (room: string, signal: RoomSignal): Payload | undefined
  /** Returns the acknowledgement of a post; undefined if the wire has none. @param id of the post, chosen by the client */
  ack (room: string, id: string, position: Position): string | undefined
  /** Returns the answer to a join. The same messages are sent when the view of a member is no longer valid. */
  joined (room: string, page: Page, presence: Presence, member: Member): readonly Payload[]
}

import type { Changed } from '../../change.ts'
import type { Payload } from '../../connection/writer.ts'
import type { Format } from './format.ts'
import type { WholeMessage } from './outstanding-streams.ts'
import { merge, ownReaction, ownReactions, reactionsOf, wholeChange } from './merged-change.ts'
import type { Entry, Member } from '../../store.ts'

/** How a member receives the messages of a room. */
export interface MembershipOptions {
  readonly format: Format
  /** whether the member receives its own messages */
  readonly includeSender: boolean
}

/** A member that receives the messages of a room. */
export interface Receiver extends MembershipOptions {
  readonly member: Member
  /** Name of the room. */
  readonly room: string
}

/** Returns whether a member receives an entry. */
export function receives ({ includeSender, member }: Receiver, { from }: Entry): boolean { return includeSender || from?.id !== member.id }

/** Returns the messages for entries that a member missed. */
export function encodeEntries (receiver: Receiver, entries: readonly Entry[]): Payload[] {
  return entries.filter((entry) => receives(receiver, entry)).map((entry) => receiver.format.entry(receiver.room, entry))
}

/** Returns the messages that a member without changes missed. */
export function encodeMessages (receiver: Receiver, messages: readonly WholeMessage[]): Payload[] {
  return encodeEntries(receiver, messages.map(({ entry }) => entry))
}

/** Returns the messages for entries that changed; none if the wire has no changes. @param entries read for this member */
export function encodeChanged ({ format: { change }, room }: Receiver, entries: readonly Entry[]): Payload[] {
  return change === undefined ? [] : entries.map((entry) => change(room, wholeChange(entry), ownReactions(entry)))
}

/** Returns the messages for changes that a member missed; none if the wire has no changes. */
export function encodeChanges ({ format: { change }, room, member }: Receiver, changes: readonly Changed[]): Payload[] {
  return change === undefined ? [] : changes.map((each) => change(room, merge(undefined, each), ownReaction(each, member.id)))
}

/** Returns the message for the reactions of an entry; undefined if the wire has no changes. @param entry read for this member */
export function encodeReactions ({ format: { change }, room }: Receiver, entry: Entry): Payload | undefined {
  return change?.(room, reactionsOf(wholeChange(entry)), ownReactions(entry))
}

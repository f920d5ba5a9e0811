import type { Connection } from '../connection/connection.ts'
import type { Format } from './format.ts'
import type { Presence } from '../roster.ts'
import type { Member } from '../store.ts'

/** A peer's part in one room. */
export interface Membership {
  readonly connection: Connection
  readonly format: Format
  readonly member: Member
  readonly hearsItself: boolean
  /** Offset up to which the member needs no more entries. */
  mark: number
  /** The presence that was sent with `joined`, while the member catches up; undefined afterwards. */
  presence: Presence | undefined
  /** The epoch of the room in which `mark` was set: offsets of different epochs can't be compared. */
  epoch: number
  /** Acknowledgements that wait for the message at offset `n`; undefined for none. */
  acks: Array<{ readonly n: number, readonly text: string }> | undefined
}

/**
 * Sends an acknowledgement in the same write as its message. Sends it at once if the message was written already, or if the
 * epoch has changed since.
 * @param n offset of the message
 * @param epoch the membership's when the message was posted
 */
export function acknowledge (membership: Membership, n: number, epoch: number, text: string): void {
  if (membership.mark >= n || membership.epoch !== epoch) membership.connection.writer.reply(text)
  else {
    (membership.acks ??= []).push({ n, text })
    membership.connection.writer.charge(costOf(text))
  }
}

/** Sends all waiting acknowledgements. Called when their messages will no longer be written. */
export function acknowledgeAll (membership: Membership): void {
  const { acks = [] } = membership
  membership.acks = undefined
  for (const { text } of acks) {
    membership.connection.writer.release(costOf(text))
    membership.connection.writer.reply(text)
  }
}

/** Removes the acknowledgements of messages up to `mark`, and returns them; undefined for none. */
export function takeAcks (membership: Membership): string[] | undefined {
  const { acks, mark } = membership
  if (acks === undefined) return undefined
  const due = acks.filter(({ n }) => n <= mark)
  if (due.length === 0) return undefined
  membership.acks = due.length === acks.length ? undefined : acks.filter(({ n }) => n > mark)
  for (const { text } of due) membership.connection.writer.release(costOf(text))
  return due.map(({ text }) => text)
}

/** Returns the bytes of memory of an acknowledgement: its text, the strings that it is joined from, and its record. */
function costOf (text: string): number { return 256 + 2 * text.length }

import type { Connection } from '../connection/connection.ts'
import { frame, frames, type Payload } from '../connection/frame.ts'
import type { Signal } from './presence-diff.ts'
import type { Presence } from '../roster.ts'
import type { Entry, Member, Page } from '../store.ts'

/** How a room speaks to the members of one wire, the same to all of them. */
export interface Format {
  /** The one whose entries, deflated, are this one's in a batch. */
  readonly deflates?: Format
  entry (room: string, entry: Entry): Payload
  /** Undefined where the wire has no word for it. */
  notice (room: string, notice: Signal): Payload | undefined
  /** The answer to a join, and what a member is told when its view of the room no longer holds. */
  joined (room: string, page: Page, presence: Presence, member: Member): readonly Payload[]
}

/** One member's place in a room. */
export interface Membership {
  readonly connection: Connection
  readonly format: Format
  readonly member: Member
  readonly hearsItself: boolean
  /** Everything up to this number was given to it. */
  mark: number
  /** Who was there as it was last told. */
  presence: Presence | undefined
  /** Of the room, when `mark` was set: numbers of two lives don't compare. */
  epoch: number
  /** Acknowledgements that follow their own message, in its order; undefined for none. */
  acks: Array<{ readonly n: number, readonly text: string }> | undefined
}

/**
 * Sends an acknowledgement in the write of its own message, or at once when that is behind the member already.
 * @param life the seat's when it was posted
 */
export function acknowledge (seat: Membership, n: number, life: number, text: string): void {
  if (seat.mark >= n || seat.epoch !== life) seat.connection.reply(frame(text))
  else {
    (seat.acks ??= []).push({ n, text })
    seat.connection.owe(costOf(text))
  }
}

/** Sends the acknowledgements whose messages will not come any more. */
export function acknowledgeAll (seat: Membership): void {
  const { acks = [] } = seat
  seat.acks = undefined
  for (const { text } of acks) {
    seat.connection.owe(-costOf(text))
    seat.connection.reply(frame(text))
  }
}

/** Takes the acknowledgements whose messages the member has by now. */
export function takeAcks (seat: Membership): Buffer | undefined {
  const { acks, mark } = seat
  if (acks === undefined) return undefined
  const due = acks.filter(({ n }) => n <= mark)
  if (due.length === 0) return undefined
  seat.acks = due.length === acks.length ? undefined : acks.filter(({ n }) => n > mark)
  for (const { text } of due) seat.connection.owe(-costOf(text))
  return frames(due.map(({ text }) => text)).bytes
}

/** Bytes of memory of an acknowledgement: its text, with what that was put together of, and its place. */
function costOf (text: string): number { return 256 + 2 * text.length }

import type { Changed } from '../change.ts'
import type { Payload } from '../connection/writer.ts'
import type { Format } from './format.ts'
import { merge, ownReaction, ownReactions, wholeChange } from './merged-change.ts'
import type { Entry, Member } from '../store.ts'

/** How a member receives the messages of a room. */
export interface MembershipOptions {
  readonly format: Format
  /** whether the member receives its own messages */
  readonly includeSender: boolean
}

/** Encodes messages for one member of a room, apart from batches. */
export class MemberEncoder {
  readonly #room: string
  readonly #memberId: string
  readonly #options: MembershipOptions

  constructor (room: string, { id }: Member, options: MembershipOptions) {
    this.#room = room
    this.#memberId = id
    this.#options = options
  }

  entries (entries: readonly Entry[]): Payload[] {
    const { format, includeSender } = this.#options
    return entries.filter(({ from }) => includeSender || from?.id !== this.#memberId).map((entry) => format.entry(this.#room, entry))
  }

  /** Returns the changes that lead to these entries; none if the wire has no changes. @param entries read for this member */
  changed (entries: readonly Entry[]): Payload[] {
    const { change } = this.#options.format
    return change === undefined ? [] : entries.map((entry) => change(this.#room, wholeChange(entry), ownReactions(entry)))
  }

  /** Returns these changes; none if the wire has no changes. */
  changes (changes: readonly Changed[]): Payload[] {
    const { change } = this.#options.format
    return change === undefined ? [] : changes.map((each) => change(this.#room, merge(undefined, each), ownReaction(each, this.#memberId)))
  }
}

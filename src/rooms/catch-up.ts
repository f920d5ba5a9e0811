import type { Head } from '../change.ts'
import type { FanOut } from './fan-out.ts'
import type { Later, Membership } from './membership/membership.ts'
import { Recent } from './replay/recent.ts'
import type { Rings } from './replay/ring.ts'
import type { Presence } from '../roster.ts'
import type { FeedPage } from '../store.ts'
import type { WholeReplay } from './replay/whole-replay.ts'

/** The newest entries that members receive when their view is no longer valid. */
export const NEWEST = { limit: 50, maxBytes: 64 * 1024 }

/** Keeps what the store delivers while memberships catch up, and adds them to the fan-out without gaps or duplicates. */
export class CatchUp {
  readonly #room: { readonly presence: Presence }
  readonly #fanOut: FanOut
  readonly #recent: Recent
  #epoch = 0

  constructor (room: { readonly presence: Presence }, fanOut: FanOut, rings: Rings) {
    this.#room = room
    this.#fanOut = fanOut
    this.#recent = new Recent(rings)
  }

  get presence (): Presence { return this.#room.presence }

  /** Increases whenever the store delivers an incomplete page: offsets of different epochs can't be compared. */
  get epoch (): number { return this.#epoch }

  /** Called with what the store delivers. */
  keep (page: FeedPage): void { this.#recent.push(page) }

  /** Begins an epoch. Returns its number. */
  restart (): number {
    this.#recent.clear()
    return ++this.#epoch
  }

  /** Keeps what is delivered meanwhile. */
  async whileReading<T> (read: () => Promise<T>): Promise<T> { return await this.#recent.whileReading(read) }

  /** Returns whether everything is kept that was delivered after a head since `whileReading` began. */
  isCompleteAfter (head: Head): boolean { return this.#recent.isCompleteAfter(head) }

  /** Returns what was delivered between a page with this head and what the fan-out writes next. */
  laterThan (head: Head): Later {
    const entries = this.#recent.entriesAfter(head, this.#fanOut.next)
    const change = Math.max(head.change.number, this.#fanOut.lastChange)
    return { entries, changes: this.#recent.changesAfter(head, change + 1), offset: entries.at(-1)?.offset ?? head.offset, change }
  }

  /** Adds a membership to the fan-out. Call it in the same tick as `laterThan`, so that nothing is delivered in between. */
  attach (membership: Membership, whole: WholeReplay | undefined): void {
    membership.caughtUp(this.#room.presence)
    this.#fanOut.add(membership)
    if (whole !== undefined) this.#fanOut.learn(whole.streams)
  }
}

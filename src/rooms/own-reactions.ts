import type { Changed } from '../change.ts'
import type { DeliveredHead } from './delivered-head.ts'
import type { FanOut } from './fan-out.ts'
import type { Membership } from './membership/membership.ts'
import { byReader } from './readers.ts'
import type { Store, Entry, FeedPage } from '../store.ts'

/** Maximum number of memberships in a room for all of which an entry is read. */
const MAX_MEMBERSHIPS = 100

/** A change that the feed delivered as a whole entry. */
type WholeChange = Extract<Changed, { readonly entry: Entry }>

/**
 * Sends members which reactions of an entry are their own, if the feed delivers it whole: such a record doesn't contain it. The
 * entry is read for each member of a small room. In a large one, it is read for the members that wait for a change of their own.
 */
export class OwnReactions {
  readonly #room: string
  readonly #store: Store
  readonly #fanOut: FanOut
  readonly #delivered: DeliveredHead
  /** Increases whenever the store delivers an incomplete page. All members receive their own reactions anew then. */
  #epoch = 0
  /** Ends with the reads so far: one entry is read at a time. */
  #reading = Promise.resolve()
  /** Offset of the entry that is read, and the number of its changes that were delivered meanwhile. */
  #offset = 0
  #changes = 0

  constructor (room: string, store: Store, fanOut: FanOut, delivered: DeliveredHead) {
    this.#delivered = delivered
    this.#room = room
    this.#store = store
    this.#fanOut = fanOut
  }

  /** Called when entries or changes may be missing. */
  restart (): void { this.#epoch++ }

  /** Called with the changes that the store delivers, before the fan-out: it sends acknowledgements, after which no member waits. */
  deliver (changes: FeedPage['changes']): void {
    for (const { offset } of changes) if (offset === this.#offset) this.#changes++
    const whole = changes.filter(hasReactions)
    if (whole.length === 0) return
    const readers = this.#readers()
    if (readers.size === 0) return
    const epoch = this.#epoch
    // If the store fails, the members are told when they join again.
    for (const change of whole) this.#reading = this.#reading.then(() => this.#read(change, readers, epoch)).catch(() => {})
  }

  /** Returns the memberships for which an entry is read, by the id of their member. */
  #readers (): ReadonlyMap<string, readonly Membership[]> {
    const { memberships } = this.#fanOut
    if (memberships.size <= MAX_MEMBERSHIPS) return byReader(memberships)
    const waiting = new Set<string | undefined>()
    for (const { reader, awaitsChange } of memberships) if (awaitsChange) waiting.add(reader)
    return waiting.size === 0 ? new Map() : byReader([...memberships].filter(({ reader }) => waiting.has(reader)))
  }

  async #read (whole: WholeChange, readers: ReadonlyMap<string, readonly Membership[]>, epoch: number): Promise<void> {
    this.#offset = whole.offset
    await Promise.all([...readers].map(async ([reader, memberships]) => {
      let entry: Entry | undefined
      let changes: number
      do {
        if (epoch !== this.#epoch) return
        changes = this.#changes
        entry = await this.#store.get(this.#room, whole.position, { for: reader })
        // The entry isn't sent before the controls were applied that were stored before its last change.
        await this.#delivered.read(async () => await this.#store.read(this.#room, { limit: 0, maxBytes: 0, use: false }))
        // The entry may be older than a change that was delivered meanwhile.
      } while (changes !== this.#changes)
      if (epoch === this.#epoch && entry !== undefined) this.#send(whole, entry, memberships)
    }))
  }

  /** @param entry as it is after `whole`, and perhaps after later changes, which the members receive later */
  #send ({ change: { number, revision } }: WholeChange, entry: Entry, memberships: readonly Membership[]): void {
    if (entry.reactions === undefined || entry.reactions.length === 0) return
    // The revision must not precede changes up to it.
    if (this.#fanOut.lastChange < number) this.#fanOut.flush()
    for (const membership of memberships) {
      if (this.#fanOut.memberships.has(membership)) membership.sendReactions({ ...entry, revision })
    }
  }
}

function hasReactions (changed: Changed): changed is WholeChange {
  return changed.entry?.reactions !== undefined && changed.entry.reactions.length > 0
}

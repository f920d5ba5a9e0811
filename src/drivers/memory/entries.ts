import { REACTIONS_SHARE, type HistoryBounds } from '../history-options.ts'
import { StreamLeases } from '../stream-leases.ts'
import { RingQueue } from './ring-queue.ts'
import { LEASES, type StoredEntry } from './stored-entry.ts'

/** The newest entries of one room, within the limits. Offsets have no gaps. Times are ms since the log began. */
export class MemoryEntries {
  readonly #limits: HistoryBounds
  readonly #entries = new RingQueue<StoredEntry>()
  #entryBytes = 0
  #reactionBytes = 0
  /** offset of the newest entry */
  #last = 0
  /** time of the newest entry; never decreases */
  #lastAt = 0
  /** number of the newest change of a removed entry */
  #removedChange = 0
  /** Of the streaming entries, by their offset; undefined until the room has one. */
  #leases: StreamLeases<number> | undefined

  constructor (limits: HistoryBounds) {
    this.#limits = limits
  }

  get size (): number { return this.#entries.size }
  get bytes (): number { return this.#entryBytes + this.#reactionBytes + (this.#leases === undefined ? 0 : LEASES) }
  /** Offset of the oldest kept entry. */
  get first (): number { return this.#last - this.#entries.size + 1 }
  get last (): number { return this.#last }
  get lastAt (): number { return this.#lastAt }
  get removedChange (): number { return this.#removedChange }

  /** Returns a kept entry. */
  at (offset: number): StoredEntry | undefined { return this.#entries.at(offset - this.first) }

  /** Adds the newest entry, and sets its time. Returns its offset. */
  push (entry: StoredEntry, now: number): number {
    this.#last++
    this.#lastAt = entry.at = Math.max(this.#lastAt, now)
    this.#entries.push(entry)
    this.#entryBytes += entry.charge
    if (entry.state !== undefined) this.renew(this.#last)
    this.#trim()
    this.expire(entry.at)
    return this.#last
  }

  /** Replaces a kept entry, which may trim entries. */
  replace (offset: number, entry: StoredEntry): void {
    const before = this.at(offset)!
    this.#entries.replace(offset - this.first, entry)
    this.#entryBytes += entry.charge - before.charge
    this.#reactionBytes += entry.reactionCharge - before.reactionCharge
    if (before.state?.streamed !== undefined && entry.state?.streamed === undefined) this.#leases!.end(offset)
    this.#trim()
  }

  /** Renews the lease of a kept entry if it is streaming. */
  renew (offset: number): void {
    if (this.at(offset)!.state?.streamed !== undefined) (this.#leases ??= new StreamLeases()).renew(offset)
  }

  /** Returns for how many ms a streaming entry was not renewed. */
  idleTime (offset: number): number { return this.#leases!.idleTime(offset) }

  /** Returns whether reactions may grow. They have a budget of their own, so that they don't trim entries. */
  hasReactionSpace (growth: number): boolean {
    return growth <= 0 || this.#reactionBytes + growth <= this.#limits.historyBytes * REACTIONS_SHARE
  }

  /** Returns whether the oldest entry is older than `historyAge`. */
  isExpired (now: number): boolean {
    const oldest = this.#entries.at(0)
    return oldest !== undefined && oldest.at <= now - this.#limits.historyAge
  }

  /** Removes the entries that are older than `historyAge`. */
  expire (now: number): void {
    while (this.isExpired(now)) this.#trimOldest()
  }

  /** Removes all entries except the newest. */
  shrink (): void {
    while (this.#entries.size > 1) this.#trimOldest()
  }

  /** Removes the entries beyond the bounds, but never the newest. */
  #trim (): void {
    const { historyEntries, historyBytes } = this.#limits
    while (this.#entries.size > historyEntries || (this.#entryBytes > historyBytes && this.#entries.size > 1)) this.#trimOldest()
  }

  #trimOldest (): void {
    const offset = this.first
    const { charge, reactionCharge, state } = this.#entries.shift()!
    this.#entryBytes -= charge
    this.#reactionBytes -= reactionCharge
    if (state === undefined) return
    this.#removedChange = Math.max(this.#removedChange, state.number)
    if (state.streamed !== undefined) this.#leases!.end(offset)
  }
}

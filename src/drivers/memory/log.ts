import { randomBytes } from 'node:crypto'
import { NotKept, TooManyReactions } from '../../errors.ts'
import { changedRecord, checkAmendment, withState } from '../entry-state.ts'
import { KEYS_PER_ENTRY, REACTIONS_SHARE, type HistoryBounds } from '../history-options.ts'
import { readPage, type PageSource } from '../page.ts'
import { formatPosition, parsePosition } from '../position.ts'
import { formatRevision, parseRevision } from '../revision.ts'
import { MemoryChanges, type NumberedChange } from './changes.ts'
import { MemoryKeys, type KeyedPost } from './keys.ts'
import { RingQueue } from './ring-queue.ts'
import { changedEntry, copied, reactionGrowth, type StoredEntry } from './stored-entry.ts'
import type { Amended, Amendment, ChangeCursor, Changed, Head, Revision } from '../../change.ts'
import type { Cursor, Draft, Entry, Page, Position, Query } from '../../store.ts'

/** Bytes of a log without entries and keys. */
const LOG = 360

/** Shared by all logs without changes, of which there are many. */
const NO_CHANGES = new MemoryChanges(0)

/** The newest entries and changes of one room and their keys, within the limits. Offsets and numbers have no gaps. */
export class MemoryLog implements PageSource {
  /** A position of another epoch is never honoured. */
  readonly #epoch = randomBytes(6).toString('base64url').replaceAll('-', '.')
  readonly #limits: HistoryBounds
  /** When the epoch began, ms since 1970. */
  readonly #startedAt = Date.now()
  readonly #entries = new RingQueue<StoredEntry>()
  readonly #keys: MemoryKeys
  #changes = NO_CHANGES
  #entryBytes = 0
  #reactionBytes = 0
  /** offset of the newest entry */
  #last = 0
  /** time of the newest entry, ms since the log began; never decreases */
  #lastAt = 0
  /** number of the newest change of a removed entry */
  #removedChange = 0

  constructor (limits: HistoryBounds) {
    this.#limits = limits
    this.#keys = new MemoryKeys(limits.historyEntries * KEYS_PER_ENTRY)
  }

  /** The newest entry, or the beginning of the log if there is none, and the newest change. */
  get head (): Head {
    const { offset, position } = this.#cursorOf(this.#last, this.#lastAt)
    return { offset, position, change: this.#changeCursorOf(this.#changes.newest) }
  }

  /** Bytes of memory. */
  get bytes (): number {
    return LOG + this.#entryBytes + this.#reactionBytes + this.#keys.bytes + (this.#changes === NO_CHANGES ? 0 : this.#changes.bytes)
  }

  /** Whether `shrink` would free anything. */
  get canShrink (): boolean { return this.#entries.size > 1 || this.#keys.size > this.#entries.size || this.#changes.size > 0 }
  /** Whether the oldest entry is older than `historyAge`. */
  get isExpired (): boolean { return this.#isOld(Date.now()) }

  /** Returns the cursor of the stored post if this is a repeat; undefined for a new post. @throws ReusedKey, StalePost */
  findRepeat ({ key, hash, since }: Draft): Cursor | undefined {
    return this.#cursorOfPost(this.#keys.findRepeat(key, hash, since === undefined ? undefined : this.#offsetOf(since)))
  }

  append (entry: StoredEntry, { key, hash }: Draft): Entry {
    const offset = ++this.#last
    this.#lastAt = entry.at = Math.max(this.#lastAt, Date.now() - this.#startedAt)
    this.#entries.push(entry)
    this.#entryBytes += entry.charge
    if (key !== undefined) this.#keys.remember(key, hash, offset, entry.at)
    this.#trim()
    while (this.#isOld(this.#startedAt + entry.at)) this.#trimOldest()
    this.#keys.forget(this.first, entry.at - this.#limits.dedupWindow)
    return this.#entryOf(offset, entry, undefined)
  }

  /**
   * Changes an entry. Returns the record of the change, unless it is a repeat or has no effect.
   * @param room name of the room
   * @throws ReusedKey, StalePost, NotKept, Forbidden, EntryDeleted, InvalidChange, TooManyReactions
   */
  amend (room: string, position: Position, amendment: Amendment): { readonly amended: Amended, readonly record?: Changed } {
    const { key, hash, since } = amendment
    if (this.#changes === NO_CHANGES) this.#changes = new MemoryChanges(this.#limits.historyEntries * KEYS_PER_ENTRY)
    const changes = this.#changes
    const known = changes.findRepeat(key, hash, since !== undefined && this.numberOf(since) === undefined)
    if (known !== undefined) return { amended: { ...this.#changeCursorOf(known), again: true } }
    const offset = this.indexOf(position) ?? NaN
    const entry = this.#stored(offset)
    if (entry === undefined) throw new NotKept()
    const hasEffect = checkAmendment(room, entry, amendment)
    if (!hasEffect && (key === undefined || changes.hasIdleSpace)) {
      if (key !== undefined) changes.addIdle(key, hash)
      return { amended: { ...this.#changeCursorOf(entry.state ?? changes.newest), again: true } }
    }
    this.#assertReactionSpace(reactionGrowth(entry, amendment))
    return this.#change(offset, entry, amendment)
  }

  find (key: string): Cursor | undefined { return this.#cursorOfPost(this.#keys.find(key)) }

  read (query: Query): Page { return readPage(this, query) }

  /** Returns the entry at a position; undefined if it isn't kept. @param member whose reactions are `mine` */
  get (position: Position, member: string | undefined): Entry | undefined {
    const offset = this.indexOf(position) ?? NaN
    return this.#stored(offset) && this.entryAt(offset, member)
  }

  findChange (key: string): ChangeCursor | undefined {
    const change = this.#changes.find(key)
    return change && this.#changeCursorOf(change)
  }

  /** Removes the entries that are older than `historyAge`, and their keys once these are no longer needed. */
  expire (): void {
    const now = Date.now()
    while (this.#isOld(now)) this.#trimOldest()
    const before = now - this.#startedAt - this.#limits.dedupWindow
    this.#keys.forget(this.first, before)
    this.#changes.forget(this.first, before)
  }

  /** Removes all entries except the newest, their keys, and the changes. Called when the store is short of memory. */
  shrink (): void {
    while (this.#entries.size > 1) this.#trimOldest()
    this.#keys.shrink(this.first)
    this.#changes.shrink()
  }

  /** Offset of the oldest kept entry. In a log, the index of an entry is its offset. */
  get first (): number { return this.#last - this.#entries.size + 1 }
  get last (): number { return this.#last }

  entryAt (offset: number, member: string | undefined): Entry { return this.#entryOf(offset, this.#stored(offset)!, member) }

  indexOf (position: Position): number | undefined {
    const { epoch, at, offset = NaN } = parsePosition(position) ?? {}
    if (epoch !== this.#epoch) return undefined
    const time = offset === 0 ? 0 : this.#stored(offset)?.at
    return offset >= this.first - 1 && time !== undefined && at === this.#startedAt + time ? offset : undefined
  }

  numberOf (revision: Revision): number | undefined {
    const { epoch, at, number = NaN } = parseRevision(revision) ?? {}
    const time = epoch === this.#epoch ? this.#changes.timeOf(number) : undefined
    return time !== undefined && at === this.#startedAt + time ? number : undefined
  }

  changedAt (number: number): number | undefined {
    const offset = this.#changes.offsetOf(number) ?? NaN
    return this.#stored(offset)?.state?.number === number ? offset : undefined
  }

  hasRemovedSince (number: number): boolean { return this.#removedChange > number }

  #change (offset: number, entry: StoredEntry, amendment: Amendment): { readonly amended: Amended, readonly record: Changed } {
    const changes = this.#changes
    const at = Math.max(changes.newest.at, Date.now() - this.#startedAt)
    const made = copied(amendment)
    changes.add(offset, at, amendment.key, amendment.hash)
    const cursor = this.#changeCursorOf(changes.newest)
    const changed = changedEntry(entry, made, cursor.number, at)
    this.#entries.replace(offset - this.first, changed)
    this.#entryBytes += changed.charge - entry.charge
    this.#reactionBytes += changed.reactionCharge - entry.reactionCharge
    this.#trim()
    changes.forget(this.first, at - this.#limits.dedupWindow)
    const record = changedRecord(this.#cursorOf(offset, entry.at), cursor, this.#startedAt + at, made, changed.state)
    return { amended: { ...cursor, again: false }, record }
  }

  /** Reactions have a budget of their own, so that they don't trim entries. @throws TooManyReactions */
  #assertReactionSpace (growth: number): void {
    if (growth > 0 && this.#reactionBytes + growth > this.#limits.historyBytes * REACTIONS_SHARE) throw new TooManyReactions()
  }

  #stored (offset: number): StoredEntry | undefined { return this.#entries.at(offset - this.first) }

  #cursorOf (offset: number, at: number): Cursor {
    return { offset, position: formatPosition(this.#epoch, this.#startedAt + at, offset) }
  }

  #changeCursorOf ({ number, at }: NumberedChange): ChangeCursor {
    return { number, revision: formatRevision(this.#epoch, this.#startedAt + at, number) }
  }

  #cursorOfPost (post: KeyedPost | undefined): Cursor | undefined { return post && this.#cursorOf(post.offset, post.at) }

  #entryOf (offset: number, { at: since, from, body, data, state }: StoredEntry, member: string | undefined): Entry {
    const at = this.#startedAt + since
    const position = formatPosition(this.#epoch, at, offset)
    const entry = data === undefined ? { offset, position, at, from, body } : { offset, position, at, from, body, data }
    if (state === undefined) return entry
    const editedAt = state.editedAt === undefined ? undefined : this.#startedAt + state.editedAt
    return withState(entry, state, this.#changeCursorOf(state).revision, editedAt, member)
  }

  /**
   * Returns the offset of a position of this epoch; NaN for any other position. The time of a trimmed entry isn't known, so the
   * time of its position must only lie between the beginning of the epoch and the oldest kept entry.
   */
  #offsetOf (position: Position): number {
    const { epoch, at = NaN, offset = NaN } = parsePosition(position) ?? {}
    if (epoch !== this.#epoch) return NaN
    if (offset >= this.first) return this.indexOf(position) === undefined ? NaN : offset
    const last = offset === 0 ? 0 : this.#entries.at(0)?.at ?? this.#lastAt
    return at >= this.#startedAt && at <= this.#startedAt + last ? offset : NaN
  }

  /** Returns whether there is an entry that is older than `historyAge`. @param now ms since 1970 */
  #isOld (now: number): boolean {
    const oldest = this.#entries.at(0)
    return oldest !== undefined && this.#startedAt + oldest.at <= now - this.#limits.historyAge
  }

  /** Removes the entries beyond the bounds, but never the newest. */
  #trim (): void {
    const { historyEntries, historyBytes } = this.#limits
    while (this.#entries.size > historyEntries || (this.#entryBytes > historyBytes && this.#entries.size > 1)) this.#trimOldest()
  }

  #trimOldest (): void {
    const { charge, reactionCharge, state } = this.#entries.shift()!
    this.#entryBytes -= charge
    this.#reactionBytes -= reactionCharge
    if (state !== undefined) this.#removedChange = Math.max(this.#removedChange, state.number)
  }
}

import { NotKept, TooManyReactions } from '../../errors.ts'
import { changedRecord, checkAmendment, withState } from '../entry-state.ts'
import { KEYS_PER_ENTRY, type HistoryBounds } from '../history-options.ts'
import { readPage, type PageSource } from '../page.ts'
import { MemoryChanges } from './changes.ts'
import { MemoryEntries } from './entries.ts'
import { Epoch } from './epoch.ts'
import { MemoryKeys, type KeyedPost } from './keys.ts'
import { changedEntry, copied, maxChangeGrowth, reactionGrowth, type StoredEntry } from './stored-entry.ts'
import type { Amended, Amendment, ChangeCursor, Changed, Head, Revision } from '../../change.ts'
import type { Cursor, Draft, Entry, Page, Position, Query } from '../../store.ts'

/** The result of an amendment, and the record for followers, unless it is a repeat or has no effect. */
interface Amending { readonly amended: Amended, readonly record?: Changed }

/** Bytes of a log without entries, keys and changes. */
const LOG = 400

/** Shared by all logs without changes, of which there are many. */
const NO_CHANGES = new MemoryChanges(0)

/** The newest entries and changes of one room and their keys, within the limits. Offsets and numbers have no gaps. */
export class MemoryLog implements PageSource {
  readonly #epoch = new Epoch()
  readonly #limits: HistoryBounds
  readonly #entries: MemoryEntries
  readonly #keys: MemoryKeys
  #changes = NO_CHANGES

  constructor (limits: HistoryBounds) {
    this.#limits = limits
    this.#entries = new MemoryEntries(limits)
    this.#keys = new MemoryKeys(limits.historyEntries * KEYS_PER_ENTRY)
  }

  /** The newest entry, or the beginning of the log if there is none, and the newest change. */
  get head (): Head {
    const { offset, position } = this.#epoch.cursorOf(this.last, this.#entries.lastAt)
    return { offset, position, change: this.#epoch.changeCursorOf(this.#changes.newest) }
  }

  /** Bytes of memory. */
  get bytes (): number {
    return LOG + this.#entries.bytes + this.#keys.bytes + (this.#changes === NO_CHANGES ? 0 : this.#changes.bytes)
  }

  /** Whether `shrink` would free anything. */
  get canShrink (): boolean { return this.#entries.size > 1 || this.#keys.size > this.#entries.size || this.#changes.size > 0 }
  /** Whether the oldest entry is older than `historyAge`. */
  get isExpired (): boolean { return this.#entries.isExpired(this.#epoch.now) }

  /** Returns the cursor of the stored post if this is a repeat; undefined for a new post. @throws ReusedKey, StalePost */
  findRepeat ({ key, hash, since }: Draft): Cursor | undefined {
    return this.#cursorOfPost(this.#keys.findRepeat(key, hash, since === undefined ? undefined : this.#offsetOf(since)))
  }

  append (entry: StoredEntry, { key, hash }: Draft): Entry {
    const offset = this.#entries.push(entry, this.#epoch.now)
    if (key !== undefined) this.#keys.remember(key, hash, offset, entry.at)
    this.#keys.forget(this.first, entry.at - this.#limits.dedupWindow)
    return this.#entryOf(offset, entry, undefined)
  }

  /**
   * Changes an entry. @param room name of the room
   * @throws ReusedKey, StalePost, NotKept, Forbidden, EntryDeleted, StreamEnded, InvalidChange, TooManyReactions
   */
  amend (room: string, position: Position, amendment: Amendment): Amending {
    const { key, hash, since, change } = amendment
    const known = this.#changes.findRepeat(key, hash, since !== undefined && this.numberOf(since) === undefined)
    if (known !== undefined) return { amended: { ...this.#epoch.changeCursorOf(known), again: true } }
    const offset = this.indexOf(position) ?? NaN
    const entry = this.#entries.at(offset)
    if (entry === undefined) throw new NotKept()
    const hasEffect = checkAmendment(room, entry, amendment, () => this.#entries.idleTime(offset))
    if ('append' in change && change.at === entry.state?.streamed) this.#entries.renew(offset)
    if (hasEffect) return this.#change(offset, entry, amendment)
    if (key !== undefined) {
      const changes = this.#ownChanges()
      if (!changes.hasIdleSpace) return this.#change(offset, entry, amendment)
      changes.addIdle(key, hash)
    }
    const { state } = entry
    const newest = state === undefined || state.number === 0 ? this.#changes.newest : state
    return { amended: { ...this.#epoch.changeCursorOf(newest), again: true } }
  }

  /** Adds a control. Returns its cursor. */
  control (): ChangeCursor {
    const changes = this.#ownChanges()
    changes.addControl(this.#epoch.now)
    changes.forget(this.first, changes.newest.at - this.#limits.dedupWindow)
    return this.#epoch.changeCursorOf(changes.newest)
  }

  /** Returns the maximum bytes of memory by which an amendment grows this log. */
  maxChangeGrowth (position: Position, amendment: Amendment): number {
    return maxChangeGrowth(amendment, 'append' in amendment.change ? this.#entries.at(this.indexOf(position) ?? NaN)?.body : undefined)
  }

  find (key: string): Cursor | undefined { return this.#cursorOfPost(this.#keys.find(key)) }

  findChange (key: string): ChangeCursor | undefined {
    const change = this.#changes.find(key)
    return change && this.#epoch.changeCursorOf(change)
  }

  read (query: Query): Page { return readPage(this, query) }

  /** Returns the entry at a position; undefined if it isn't kept. @param member whose reactions are `mine` */
  get (position: Position, member: string | undefined): Entry | undefined {
    const offset = this.indexOf(position) ?? NaN
    return this.#entries.at(offset) && this.entryAt(offset, member)
  }

  /** Removes the entries that are older than `historyAge`, and the keys and changes that are no longer needed. */
  expire (): void {
    const { now } = this.#epoch
    this.#entries.expire(now)
    this.#keys.forget(this.first, now - this.#limits.dedupWindow)
    this.#changes.forget(this.first, now - this.#limits.dedupWindow)
  }

  /** Removes all entries except the newest, their keys, and the changes. Called when the store is short of memory. */
  shrink (): void {
    this.#entries.shrink()
    this.#keys.shrink(this.first)
    this.#changes.shrink()
  }

  /** Offset of the oldest kept entry. In a log, the index of an entry is its offset. */
  get first (): number { return this.#entries.first }
  get last (): number { return this.#entries.last }

  entryAt (offset: number, member: string | undefined): Entry { return this.#entryOf(offset, this.#entries.at(offset)!, member) }

  indexOf (position: Position): number | undefined {
    const { offset, at } = this.#epoch.entryOf(position)
    const time = offset === 0 ? 0 : this.#entries.at(offset)?.at
    return offset >= this.first - 1 && at === time ? offset : undefined
  }

  numberOf (revision: Revision): number | undefined {
    const { number, at } = this.#epoch.changeOf(revision)
    return at === this.#changes.timeOf(number) ? number : undefined
  }

  changedAt (number: number): number | undefined {
    const offset = this.#changes.offsetOf(number) ?? NaN
    return this.#entries.at(offset)?.state?.number === number ? offset : undefined
  }

  hasRemovedSince (number: number): boolean { return this.#entries.removedChange > number }

  /** Returns the changes of this log. Called for a change to be remembered only, so that a refused one takes no memory. */
  #ownChanges (): MemoryChanges {
    if (this.#changes === NO_CHANGES) this.#changes = new MemoryChanges(this.#limits.historyEntries * KEYS_PER_ENTRY)
    return this.#changes
  }

  #change (offset: number, entry: StoredEntry, amendment: Amendment): Amending {
    if (!this.#entries.hasReactionSpace(reactionGrowth(entry, amendment))) throw new TooManyReactions()
    const changes = this.#ownChanges()
    const made = copied(amendment)
    changes.add(offset, this.#epoch.now, amendment.key, amendment.hash)
    const { number, at } = changes.newest
    const cursor = this.#epoch.changeCursorOf(changes.newest)
    const changed = changedEntry(entry, made, number, at)
    this.#entries.replace(offset, changed)
    changes.forget(this.first, at - this.#limits.dedupWindow)
    const record = changedRecord(this.#epoch.cursorOf(offset, entry.at), cursor, this.#epoch.startedAt + at, made, changed.state,
      () => this.#entryOf(offset, changed, undefined))
    return { amended: { ...cursor, again: false }, record }
  }

  #cursorOfPost (post: KeyedPost | undefined): Cursor | undefined { return post && this.#epoch.cursorOf(post.offset, post.at) }

  #entryOf (offset: number, { at: storedAt, from, body, data, state }: StoredEntry, member: string | undefined): Entry {
    const at = this.#epoch.startedAt + storedAt
    const position = this.#epoch.positionOf(offset, storedAt)
    const entry = data === undefined ? { offset, position, at, from, body } : { offset, position, at, from, body, data }
    if (state === undefined) return entry
    const editedAt = state.editedAt === undefined ? undefined : this.#epoch.startedAt + state.editedAt
    const revision = state.number === 0 ? undefined : this.#epoch.changeCursorOf(state).revision
    return withState(entry, state, revision, editedAt, member)
  }

  /**
   * Returns the offset of a position of this epoch; NaN for any other position. The time of a trimmed entry isn't known, so the
   * time of its position must only lie between the beginning of the epoch and the oldest kept entry.
   */
  #offsetOf (position: Position): number {
    const { offset, at } = this.#epoch.entryOf(position)
    if (offset >= this.first) return this.indexOf(position) === undefined ? NaN : offset
    const last = offset === 0 ? 0 : this.#entries.at(this.first)?.at ?? this.#entries.lastAt
    return at >= 0 && at <= last ? offset : NaN
  }
}

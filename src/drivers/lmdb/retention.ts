import { KEYS_PER_ENTRY, REACTIONS_SHARE, type HistoryBounds } from '../history-options.ts'
import { entryOfChange, timeOfChange } from './change-row.ts'
import { keyOf, timeOf } from './record.ts'
import type { LmdbChanges } from './changes.ts'
import type { RoomHead } from './head.ts'
import type { LmdbRecords } from './records.ts'

/** The entries and changes of one room. */
interface Entries {
  readonly head: Readonly<RoomHead>
  readonly records: LmdbRecords
  readonly changes: LmdbChanges
  /** Whether the room has neither entries nor records of former entries, and no change but the oldest. */
  readonly hasNoRecords: boolean
  readonly keyCount: number
  trimOldest (): void
  /** Removes the record of the oldest trimmed entry. */
  removeOldest (): void
}

/** Keeps one room within its bounds. Trims the oldest entries, and later removes their records with the keys; forgets old changes. */
export class LmdbRetention {
  readonly #entries: Entries
  readonly #limits: HistoryBounds
  #damage: unknown

  constructor (entries: Entries, limits: HistoryBounds) {
    this.#entries = entries
    this.#limits = limits
  }

  /** The error of the last trim. Appends reject with it: a room that can't be trimmed would grow without bound. */
  get damage (): unknown { return this.#damage }

  /** Called when a new epoch began, which needs no entry of the previous epoch. */
  reset (): void { this.#damage = undefined }

  /** Returns whether only the head is left, and no entry or change was added during the last `dedupWindow` ms. */
  isEmpty (now: number): boolean {
    const { hasNoRecords, head: { at, changes } } = this.#entries
    return hasNoRecords && Math.max(at, changes?.at ?? 0) <= now - this.#limits.dedupWindow
  }

  /** Returns whether an entry of this time is no longer returned, ms since 1970. */
  isTooOld (at: number, now: number): boolean { return at <= now - this.#limits.historyAge }

  /** Returns whether the reactions of the room may take further bytes. */
  hasSpaceForReactions (bytes: number): boolean {
    return this.#entries.changes.reactionBytes + bytes <= this.#limits.historyBytes * REACTIONS_SHARE
  }

  /** Returns whether there is anything to trim or to remove. Returns true if reading fails: `trim` then records the damage. */
  isDue (now: number): boolean {
    try {
      return this.#isOver(now) || this.#isRemovable(now) || this.#isForgettable(now) || this.isEmpty(now)
    } catch {
      return true
    }
  }

  /** Removes records that exceed the bounds, in up to `maxSteps` steps. Returns the steps taken. */
  trim (maxSteps: number, now: number): number {
    return this.#steps(maxSteps, () => {
      if (this.#isOver(now)) this.#entries.trimOldest()
      else if (this.#isRemovable(now)) this.#entries.removeOldest()
      else if (this.#isForgettable(now)) this.#entries.changes.removeOldest()
      else return false
      return true
    })
  }

  /** Removes the oldest entries, keys and changes, never the newest entry and change, in up to `maxSteps` steps. Returns the steps taken. */
  shrink (maxSteps: number): number {
    return this.#steps(maxSteps, () => {
      const { head: { removed, first, last }, changes } = this.#entries
      if (removed + 1 < first) this.#entries.removeOldest()
      else if (changes.hasEarlierEpoch || changes.size > 0) changes.removeOldest()
      else if (first < last) this.#entries.trimOldest()
      else return false
      return true
    })
  }

  #steps (maxSteps: number, step: () => boolean): number {
    let steps = 0
    try {
      while (steps < maxSteps && step()) steps++
      this.#damage = undefined
    } catch (damage) {
      this.#damage = damage
    }
    return steps
  }

  /** Returns whether the oldest entry exceeds the bounds. */
  #isOver (now: number): boolean {
    const { historyEntries, historyBytes, historyAge } = this.#limits
    const { last, first, bytes } = this.#entries.head
    const count = last - first + 1
    if (count > historyEntries || (bytes > historyBytes && count > 1)) return true
    return count > 0 && historyAge !== Infinity && timeOf(this.#entries.records.entryAt(first)) <= now - historyAge
  }

  /** Returns whether the record of the oldest trimmed entry is no longer needed. */
  #isRemovable (now: number): boolean {
    const { removed, first, base } = this.#entries.head
    if (removed + 1 >= first) return false
    if (removed < base) return true
    const record = this.#entries.records.recordAt(removed + 1)
    if (record === undefined || keyOf(record) === undefined) return true
    const { dedupWindow, historyEntries } = this.#limits
    return timeOf(record) <= now - dedupWindow || this.#entries.keyCount > historyEntries * KEYS_PER_ENTRY
  }

  /** Returns whether the row of the oldest change is no longer needed. */
  #isForgettable (now: number): boolean {
    const { changes, head } = this.#entries
    if (changes.hasEarlierEpoch) return true
    if (changes.size === 0) return false
    const { dedupWindow, historyEntries } = this.#limits
    if (changes.size > historyEntries * KEYS_PER_ENTRY) return true
    const next = changes.nextOldest()
    return entryOfChange(next) < head.first && timeOfChange(next) <= now - dedupWindow
  }
}

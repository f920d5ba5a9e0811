import type { HistoryBounds } from '../history-options.ts'
import type { Head } from './head.ts'
import { keyOf, timeOf, type EntryRecord } from './record.ts'

/** The entries of one room. */
interface Entries {
  readonly head: Readonly<Head>
  /** Whether the room has neither entries nor records of former entries. */
  readonly hasNoRecords: boolean
  readonly keyCount: number
  recordAt (index: number): EntryRecord | undefined
  entryAt (index: number): EntryRecord
  trimOldest (): void
  /** Removes the record of the oldest trimmed entry. */
  removeOldest (): void
}

/** Maximum keys of a room, as a multiple of `historyEntries`. */
const KEYS_PER_ENTRY = 10

/** Keeps one room within its bounds. Trims the oldest entries, and later removes their records with the keys. */
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

  /** Returns whether only the head is left, and no entry was added during the last `dedupWindow` ms. */
  isEmpty (now: number): boolean {
    return this.#entries.hasNoRecords && this.#entries.head.at <= now - this.#limits.dedupWindow
  }

  /** Returns whether there is anything to trim or to remove. Returns true if reading fails: `trim` then records the damage. */
  isDue (now: number): boolean {
    try {
      return this.#isOver(now) || this.#isRemovable(now) || this.isEmpty(now)
    } catch {
      return true
    }
  }

  /** Removes records that exceed the bounds, in up to `maxSteps` steps. Returns the steps taken. */
  trim (maxSteps: number, now: number): number {
    return this.#steps(maxSteps, () => {
      if (this.#isOver(now)) this.#entries.trimOldest()
      else if (this.#isRemovable(now)) this.#entries.removeOldest()
      else return false
      return true
    })
  }

  /** Removes the oldest entries and their keys, never the newest, in up to `maxSteps` steps. Returns the steps taken. */
  shrink (maxSteps: number): number {
    return this.#steps(maxSteps, () => {
      const { removed, first, last } = this.#entries.head
      if (removed + 1 < first) this.#entries.removeOldest()
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
    return count > 0 && historyAge !== Infinity && timeOf(this.#entries.entryAt(first)) <= now - historyAge
  }

  /** Returns whether the record of the oldest trimmed entry is no longer needed. */
  #isRemovable (now: number): boolean {
    const { removed, first, base } = this.#entries.head
    if (removed + 1 >= first) return false
    if (removed < base) return true
    const record = this.#entries.recordAt(removed + 1)
    if (record === undefined || keyOf(record) === undefined) return true
    const { dedupWindow, historyEntries } = this.#limits
    return timeOf(record) <= now - dedupWindow || this.#entries.keyCount > historyEntries * KEYS_PER_ENTRY
  }
}

import { inspect } from 'node:util'
import { afterReactions } from './after-reactions.ts'
import type { ChangeCursor, Changed, Controlled, Head } from '../change.ts'
import type { Entry, FeedPage } from '../store.ts'

interface Follower {
  /** offset of the last entry delivered */
  offset: number
  /** number of the last change or control delivered */
  number: number
  /** head after which delivery continues, while a break has to be reported; else undefined */
  restart: Head | undefined
  /** controls that were stored before the break, and weren't delivered */
  missed: readonly Controlled[]
  /** pages that wait until the reactions of the promise of `follow` have run; undefined afterwards */
  early: FeedPage[] | undefined
  readonly deliver: (page: FeedPage) => void
}

const NO_ENTRIES: Entry[] = []
const NO_CHANGES: Changed[] = []
const NO_CONTROLS: Controlled[] = []

/**
 * The followers of one room, and the entries, changes and controls not yet delivered to them. Controls are delivered in the page of the
 * entries and changes around them, which is used after them.
 */
export class Followers {
  readonly #followers = new Set<Follower>()
  #entries = NO_ENTRIES
  #changes = NO_CHANGES
  #controls = NO_CONTROLS
  #isWaiting = false
  /** What all followers have reached after the last delivery, or when the newest of them was added. */
  #head: Head | undefined

  get size (): number { return this.#followers.size }

  /** Whether `deliver` has to be called. */
  get isWaiting (): boolean { return this.#isWaiting }

  /** Adds a follower of what comes after `head`. Returns an unsubscribe function. Only its first call returns true. */
  add (head: Head, deliver: (page: FeedPage) => void): () => boolean {
    const follower: Follower = { offset: head.offset, number: head.change.number, restart: undefined, missed: NO_CONTROLS, early: [], deliver }
    this.#head = head
    this.#followers.add(follower)
    const deliverEarly = afterReactions(() => {
      const { early = [] } = follower
      follower.early = undefined
      for (const page of early) this.#deliverTo(follower, page)
    })
    deliverEarly()
    return () => this.#followers.delete(follower)
  }

  /** Adds an entry to the next delivery. */
  push (entry: Entry): void {
    // A literal, because an empty array grows to 17 places.
    if (this.#entries === NO_ENTRIES) this.#entries = [entry]
    else this.#entries.push(entry)
    this.#isWaiting = true
  }

  /** Adds a change to the next delivery. */
  pushChange (changed: Changed): void {
    if (this.#changes === NO_CHANGES) this.#changes = [changed]
    else this.#changes.push(changed)
    this.#isWaiting = true
  }

  /** Adds a control to the next delivery. */
  pushControl (controlled: Controlled): void {
    if (this.#controls === NO_CONTROLS) this.#controls = [controlled]
    else this.#controls.push(controlled)
    this.#isWaiting = true
  }

  /** Discards the entries and changes that weren't delivered. The next delivery reports a break, with the controls before it. */
  restart (head: Head): void {
    for (const follower of this.#followers) {
      const missed = after(follower.restart?.change.number ?? follower.number, this.#controls)
      if (missed.length > 0) follower.missed = [...follower.missed, ...missed]
      follower.restart = head
    }
    this.#entries = NO_ENTRIES
    this.#changes = NO_CHANGES
    this.#controls = NO_CONTROLS
    this.#isWaiting = true
    this.#head = head
  }

  /** Delivers breaks, and the records since the last call, to each follower. */
  deliver (): void {
    const [entries, changes, controls] = [this.#entries, this.#changes, this.#controls]
    this.#entries = NO_ENTRIES
    this.#changes = NO_CHANGES
    this.#controls = NO_CONTROLS
    this.#isWaiting = false
    const { offset, position } = entries.at(-1) ?? this.#head!
    const head = this.#head = { offset, position, change: newest(changes.at(-1)?.change, controls.at(-1)?.change) ?? this.#head!.change }
    for (const follower of this.#followers) {
      const { restart, missed } = follower
      if (restart !== undefined) {
        follower.restart = undefined
        follower.missed = NO_CONTROLS
        follower.offset = restart.offset
        follower.number = restart.change.number
        const page = { entries: NO_ENTRIES, changes: NO_CHANGES, complete: false, head: restart }
        this.#deliverTo(follower, missed.length === 0 ? page : { ...page, controls: missed })
      }
      this.#deliverAfter(follower, entries, changes, controls, head)
    }
  }

  /** Delivers the records that a follower lacks. */
  #deliverAfter (follower: Follower, entries: Entry[], changes: Changed[], controls: Controlled[], head: Head): void {
    const { offset: lastOffset, number: lastNumber } = follower
    const newEntries = entries[0] !== undefined && entries[0].offset <= lastOffset ? entries.filter(({ offset }) => offset > lastOffset) : entries
    const newChanges = after(lastNumber, changes)
    const newControls = after(lastNumber, controls)
    if (newEntries.length === 0 && newChanges.length === 0 && newControls.length === 0) return
    follower.offset = head.offset
    follower.number = head.change.number
    const page = { entries: newEntries, changes: newChanges, complete: true, head }
    this.#deliverTo(follower, newControls.length === 0 ? page : { ...page, controls: newControls })
  }

  #deliverTo (follower: Follower, page: FeedPage): void {
    if (!this.#followers.has(follower)) return
    if (follower.early !== undefined) {
      follower.early.push(page)
      return
    }
    try {
      follower.deliver(page)
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : inspect(error))
    }
  }
}

/** Returns the records after a number. */
function after<T extends Changed | Controlled> (number: number, records: T[]): T[] {
  return records[0] !== undefined && records[0].change.number <= number ? records.filter(({ change }) => change.number > number) : records
}

/** Returns the cursor with the higher number. */
function newest (one: ChangeCursor | undefined, other: ChangeCursor | undefined): ChangeCursor | undefined {
  return one === undefined || (other !== undefined && other.number > one.number) ? other : one
}

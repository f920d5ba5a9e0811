import { inspect } from 'node:util'
import { afterReactions } from './after-reactions.ts'
import type { Changed, Head } from '../change.ts'
import type { Entry, FeedPage } from '../store.ts'

interface Follower {
  /** offset of the last entry delivered */
  offset: number
  /** number of the last change delivered */
  number: number
  /** head after which delivery continues, while a break has to be reported; else undefined */
  restart: Head | undefined
  /** pages that wait until the reactions of the promise of `follow` have run; undefined afterwards */
  early: FeedPage[] | undefined
  readonly deliver: (page: FeedPage) => void
}

const NO_ENTRIES: Entry[] = []
const NO_CHANGES: Changed[] = []

/** The followers of one room, and the entries and changes not yet delivered to them. */
export class Followers {
  readonly #followers = new Set<Follower>()
  #entries = NO_ENTRIES
  #changes = NO_CHANGES
  #isWaiting = false
  /** What all followers have reached after the last delivery, or when the newest of them was added. */
  #head: Head | undefined

  get size (): number { return this.#followers.size }

  /** Whether `deliver` has to be called. */
  get isWaiting (): boolean { return this.#isWaiting }

  /** Adds a follower of what comes after `head`. Returns an unsubscribe function. Only its first call returns true. */
  add (head: Head, deliver: (page: FeedPage) => void): () => boolean {
    const follower: Follower = { offset: head.offset, number: head.change.number, restart: undefined, early: [], deliver }
    this.#head = head
    this.#followers.add(follower)
    afterReactions(() => {
      const { early = [] } = follower
      follower.early = undefined
      for (const page of early) this.#deliverTo(follower, page)
    })
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

  /** Discards what wasn't delivered. The next delivery reports a break. */
  restart (head: Head): void {
    this.#entries = NO_ENTRIES
    this.#changes = NO_CHANGES
    this.#isWaiting = true
    this.#head = head
    for (const follower of this.#followers) follower.restart = head
  }

  /** Delivers breaks, and the entries and changes since the last call, to each follower. */
  deliver (): void {
    const [entries, changes] = [this.#entries, this.#changes]
    this.#entries = NO_ENTRIES
    this.#changes = NO_CHANGES
    this.#isWaiting = false
    const { offset, position } = entries.at(-1) ?? this.#head!
    const head = this.#head = { offset, position, change: changes.at(-1)?.change ?? this.#head!.change }
    for (const follower of this.#followers) {
      const { restart } = follower
      if (restart !== undefined) {
        follower.restart = undefined
        follower.offset = restart.offset
        follower.number = restart.change.number
        this.#deliverTo(follower, { entries: NO_ENTRIES, changes: NO_CHANGES, complete: false, head: restart })
      }
      this.#deliverAfter(follower, entries, changes, head)
    }
  }

  /** Delivers the entries and changes that a follower lacks. */
  #deliverAfter (follower: Follower, entries: Entry[], changes: Changed[], head: Head): void {
    const { offset: lastOffset, number: lastNumber } = follower
    const newEntries = entries[0] !== undefined && entries[0].offset <= lastOffset ? entries.filter(({ offset }) => offset > lastOffset) : entries
    const newChanges = changes[0] !== undefined && changes[0].change.number <= lastNumber
      ? changes.filter(({ change }) => change.number > lastNumber)
      : changes
    if (newEntries.length === 0 && newChanges.length === 0) return
    follower.offset = head.offset
    follower.number = head.change.number
    this.#deliverTo(follower, { entries: newEntries, changes: newChanges, complete: true, head })
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

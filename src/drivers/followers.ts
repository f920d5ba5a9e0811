import { inspect } from 'node:util'
import { afterReactions } from './after-reactions.ts'
import type { Entry, Cursor, Page } from '../store.ts'

interface Follower {
  /** offset of the last entry delivered */
  offset: number
  /** cursor after which delivery continues, while a break has to be reported; else undefined */
  restart: Cursor | undefined
  /** pages that wait until the reactions of the promise of `follow` have run; undefined afterwards */
  early: Page[] | undefined
  readonly deliver: (page: Page) => void
}

const NONE: Entry[] = []

/** The followers of one room, and the entries not yet delivered to them. */
export class Followers {
  readonly #followers = new Set<Follower>()
  #undelivered = NONE
  #isWaiting = false

  get size (): number { return this.#followers.size }

  /** Whether `deliver` has to be called. */
  get isWaiting (): boolean { return this.#isWaiting }

  /** Adds a follower of the entries after `head`. Returns an unsubscribe function. Only its first call returns true. */
  add (head: Cursor, deliver: (page: Page) => void): () => boolean {
    const follower: Follower = { offset: head.offset, restart: undefined, early: [], deliver }
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
    if (this.#undelivered === NONE) this.#undelivered = [entry]
    else this.#undelivered.push(entry)
    this.#isWaiting = true
  }

  /** Discards undelivered entries. The next delivery reports a break. */
  restart (head: Cursor): void {
    this.#undelivered = NONE
    this.#isWaiting = true
    for (const follower of this.#followers) follower.restart = head
  }

  /** Delivers breaks, and the entries since the last call, to each follower. */
  deliver (): void {
    const entries = this.#undelivered
    this.#undelivered = NONE
    this.#isWaiting = false
    for (const follower of this.#followers) {
      const { restart } = follower
      if (restart !== undefined) {
        follower.restart = undefined
        follower.offset = restart.offset
        this.#deliverTo(follower, { entries: [], complete: false, more: false, head: restart })
      }
      const { offset: delivered } = follower
      const due = entries[0] !== undefined && entries[0].offset <= delivered ? entries.filter(({ offset }) => offset > delivered) : entries
      const last = due.at(-1)
      if (last === undefined) continue
      follower.offset = last.offset
      this.#deliverTo(follower, { entries: due, complete: true, more: false, head: last })
    }
  }

  #deliverTo (follower: Follower, page: Page): void {
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

import { inspect } from 'node:util'
import type { Entry, Cursor, Page } from '../store.ts'

interface Follower {
  /** offset of the last entry delivered */
  offset: number
  /** set when a break has to be reported: delivery continues after it */
  restart: Cursor | undefined
  /** pages that wait until the reactions of `follow` have run; undefined afterwards */
  early: Page[] | undefined
  readonly deliver: (page: Page) => void
}

/** The followers of one room, and the entries not yet delivered to them. */
export class Followers {
  readonly #followers = new Set<Follower>()
  #undelivered: Entry[] = []

  get size (): number { return this.#followers.size }

  /** Adds a follower of the entries after `head`. Returns an unsubscribe function, which returns true on its first call only. */
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
  push (entry: Entry): void { this.#undelivered.push(entry) }

  /** Discards undelivered entries, and reports a break with the next delivery. */
  restart (head: Cursor): void {
    this.#undelivered = []
    for (const follower of this.#followers) follower.restart = head
  }

  /** Delivers the breaks and entries since the last call to each follower. */
  deliver (): void {
    const entries = this.#undelivered
    this.#undelivered = []
    for (const follower of [...this.#followers]) {
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

/** Runs a function after all pending promise reactions: `nextTick` from a microtask waits for the microtask queue to drain. */
export function afterReactions (run: () => void): void {
  queueMicrotask(() => process.nextTick(run))
}

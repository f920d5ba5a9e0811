import { inspect } from 'node:util'
import type { Entry, Cursor, Page } from '../store.ts'

/**
 * n: of the last entry given. unvouched: where to carry on from, when what came before was erased.
 * early: what came before the reactions of its `follow` have run.
 */
interface Follower {
  n: number
  unvouched: Cursor | undefined
  early: Page[] | undefined
  readonly deliver: (page: Page) => void
}

/** Who follows one room, and what they are still to be given. */
export class Followers {
  readonly #followers = new Set<Follower>()
  #undelivered: Entry[] = []

  get size (): number { return this.#followers.size }

  /** @returns how to stop; it gives whether it was still following */
  add (head: Cursor, deliver: (page: Page) => void): () => boolean {
    const follower: Follower = { n: head.n, unvouched: undefined, early: [], deliver }
    this.#followers.add(follower)
    afterReactions(() => {
      const { early = [] } = follower
      follower.early = undefined
      for (const page of early) this.#give(follower, page)
    })
    return () => this.#followers.delete(follower)
  }

  push (entry: Entry): void { this.#undelivered.push(entry) }

  /** What came before is no longer vouched for. */
  restart (head: Cursor): void {
    this.#undelivered = []
    for (const follower of this.#followers) follower.unvouched = head
  }

  deliver (): void {
    const entries = this.#undelivered
    this.#undelivered = []
    for (const follower of [...this.#followers]) {
      const { unvouched } = follower
      if (unvouched !== undefined) {
        follower.unvouched = undefined
        follower.n = unvouched.n
        this.#give(follower, { entries: [], complete: false, more: false, head: unvouched })
      }
      const { n } = follower
      const missed = entries[0] !== undefined && entries[0].n <= n ? entries.filter((entry) => entry.n > n) : entries
      const last = missed.at(-1)
      if (last === undefined) continue
      follower.n = last.n
      this.#give(follower, { entries: missed, complete: true, more: false, head: last })
    }
  }

  #give (follower: Follower, page: Page): void {
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

/** A tick asked for by a microtask comes after every promise reaction that is due. */
export function afterReactions (run: () => void): void {
  queueMicrotask(() => process.nextTick(run))
}

import type { Store } from '../../store.ts'
import { deletion, edit, react, says } from './entries.ts'

/** Errors of changes that another change, or a trim, has made impossible. */
const REFUSALS = ['FST_CHAT_NOT_KEPT', 'FST_CHAT_DELETED', 'FST_CHAT_TOO_MANY_REACTIONS']

/** Makes posts and changes of the newest entries in a pseudo-random order, which is the same in each run. */
export class MixedLoad {
  readonly #room: string
  readonly #positions: string[] = []
  #random: number
  #count = 0

  /** @param seed an integer */
  constructor (room: string, seed = 1) {
    this.#room = room
    this.#random = seed
  }

  /** Makes the next call. Rejects as the store does, but resolves with `undefined` if a change isn't possible any more. */
  async next (store: Store): Promise<{ readonly offset?: number, readonly number?: number } | undefined> {
    const n = this.#count++
    const kind = this.#next(10)
    const position = this.#positions[this.#positions.length - 1 - this.#next(Math.min(8, this.#positions.length))]
    if (position === undefined || kind < 4) {
      const appended = await store.append(this.#room, says(`${n}`, { from: { id: `member ${n % 3}`, name: '' }, ...n % 2 === 0 && { data: `${n}` } }))
      this.#positions.push(appended.position)
      return appended
    }
    const member = `member ${this.#next(4)}`
    const reaction = ['👍', '1', 'ü'][this.#next(3)]!
    const amendment = kind < 6 ? edit(`edit ${n}`, { by: member }, n % 3 === 0 ? `${n}` : undefined) : kind < 9 ? react(reaction, member, this.#next(3) > 0) : deletion
    try {
      return await store.amend(this.#room, position, amendment)
    } catch (error) {
      if (REFUSALS.includes((error as { code?: string }).code ?? '')) return undefined
      throw error
    }
  }

  /** Makes a number of calls, each after the one before. */
  async run (store: Store, calls: number): Promise<void> {
    for (let i = 0; i < calls; i++) await this.next(store)
  }

  /** Returns an integer from 0 to below `n`. */
  #next (n: number): number {
    // The constants of Numerical Recipes.
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0
    return n === 0 ? 0 : Math.floor(this.#random / 2 ** 32 * n)
  }
}

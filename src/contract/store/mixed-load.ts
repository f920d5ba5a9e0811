import type { Amendment } from '../../change.ts'
import type { Position, Store } from '../../store.ts'
import { append, deletion, edit, end, idleEnd, react, removal, says } from './entries.ts'

/** Errors of changes that another change, or a trim, has made impossible. */
const REFUSALS = ['FST_CHAT_NOT_KEPT', 'FST_CHAT_DELETED', 'FST_CHAT_TOO_MANY_REACTIONS']

/** Error of an edit of a streaming entry. */
const NO_EDIT = 'FST_CHAT_INVALID_CHANGE'

const PIECES = ['a', 'grüße 👋', '👋👋', 'x'.repeat(50), '']

/** Makes posts, streams, controls, and changes of the newest entries, in a pseudo-random order, which is the same in each run. */
export class MixedLoad {
  readonly #room: string
  readonly #positions: Position[] = []
  /** The length of the text of each stream, with all appends that were called. */
  readonly #streams = new Map<Position, number>()
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
    const kind = this.#next(16)
    const position = this.#oneOf(this.#positions.slice(-8))
    if (position === undefined || kind < 5) return this.#post(store, n, kind === 4)
    if (kind === 15) return store.control(this.#room, removal(`member ${n}`))
    const stream = this.#oneOf([...this.#streams.keys()].slice(-3))
    if (kind > 10) return stream === undefined ? this.#post(store, n, true) : this.#amend(store, stream, this.#continuation(stream, kind === 14))
    const member = `member ${this.#next(4)}`
    const reaction = ['👍', '1', 'ü'][this.#next(3)]!
    const amendment = kind < 7 ? edit(`edit ${n}`, { by: member }, n % 3 === 0 ? `${n}` : undefined) : kind < 10 ? react(reaction, member, this.#next(3) > 0) : deletion
    return this.#amend(store, position, amendment)
  }

  /** Makes a number of calls, each after the one before. */
  async run (store: Store, calls: number): Promise<void> {
    for (let i = 0; i < calls; i++) await this.next(store)
  }

  async #post (store: Store, n: number, isStream: boolean) {
    const from = { id: `member ${n % 3}`, name: '' }
    const appended = await store.append(this.#room, says(`${n}`, { from, ...n % 2 === 0 && { data: `${n}` }, ...isStream && { streaming: true } }))
    this.#positions.push(appended.position)
    if (isStream) this.#streams.set(appended.position, `${n}`.length)
    return appended
  }

  async #amend (store: Store, position: Position, amendment: Amendment) {
    try {
      return await store.amend(this.#room, position, amendment)
    } catch (error) {
      const { code = '' } = error as { code?: string }
      if (REFUSALS.includes(code)) this.#streams.delete(position)
      else if (!('edit' in amendment.change && code === NO_EDIT)) throw error
      return undefined
    }
  }

  /** Returns an append to a stream, or its end. */
  #continuation (stream: Position, isEnd: boolean): Amendment {
    if (isEnd) {
      this.#streams.delete(stream)
      return this.#next(2) === 0 ? end : idleEnd(0)
    }
    const length = this.#streams.get(stream)!
    const piece = this.#oneOf(PIECES)!
    this.#streams.set(stream, length + [...piece].length)
    return append(piece, length)
  }

  #oneOf<T> (list: readonly T[]): T | undefined { return list[this.#next(list.length)] }

  /** Returns an integer from 0 to below `n`. */
  #next (n: number): number {
    // The constants of Numerical Recipes.
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0
    return n === 0 ? 0 : Math.floor(this.#random / 2 ** 32 * n)
  }
}

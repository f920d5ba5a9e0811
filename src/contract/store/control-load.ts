import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { Position, Store } from '../../store.ts'
import { edit, reauthorization, removal, says, upTo } from './entries.ts'
import type { Follower } from './follower.ts'

/** A control, and the number of posts that were begun before it was stored. All later posts are stored after it. */
interface StoredControl { readonly number: number, readonly posts: number }

/** A load of posts, edits and controls that knows which posts were stored after which control. */
export class ControlLoad {
  readonly #room: string
  readonly #controls: StoredControl[] = []
  #posts = 0
  #edits = 0
  /** Position of a recent post. */
  #position: Position | undefined

  constructor (room: string) {
    this.#room = room
  }

  /** Makes as many controls on each store, each with a post right after it, while others post and edit. */
  async run (stores: readonly Store[], controls: number): Promise<void> {
    await Promise.all(stores.map(async (store) => {
      const done = new AbortController()
      const noise = [() => this.#post(store), () => this.#edit(store)].map(async (call) => {
        while (!done.signal.aborted) await Promise.all([call(), call(), tick()])
      })
      const posts: Array<Promise<unknown>> = []
      for (const i of upTo(controls)) {
        const { number } = await store.control(this.#room, i % 3 === 0 ? reauthorization : removal(`member ${i}`))
        this.#controls.push({ number, posts: this.#posts })
        posts.push(this.#post(store))
        // A store whose promises resolve at once would deliver all of them in one page.
        if (i % 4 === 0) await tick()
      }
      done.abort()
      await Promise.all([...noise, ...posts])
    }))
  }

  /** Checks that a follower received each control, or a break instead of it, before all that was stored after it. */
  check ({ feed, pages, controls: received }: Follower): void {
    let reached = feed.head.change.number
    for (const { controls = [], head, complete } of pages) {
      const numbers = controls.map(({ change }) => change.number)
      assert.ok(numbers.every((number, i) => number > (numbers[i - 1] ?? reached)), 'numbers of controls rise, from those of earlier pages')
      if (complete) assert.equal((numbers.at(-1) ?? 0) <= head.change.number, true)
      reached = head.change.number
    }
    const expected = this.#controls.filter(({ number }) => number > feed.head.change.number)
    for (const { number, posts } of expected) {
      const first = pages.findIndex(({ controls = [], complete, head }) => {
        return controls.some(({ change }) => change.number === number) || (!complete && head.change.number >= number)
      })
      assert.notEqual(first, -1, `control ${number} or a break`)
      for (const { entries, changes } of pages.slice(0, first)) {
        assert.ok(entries.every(({ body }) => !(Number(body) > posts)), `no entry before control ${number}`)
        assert.ok(changes.every(({ change }) => change.number < number), `no change before control ${number}`)
      }
    }
    if (pages.some(({ complete }) => !complete)) return
    assert.deepEqual(received.map(({ change }) => change.number), expected.map(({ number }) => number).toSorted((a, b) => a - b))
  }

  /** The body of a post is its number. */
  async #post (store: Store): Promise<void> {
    const { position } = await store.append(this.#room, says(`${++this.#posts}`))
    this.#position = position
  }

  /** Edits a recent post, unless it was removed meanwhile. */
  async #edit (store: Store): Promise<void> {
    if (this.#position === undefined) return
    await store.amend(this.#room, this.#position, edit(`edit ${++this.#edits}`)).catch((error: { code?: string }) => {
      if (error.code !== 'FST_CHAT_NOT_KEPT') throw error
    })
  }
}

/** Resolves when a follower has received all that is stored, or breaks instead. */
export async function reachesHead (follower: Follower, store: Store, room: string): Promise<void> {
  const { head } = await store.read(room, { limit: 1, maxBytes: 1 })
  await follower.until(() => {
    const reached = follower.pages.at(-1)?.head ?? follower.feed.head
    return reached.position === head.position && reached.change.revision === head.change.revision
  })
}

import type { StoredItem, Timeline, TimelineItem, TimelineSnapshot } from '../../src/client/index.ts'

export const isStored = (item: TimelineItem): item is StoredItem => item.state === 'stored'

/** Returns the positions of the stored items. */
export function positionsOf (items: readonly TimelineItem[]): string[] {
  return items.filter(isStored).map(({ position }) => position)
}

/** Freezes a value and all that it contains. A later change of it throws. */
export function deepFreeze (value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  Object.values(value).forEach(deepFreeze)
}

/** Checks every snapshot of a timeline. Own posts have a unique number `n` as data. */
export class TimelineCheck {
  snapshots = 0
  notifications = 0
  readonly mismatches: string[] = []
  /** The positions of each list that was shown, to be compared with the order of the room. */
  readonly lists: string[][] = []
  readonly #timeline: Timeline
  #last: TimelineSnapshot | undefined
  #isNotified = false

  constructor (timeline: Timeline) {
    this.#timeline = timeline
    timeline.subscribe(() => {
      this.notifications++
      if (this.#isNotified) this.#fail('two notifications in a tick')
      this.#isNotified = true
      setImmediate(() => { this.#isNotified = false })
      this.check()
    })
  }

  check (): TimelineSnapshot {
    const snapshot = this.#timeline.getSnapshot()
    const last = this.#last
    if (snapshot === last) return snapshot
    if (snapshot !== this.#timeline.getSnapshot()) this.#fail('another snapshot without a change')
    this.#last = snapshot
    this.snapshots++
    deepFreeze(snapshot)
    const { items, earlier = [] } = snapshot
    const keys = items.map(({ key }) => key)
    if (new Set(keys).size < keys.length) this.#fail(`a key occurs twice: ${keys.join()}`)
    const positions = positionsOf(items)
    if (new Set(positions).size < positions.length) this.#fail('a message occurs twice')
    if (items.slice(0, positions.length).some(({ state }) => state !== 'stored')) this.#fail('a pending post is above a message')
    this.lists.push(positions)
    if (earlier.length > 0) this.lists.push(positionsOf(earlier))
    this.#checkOwn(items, last)
    return snapshot
  }

  /** Checks that no post is shown twice, and that keys stay. */
  #checkOwn (items: readonly TimelineItem[], last: TimelineSnapshot | undefined): void {
    const numbers = new Map<unknown, TimelineItem>()
    for (const item of items) {
      const n = (item.data as { n?: number } | undefined)?.n
      if (n === undefined || item.state === 'failed') continue
      if (numbers.has(n)) this.#fail(`the post ${n} is shown twice`)
      numbers.set(n, item)
    }
    const before = new Map((last?.items ?? []).filter(isStored).map((item) => [item.position, item]))
    for (const item of items.filter(isStored)) {
      const key = before.get(item.position)?.key
      if (key !== undefined && key !== item.key) this.#fail(`the key of ${item.position} has changed`)
    }
    for (const { key, state, data } of last?.items ?? []) {
      if (state !== 'pending') continue
      const now = numbers.get((data as { n: number }).n)
      if (now !== undefined && now.key !== key) this.#fail(`the key of a post has changed when it was ${now.state}`)
    }
  }

  #fail (problem: string): void { this.mismatches.push(problem) }
}

import type { Position } from '../store.ts'

/**
 * When the streaming entries of a store of one process were begun or last renewed. What an earlier process began is idle. `Key`: what
 * the store names an entry by.
 */
export class StreamLeases<Key = Position> {
  /** ms of `performance.now()`, the longest idle one first. */
  readonly #renewed = new Map<Key, number>()

  renew (key: Key): void {
    this.#renewed.delete(key)
    this.#renewed.set(key, performance.now())
  }

  /** Called when an entry is no longer streaming, or no longer kept. */
  end (key: Key): void { this.#renewed.delete(key) }

  /** Returns for how many ms an entry was not renewed. */
  idleTime (key: Key): number { return performance.now() - (this.#renewed.get(key) ?? -Infinity) }

  /** Removes the leases of entries that are no longer streaming. Returns the number of those that are left. */
  prune (isStreaming: (key: Key) => boolean): number {
    for (const key of this.#renewed.keys()) if (!isStreaming(key)) this.#renewed.delete(key)
    return this.#renewed.size
  }

  clear (): void { this.#renewed.clear() }
}

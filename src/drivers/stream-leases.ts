import type { Position } from '../store.ts'

/** When the streaming entries of a store of one process were begun or last renewed. What an earlier process began is idle. */
export class StreamLeases {
  /** ms of `performance.now()`, the longest idle one first. */
  readonly #renewed = new Map<Position, number>()

  renew (position: Position): void {
    this.#renewed.delete(position)
    this.#renewed.set(position, performance.now())
  }

  /** Called when an entry is no longer streaming, or no longer kept. */
  end (position: Position): void { this.#renewed.delete(position) }

  /** Returns for how many ms an entry was not renewed. */
  idleTime (position: Position): number { return performance.now() - (this.#renewed.get(position) ?? -Infinity) }

  clear (): void { this.#renewed.clear() }
}

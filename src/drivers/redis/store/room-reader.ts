import type { RoomLimits } from './options.ts'
import type { ReadQueue } from './read-queue.ts'
import type { MemoryRecovery } from './memory-recovery.ts'
import type { RoomIndex } from './room-index.ts'
import type { RoomScripts, StreamPage, StreamQuery } from './room-scripts.ts'

/** Reads pages of rooms, each once this process has memory for it. */
export class RoomReader {
  readonly #scripts: RoomScripts
  readonly #queue: ReadQueue
  readonly #recovery: MemoryRecovery
  readonly #index: RoomIndex
  readonly #limits: RoomLimits

  constructor ({ scripts, queue, recovery, index, limits }: {
    readonly scripts: RoomScripts
    readonly queue: ReadQueue
    readonly recovery: MemoryRecovery
    readonly index: RoomIndex
    readonly limits: RoomLimits
  }) {
    this.#scripts = scripts
    this.#queue = queue
    this.#recovery = recovery
    this.#index = index
    this.#limits = limits
  }

  /** @param onStart called before the page is read; the read rejects with what it throws */
  read (room: string, query: StreamQuery, onStart: () => void): Promise<StreamPage> {
    const { historyEntries, historyBytes } = this.#limits
    const { limit, maxBytes } = query
    return this.#queue.run(Math.min(limit, historyEntries), limit === 0 ? 0 : Math.min(maxBytes, historyBytes), async () => {
      onStart()
      const { charge, page } = await this.#recovery.run(room, () => this.#scripts.read(room, query))
      this.#index.use(room, charge)
      return page
    })
  }
}

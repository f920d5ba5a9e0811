import type { RoomLimits } from './options.ts'
import type { ReadQueue } from './read-queue.ts'
import type { MemoryRecovery } from './memory-recovery.ts'
import type { RoomIndex } from './room-index.ts'
import type { DeletedContents } from './deleted-contents.ts'
import type { RoomScripts } from './room-scripts.ts'
import type { StreamPage, StreamQuery } from './stream-page.ts'
import type { UnreadQueue } from './unread-queue.ts'

/** Reads pages of rooms, each once this process has memory for it. */
export class RoomReader {
  readonly #scripts: RoomScripts
  readonly #queue: ReadQueue
  readonly #recovery: MemoryRecovery
  readonly #index: RoomIndex
  readonly #deleted: DeletedContents
  readonly #limits: RoomLimits
  readonly #unread: UnreadQueue

  constructor ({ scripts, unread, queue, recovery, index, deleted, limits }: {
    readonly scripts: RoomScripts
    readonly unread: UnreadQueue
    readonly queue: ReadQueue
    readonly recovery: MemoryRecovery
    readonly index: RoomIndex
    readonly deleted: DeletedContents
    readonly limits: RoomLimits
  }) {
    this.#scripts = scripts
    this.#queue = queue
    this.#recovery = recovery
    this.#index = index
    this.#deleted = deleted
    this.#limits = limits
    this.#unread = unread
  }

  /** @param onStart called before the page is read; the read rejects with what it throws */
  read (room: string, query: StreamQuery, onStart: () => void): Promise<StreamPage> {
    const { historyEntries, historyBytes } = this.#limits
    const { direction, limit, maxBytes, controlBytes = 0, revision, isUse = true, readPosition } = query
    const isCount = limit === 0 && direction === 'newest' && !isUse && readPosition !== undefined
    // With a revision, the bounds hold for the entries and for the changed ones.
    const parts = revision === undefined ? 1 : 2
    const bytes = controlBytes + (limit === 0 ? 0 : parts * Math.min(maxBytes, historyBytes))
    return this.#queue.run(parts * Math.min(limit, historyEntries), bytes, async () => {
      onStart()
      const { charge = 0, hasOverdue, page } = isCount
        ? await this.#unread.read(room, readPosition)
        : await this.#recovery.run(room, () => this.#scripts.read(room, query))
      if (isUse) this.#index.use(room, charge, page.head.position.offset === 0)
      if (hasOverdue) this.#deleted.removeNow(room)
      return page
    })
  }
}

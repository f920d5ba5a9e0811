import type { RedisClient } from '../client/client.ts'
import type { IndexedData } from './indexed-data.ts'
import type { RoomIndex } from './room-index.ts'

/** ms between two searches. A lost index is rebuilt at once. */
const SEARCH_INTERVAL = 60_000

/** Rooms read in one step. */
const STEP = 100

/** Finds rooms that the index lacks, because it was lost or a node failed to write them. */
export class MissingRooms {
  readonly #client: RedisClient
  readonly #index: RoomIndex
  readonly #data: IndexedData
  readonly #signal: AbortSignal
  #search: Promise<boolean> | undefined
  #searchedAt = -Infinity
  /** False from when the index was found to be new until a search has completed. */
  #isComplete = true

  /** @param signal ends a search */
  constructor ({ client, index, data, signal }: {
    readonly client: RedisClient
    readonly index: RoomIndex
    readonly data: IndexedData
    readonly signal: AbortSignal
  }) {
    this.#client = client
    this.#index = index
    this.#data = data
    this.#signal = signal
  }

  get isSearching (): boolean { return this.#search !== undefined }

  /** Whether the last search was long ago. */
  get isSearchDue (): boolean { return performance.now() - this.#searchedAt > SEARCH_INTERVAL }

  /** Whether the index lacks rooms since it was lost, and the last search was long ago. */
  get isRetryDue (): boolean { return !this.#isComplete && this.isSearchDue }

  /** Called when the index was found to be new. */
  indexLost (): void { this.#isComplete = false }

  /** Adds the rooms to the index. Resolves with whether there were any. Calls during a search return its promise. */
  add (): Promise<boolean> {
    this.#search ??= this.#addAll().finally(() => { this.#search = undefined })
    return this.#search
  }

  async #addAll (): Promise<boolean> {
    this.#searchedAt = performance.now()
    let added = 0
    for await (const names of this.#client.rooms('room')) {
      for (let i = 0; i < names.length; i += STEP) {
        if (this.#signal.aborted) return false
        const found = await Promise.all(names.slice(i, i + STEP).map(async (room) => await this.#data.inspect(room)))
        const rooms = found.filter((room) => room !== undefined)
        if (rooms.length > 0) added += await this.#index.add(rooms)
      }
    }
    this.#isComplete = true
    return added > 0
  }
}

import type { RedisClient } from '../client/client.ts'
import { EVICTION_DELAY, evictRooms, firstReaching } from './evict-rooms.ts'
import type { IndexedData } from './indexed-data.ts'
import type { MissingRooms } from './missing-rooms.ts'
import type { IndexState, RoomIndex } from './room-index.ts'
import type { StoreLimit } from './store-limit.ts'

/** ms between two writes of the index */
const FLUSH_INTERVAL = 1_000

/** Rooms read in one step. */
const STEP = 100

/** Rooms that lose their older half in one step. */
const HALVED_ROOMS = 10

/** Share of the bound down to which rooms are evicted. */
const TARGET_SHARE = 0.9

/**
 * Keeps the rooms of a chat within a bound. Evicts rooms without followers, the least recently used first. If all rooms have
 * followers, removes the older half of the history from the largest rooms. Only one node evicts at a time.
 */
export class Evictions {
  readonly #client: RedisClient
  readonly #index: RoomIndex
  readonly #data: IndexedData
  readonly #missing: MissingRooms
  readonly #limit: StoreLimit
  readonly #timer: NodeJS.Timeout
  /** Current eviction. */
  #eviction: Promise<void> | undefined
  #flushing = false
  /** Whether the last total exceeded the bound. The next flush checks again, because the evicting node may have died. */
  #exceeded = false

  constructor ({ client, index, data, missing, limit }: {
    readonly client: RedisClient
    readonly index: RoomIndex
    readonly data: IndexedData
    readonly missing: MissingRooms
    readonly limit: StoreLimit
  }) {
    this.#client = client
    this.#index = index
    this.#data = data
    this.#missing = missing
    this.#limit = limit
    this.#timer = setInterval(() => { this.#flush().catch(() => { /* retried with the next flush */ }) }, FLUSH_INTERVAL).unref()
  }

  close (): void { clearInterval(this.#timer) }

  async #flush (): Promise<void> {
    if (this.#flushing || !(this.#index.hasChanges || this.#exceeded)) return
    this.#flushing = true
    try {
      const limit = await this.#limit.bytes()
      const state = await this.#index.flush(this.#eviction === undefined ? limit : limit * TARGET_SHARE)
      this.#exceeded = state.total > limit
      if (state.isNew) this.#missing.indexLost()
      if (state.isNew || this.#missing.isRetryDue) this.#missing.add().catch(() => { /* retried when the next search is due */ })
      if (!state.evicts || this.#eviction !== undefined || this.#client.upFor < EVICTION_DELAY) return
      this.#eviction = this.#evictTo(limit * TARGET_SHARE).finally(() => { this.#eviction = undefined })
      this.#eviction.catch(() => { /* the next flush begins another eviction */ })
    } finally {
      this.#flushing = false
    }
  }

  async #evictTo (limit: number): Promise<void> {
    let inUse = 0
    let state: IndexState
    do {
      const { total, rooms } = await this.#index.oldest(0, STEP)
      const charges = await evictRooms(this.#data, firstReaching(rooms, total - limit))
      state = await this.#index.update(charges, limit)
      inUse = charges.every(([, charge]) => charge > 0) ? inUse + charges.length : 0
    } while (state.evicts && inUse < state.rooms)
    while (state.evicts) {
      const { total } = state
      for (const room of await this.#index.largest(HALVED_ROOMS)) {
        state = await this.#index.update([[room, await this.#data.removeOlderHalf(room)]], limit)
        if (!state.evicts) return
      }
      if (state.total >= total) return
    }
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisClient } from '../client/client.ts'
import { isOutOfMemory } from '../client/reply-errors.ts'
import { EVICTION_DELAY, evictRooms, firstReaching } from './evict-rooms.ts'
import type { IndexedData } from './indexed-data.ts'
import type { MissingRooms } from './missing-rooms.ts'
import type { RoomIndex } from './room-index.ts'

/** Rooms read in one step. */
const STEP = 100

/** Share of all bytes that is evicted when Redis is out of memory. */
const FREED_SHARE = 1 / 16

/** Share of `maxmemory` below which no room is evicted: other data fills Redis. */
const MIN_SHARE = 1 / 8

/** Repeats calls that Redis rejects because it is out of memory, after evicting rooms. */
export class MemoryRecovery {
  readonly #client: RedisClient
  readonly #index: RoomIndex
  readonly #data: IndexedData
  readonly #missing: MissingRooms
  readonly #signal: AbortSignal
  /** Current eviction. Resolves with whether it freed memory. */
  #freeing: Promise<boolean> | undefined

  /** @param signal ends the wait before an eviction */
  constructor ({ client, index, data, missing, signal }: {
    readonly client: RedisClient
    readonly index: RoomIndex
    readonly data: IndexedData
    readonly missing: MissingRooms
    readonly signal: AbortSignal
  }) {
    this.#client = client
    this.#index = index
    this.#data = data
    this.#missing = missing
    this.#signal = signal
  }

  /** Makes a call that writes to a room or a record. Repeats it each time that it fails for lack of memory and an eviction freed some. */
  run<T> (room: string, call: () => Promise<T>): Promise<T> {
    const first = this.#freeing === undefined ? call() : this.#freeing.then(call)
    const startedAt = performance.now()
    const retry = async (error: unknown): Promise<T> => {
      if (!isOutOfMemory(error) || performance.now() - startedAt > this.#client.timeout) throw error
      if (!await this.#free(this.#data.key(room))) throw error
      return await call().catch(retry)
    }
    return first.catch(retry)
  }

  /** Evicts rooms on the master that holds a key. Calls during a call return its promise. */
  #free (key: string): Promise<boolean> {
    this.#freeing ??= this.#freeNow(key).catch(() => false).finally(() => { this.#freeing = undefined })
    return this.#freeing
  }

  async #freeNow (key: string): Promise<boolean> {
    if (!await this.#delayPassed()) return false
    const { isNew } = await this.#index.flush(Infinity)
    if (isNew || this.#missing.isSearching) await this.#missing.add()
    if (await this.#evictOnMaster(key)) return true
    return this.#missing.isSearchDue && await this.#missing.add() && await this.#evictOnMaster(key)
  }

  /** Waits until all nodes have had time to subscribe again. Resolves with false if Redis goes down. */
  async #delayPassed (): Promise<boolean> {
    const client = this.#client
    while (client.up && client.upFor < EVICTION_DELAY) await sleep(EVICTION_DELAY - client.upFor, undefined, { signal: this.#signal })
    return client.upFor >= EVICTION_DELAY
  }

  /** Evicts rooms on the master that holds a key. Resolves with whether that freed memory. */
  async #evictOnMaster (key: string): Promise<boolean> {
    const maxMemory = await this.#client.maxMemory().catch(() => 0)
    let freed = 0
    let wanted = Infinity
    for (let skip = 0; freed < wanted;) {
      const { total, rooms } = await this.#index.oldest(skip, STEP)
      if (rooms.length === 0 || total < maxMemory * MIN_SHARE) break
      wanted = Math.min(wanted, Math.ceil(total * FREED_SHARE))
      const onMaster = rooms.filter(({ room }) => this.#client.areTogether(this.#data.key(room), key))
      const chosen = firstReaching(onMaster, wanted - freed)
      const evicted = (await evictRooms(this.#data, chosen)).filter(([, charge]) => charge === 0)
      if (evicted.length > 0) await this.#index.update(evicted, Infinity)
      const names = new Set(evicted.map(([room]) => room))
      freed += chosen.reduce((sum, { room, charge }) => sum + (names.has(room) ? charge : 0), 0)
      skip += (chosen.length < onMaster.length ? chosen.length : rooms.length) - evicted.length
    }
    return freed > 0
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisLink } from '../client/client.ts'
import { evict, halve } from './index-scripts.ts'
import type { IndexedRoom, Noted, RoomIndex } from './room-index.ts'
import { look } from './scripts.ts'

/** Bytes of all rooms if Redis has no `maxmemory`, or it can't be read. */
const STORE_BYTES = 256 * 1024 * 1024

/** ms between two writes of the index */
const FLUSH = 1_000

/** ms after which `maxmemory` is read again */
const LIMIT_AGE = 60_000

/**
 * ms after a disconnect during which no room is evicted. Other nodes need up to the longest reconnect delay to subscribe to
 * their rooms again; until then, a room that they follow looks unused.
 */
const SETTLE = 2_000

/** ms between two searches for rooms that the index lacks. A lost index is rebuilt at once. */
const SEARCH_INTERVAL = 60_000

/** Rooms read in one step. */
const STEP = 100

/** Rooms halved in one step. */
const HALVED = 10

/** Share of the bound down to which rooms are evicted. */
const TARGET_SHARE = 0.9

/** Share of all bytes that is evicted when Redis is out of memory. */
const RELIEF_SHARE = 1 / 16

/** Share of `maxmemory` below which no room is evicted: other data fills Redis. */
const MIN_SHARE = 1 / 8

/**
 * Keeps the rooms of a chat within a bound. Evicts rooms without followers, the least recently used first. If all rooms have
 * followers, removes the older half of the history from the largest rooms. Only one node evicts at a time.
 */
export class Evictions {
  readonly #link: RedisLink
  readonly #index: RoomIndex
  readonly #keys: (room: string) => string[]
  readonly #channel: (room: string) => string
  readonly #storeBytes: number | undefined
  readonly #timer: NodeJS.Timeout
  #limit: { readonly bytes: number, readonly readAt: number } | undefined
  /** Current eviction. */
  #eviction: Promise<void> | undefined
  #relief: Promise<boolean> | undefined
  /** Current search for rooms that the index lacks. */
  #search: Promise<boolean> | undefined
  #searchedAt = -Infinity
  /** False from when the index was found to be new until a search has completed. */
  #isComplete = true
  readonly #closing = new AbortController()
  #flushing = false
  /** Whether the last total exceeded the bound. The next flush checks again, because the evicting node may have died. */
  #over = false

  /** @param storeBytes maximum bytes of all rooms; undefined for half of `maxmemory` */
  constructor (link: RedisLink, index: RoomIndex, { storeBytes, keys, channel }: {
    readonly storeBytes: number | undefined
    readonly keys: (room: string) => string[]
    readonly channel: (room: string) => string
  }) {
    this.#link = link
    this.#index = index
    this.#keys = keys
    this.#channel = channel
    this.#storeBytes = storeBytes
    this.#timer = setInterval(() => { this.#flush().catch(() => { /* retried with the next flush */ }) }, FLUSH).unref()
  }

  /** Current call of `relieve`. */
  get relief (): Promise<boolean> | undefined { return this.#relief }

  close (): void {
    clearInterval(this.#timer)
    this.#closing.abort()
  }

  /**
   * Evicts rooms on the master that holds a key and is out of memory. Resolves with whether that freed memory.
   * Calls during a call return its promise.
   */
  relieve (key: string): Promise<boolean> {
    this.#relief ??= this.#relieve(key).catch(() => false).finally(() => { this.#relief = undefined })
    return this.#relief
  }

  /** Evicts a room that is not in use. Resolves with the bytes that the room is then charged. */
  async #evict ({ room, used }: IndexedRoom): Promise<number> {
    return await this.#link.run(evict, this.#keys(room), [used, this.#link.countCommand, this.#channel(room)]) as number
  }

  async halve (room: string): Promise<number> {
    return await this.#link.run(halve, this.#keys(room), []) as number
  }

  async #flush (): Promise<void> {
    if (this.#flushing || !(this.#index.waits || this.#over)) return
    this.#flushing = true
    try {
      const limit = await this.#bound()
      const noted = await this.#index.flush(this.#eviction === undefined ? limit : limit * TARGET_SHARE)
      this.#over = noted.total > limit
      if (noted.isNew) this.#isComplete = false
      if (noted.isNew || (!this.#isComplete && this.#isSearchDue)) this.#addMissing().catch(() => { /* retried when the next search is due */ })
      if (!noted.evicts || this.#eviction !== undefined || this.#link.upFor < SETTLE) return
      this.#eviction = this.#evictTo(limit * TARGET_SHARE).finally(() => { this.#eviction = undefined })
      this.#eviction.catch(() => { /* the next flush begins another eviction */ })
    } finally {
      this.#flushing = false
    }
  }

  async #bound (): Promise<number> {
    if (this.#storeBytes !== undefined) return this.#storeBytes
    const now = performance.now()
    if (this.#limit === undefined || now - this.#limit.readAt > LIMIT_AGE) {
      const maxMemory = await this.#link.maxMemory().catch(() => 0)
      this.#limit = { bytes: maxMemory === 0 ? STORE_BYTES : Math.floor(maxMemory / 2), readAt: now }
    }
    return this.#limit.bytes
  }

  async #evictTo (limit: number): Promise<void> {
    let inUse = 0
    let noted: Noted
    do {
      const { total, rooms } = await this.#index.oldest(0, STEP)
      const charges = await this.#evictAll(upTo(rooms, total - limit))
      noted = await this.#index.note(charges, limit)
      inUse = charges.every(([, bytes]) => bytes > 0) ? inUse + charges.length : 0
    } while (noted.evicts && inUse < noted.rooms)
    while (noted.evicts) {
      const { total } = noted
      for (const room of await this.#index.heaviest(HALVED)) {
        noted = await this.#index.note([[room, await this.halve(room)]], limit)
        if (!noted.evicts) return
      }
      if (noted.total >= total) return
    }
  }

  async #relieve (key: string): Promise<boolean> {
    if (!await this.#settled()) return false
    const { isNew } = await this.#index.flush(Infinity)
    if (isNew || this.#search !== undefined) await this.#addMissing()
    if (await this.#evictOnMaster(key)) return true
    return this.#isSearchDue && await this.#addMissing() && await this.#evictOnMaster(key)
  }

  get #isSearchDue (): boolean { return performance.now() - this.#searchedAt > SEARCH_INTERVAL }

  /**
   * Adds rooms that the index lacks: it was lost, or a node failed to write them. Resolves with whether there were any.
   * Calls during a search return its promise.
   */
  #addMissing (): Promise<boolean> {
    this.#search ??= this.#addAllMissing().finally(() => { this.#search = undefined })
    return this.#search
  }

  async #addAllMissing (): Promise<boolean> {
    this.#searchedAt = performance.now()
    let added = 0
    for await (const names of this.#link.rooms('room')) {
      for (let i = 0; i < names.length; i += STEP) {
        if (this.#closing.signal.aborted) return false
        const found = await Promise.all(names.slice(i, i + STEP).map(async (room) => await this.#inspect(room)))
        const rooms = found.flat()
        if (rooms.length > 0) added += await this.#index.add(rooms)
      }
    }
    this.#isComplete = true
    // The added rooms may exceed the bound.
    this.#over ||= added > 0
    return added > 0
  }

  /** Resolves with a room's charge and last use; with an empty array if the room is lost. */
  async #inspect (room: string): Promise<IndexedRoom[]> {
    const [bytes, , used] = await this.#link.run(look, this.#keys(room), ['', '']) as [bytes?: number, tag?: string, at?: string]
    return bytes === undefined ? [] : [{ room, used: used!, bytes }]
  }

  /** Evicts rooms on the master that holds a key. Resolves with whether that freed memory. */
  async #evictOnMaster (key: string): Promise<boolean> {
    const maxMemory = await this.#link.maxMemory().catch(() => 0)
    let freed = 0
    let wanted = Infinity
    for (let skip = 0; freed < wanted;) {
      const { total, rooms } = await this.#index.oldest(skip, STEP)
      if (rooms.length === 0 || total < maxMemory * MIN_SHARE) break
      wanted = Math.min(wanted, Math.ceil(total * RELIEF_SHARE))
      const onMaster = rooms.filter(({ room }) => this.#link.areTogether(this.#keys(room)[0]!, key))
      const victims = upTo(onMaster, wanted - freed)
      const gone = (await this.#evictAll(victims)).filter(([, bytes]) => bytes === 0)
      if (gone.length > 0) await this.#index.note(gone, Infinity)
      freed += victims.reduce((sum, { room, bytes }) => sum + (gone.some(([name]) => name === room) ? bytes : 0), 0)
      skip += (victims.length < onMaster.length ? victims.length : rooms.length) - gone.length
    }
    return freed > 0
  }

  /** Waits until all nodes have had time to subscribe again. Resolves with false if Redis goes down. */
  async #settled (): Promise<boolean> {
    while (this.#link.up && this.#link.upFor < SETTLE) await sleep(SETTLE - this.#link.upFor, undefined, { signal: this.#closing.signal })
    return this.#link.upFor >= SETTLE
  }

  /** Resolves with the bytes that each room is then charged. A room that can't be evicted counts as in use. */
  async #evictAll (rooms: readonly IndexedRoom[]): Promise<Array<[room: string, bytes: number]>> {
    return await Promise.all(rooms.map(async (each): Promise<[string, number]> => {
      try {
        return [each.room, await this.#evict(each)]
      } catch {
        return [each.room, Math.max(each.bytes, 1)]
      }
    }))
  }
}

/** Returns the first rooms whose charges together reach `bytes`. */
function upTo (rooms: readonly IndexedRoom[], bytes: number): readonly IndexedRoom[] {
  let sum = 0
  const last = rooms.findIndex((room) => (sum += room.bytes) >= bytes)
  return last < 0 ? rooms : rooms.slice(0, last + 1)
}

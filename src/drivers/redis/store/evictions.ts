import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisLink } from '../client/client.ts'
import { evict, halve } from './index-scripts.ts'
import type { IndexedRoom, Noted, RoomIndex } from './index.ts'
import { look } from './scripts.ts'

/** Bytes of all rooms where Redis has no `maxmemory`, or doesn't show it. */
const STORE_BYTES = 256 * 1024 * 1024

/** ms between two writes of the index */
const FLUSH = 1_000

/** ms after which `maxmemory` is read again */
const LIMIT_AGE = 60_000

/**
 * ms after a break in which no room is evicted: nodes subscribe again to the rooms that they follow, at the latest after
 * the longest wait between two attempts.
 */
const SETTLE = 2_000

/** ms between two searches for rooms that are not in the index, unless it was lost */
const SEARCH_INTERVAL = 60_000

/** Rooms looked at in one step. */
const STEP = 100

/** Rooms that are halved in one step. */
const HEAVY = 10

/** Share of the bound that is left when enough was evicted. */
const LOW = 0.9

/** Share of all bytes that is evicted when Redis is out of memory. */
const RELIEF = 1 / 16

/** Below this share of `maxmemory` the chat isn't what Redis' memory went to: its rooms stay. */
const SMALL = 1 / 8

/**
 * Keeps all rooms of a chat within a bound: rooms that nobody follows go, the least recently used first. Only where all
 * are followed, those that are charged most lose the older half of their history. One node at a time does it.
 */
export class Evictions {
  readonly #link: RedisLink
  readonly #index: RoomIndex
  readonly #keys: (room: string) => string[]
  readonly #channel: (room: string) => string
  readonly #storeBytes: number | undefined
  readonly #timer: NodeJS.Timeout
  #limit: { readonly bytes: number, readonly readAt: number } | undefined
  /** The pass under way. */
  #pass: Promise<void> | undefined
  #relief: Promise<boolean> | undefined
  /** Rooms that are not in the index are looked for. */
  #search: Promise<boolean> | undefined
  #searchedAt = -Infinity
  /** Whether all rooms were in the index after it was last found to be new. */
  #isComplete = true
  readonly #closing = new AbortController()
  #flushing = false
  /** More is kept than may be, as far as is known: to be looked at again, for the node that evicts may be gone. */
  #over = false

  /** @param storeBytes of all rooms; undefined for half of `maxmemory` */
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
    this.#timer = setInterval(() => { this.#flush().catch(() => { /* again with the next */ }) }, FLUSH).unref()
  }

  /** The one under way. */
  get relief (): Promise<boolean> | undefined { return this.#relief }

  close (): void {
    clearInterval(this.#timer)
    this.#closing.abort()
  }

  /**
   * Evicts rooms on the master of a key that is out of memory. Resolves with whether that freed any.
   * One at a time: a second call gets the one under way.
   */
  relieve (key: string): Promise<boolean> {
    this.#relief ??= this.#relieve(key).catch(() => false).finally(() => { this.#relief = undefined })
    return this.#relief
  }

  /** Evicts a room that is not in use. Resolves with what it is charged then. */
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
      const noted = await this.#index.flush(this.#pass === undefined ? limit : limit * LOW)
      this.#over = noted.total > limit
      if (noted.isNew) this.#isComplete = false
      if (noted.isNew || (!this.#isComplete && this.#isSearchDue)) this.#searched().catch(() => { /* again when it is due */ })
      if (!noted.evicts || this.#pass !== undefined || this.#link.upFor < SETTLE) return
      this.#pass = this.#evictTo(limit * LOW).finally(() => { this.#pass = undefined })
      this.#pass.catch(() => { /* the next flush begins another */ })
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
      for (const room of await this.#index.heaviest(HEAVY)) {
        noted = await this.#index.note([[room, await this.halve(room)]], limit)
        if (!noted.evicts) return
      }
      if (noted.total >= total) return
    }
  }

  async #relieve (key: string): Promise<boolean> {
    if (!await this.#settled()) return false
    const { isNew } = await this.#index.flush(Infinity)
    if (isNew || this.#search !== undefined) await this.#searched()
    if (await this.#evictBeside(key)) return true
    return this.#isSearchDue && await this.#searched() && await this.#evictBeside(key)
  }

  get #isSearchDue (): boolean { return performance.now() - this.#searchedAt > SEARCH_INTERVAL }

  /**
   * Looks for rooms that the index lacks, which was lost, or never got to know of them. Resolves with whether there are
   * any. One at a time: a second call gets the one under way.
   */
  #searched (): Promise<boolean> {
    this.#search ??= this.#searchAll().finally(() => { this.#search = undefined })
    return this.#search
  }

  async #searchAll (): Promise<boolean> {
    this.#searchedAt = performance.now()
    let added = 0
    for await (const names of this.#link.rooms('room')) {
      for (let i = 0; i < names.length; i += STEP) {
        if (this.#closing.signal.aborted) return false
        const found = await Promise.all(names.slice(i, i + STEP).map(async (room) => await this.#lookAt(room)))
        const rooms = found.flat()
        if (rooms.length > 0) added += await this.#index.add(rooms)
      }
    }
    this.#isComplete = true
    // All of them may be too much.
    this.#over ||= added > 0
    return added > 0
  }

  /** Resolves with nothing for a room that is lost. */
  async #lookAt (room: string): Promise<IndexedRoom[]> {
    const [bytes, , used] = await this.#link.run(look, this.#keys(room), ['', '']) as [bytes?: number, tag?: string, at?: string]
    return bytes === undefined ? [] : [{ room, used: used!, bytes }]
  }

  /** Evicts rooms on the master of a key. Resolves with whether that freed any memory. */
  async #evictBeside (key: string): Promise<boolean> {
    const maxMemory = await this.#link.maxMemory().catch(() => 0)
    let freed = 0
    let wanted = Infinity
    for (let skip = 0; freed < wanted;) {
      const { total, rooms } = await this.#index.oldest(skip, STEP)
      if (rooms.length === 0 || total < maxMemory * SMALL) break
      wanted = Math.min(wanted, Math.ceil(total * RELIEF))
      const beside = rooms.filter(({ room }) => this.#link.areTogether(this.#keys(room)[0]!, key))
      const victims = upTo(beside, wanted - freed)
      const gone = (await this.#evictAll(victims)).filter(([, bytes]) => bytes === 0)
      if (gone.length > 0) await this.#index.note(gone, Infinity)
      freed += victims.reduce((sum, { room, bytes }) => sum + (gone.some(([name]) => name === room) ? bytes : 0), 0)
      skip += (victims.length < beside.length ? victims.length : rooms.length) - gone.length
    }
    return freed > 0
  }

  /** Resolves with whether all nodes had the time to subscribe again since the last break. */
  async #settled (): Promise<boolean> {
    while (this.#link.up && this.#link.upFor < SETTLE) await sleep(SETTLE - this.#link.upFor, undefined, { signal: this.#closing.signal })
    return this.#link.upFor >= SETTLE
  }

  /** Resolves with what each is charged then; one that can't be reached is in use. */
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

/** The first of them that together are charged so much. */
function upTo (rooms: readonly IndexedRoom[], bytes: number): readonly IndexedRoom[] {
  let sum = 0
  const last = rooms.findIndex((room) => (sum += room.bytes) >= bytes)
  return last < 0 ? rooms : rooms.slice(0, last + 1)
}

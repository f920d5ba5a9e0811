import type { RedisClient } from '../client/client.ts'
import { READ_POSITIONS_TTL } from '../../../store.ts'
import type { RoomLimits } from './options.ts'
import { addToIndex, oldestRooms, updateIndex } from './scripts/room-index.ts'

/** A room of the index, or the record of a member. usedAt: time of the last use in ms. charge: in bytes. */
export interface IndexedRoom { readonly room: string, readonly usedAt: string, readonly charge: number }

/** A room that was used, or the record of a member. charge: in bytes, 0 if it is gone. isEmpty: whether it had no entries, if that is known. */
type Use = readonly [room: string, charge: number, isEmpty?: boolean]

/** The index after an update. */
export interface IndexState {
  /** Bytes of all rooms. */
  readonly total: number
  /** Number of rooms. */
  readonly rooms: number
  /** Whether this node must evict rooms. */
  readonly evicts: boolean
  /** Whether there was no valid index before: Redis may hold rooms that it lacks. */
  readonly isNew: boolean
}

/** Rooms per command. */
const BATCH = 500

/** Rooms that wait while the index is unreachable. Beyond this, the least recently used are dropped until their next use. */
const MAX_WAITING = 100_000

/** ms for which a node may evict without renewing its claim */
const EVICTING_TTL = 10_000

/** Index of a chat's rooms and members' records in Redis: their last use and their charge. */
export class RoomIndex {
  readonly #client: RedisClient
  readonly #keys: readonly [used: string, bytes: string]
  readonly #evictingKey: string
  readonly #formatKey: string
  readonly #emptyKey: string
  readonly #node: string
  readonly #roomTtl: number
  readonly #emptyTtl: number
  /** Rooms used since the last flush, by name, the least recently used first. */
  #waiting = new Map<string, Use>()
  /** Whether missing rooms were added since the last flush, so that the total has to be compared with the limit. */
  #hasAdded = false

  /**
   * @param node name of this node
   * @param limits `roomTtl` and `emptyTtl`: ms from its last use until a room, or one without entries, is removed
   */
  constructor (client: RedisClient, node: string, { roomTtl, emptyTtl }: Pick<RoomLimits, 'roomTtl' | 'emptyTtl'>) {
    this.#client = client
    this.#keys = [client.key('store', 'used'), client.key('store', 'bytes')]
    this.#evictingKey = client.key('store', 'evicting')
    this.#formatKey = client.key('store', 'format')
    this.#emptyKey = client.key('store', 'empty')
    this.#node = node
    this.#roomTtl = roomTtl
    this.#emptyTtl = emptyTtl
  }

  /** Whether rooms were used or added since the last flush. */
  get hasChanges (): boolean { return this.#waiting.size > 0 || this.#hasAdded }

  /** Records that a room was used now, its charge, 0 if it is gone, and whether it had no entries. */
  use (room: string, charge: number, isEmpty = false): void {
    const waiting = this.#waiting.get(room)
    this.#waiting.delete(room)
    // The result of a read may be handled after that of the first post, which followed it.
    this.#waiting.set(room, isEmpty && waiting?.[2] === false ? waiting : [room, charge, isEmpty])
  }

  /** Writes the rooms used since the last flush. @param limit maximum bytes of all rooms */
  async flush (limit: number): Promise<IndexState> {
    const rooms = [...this.#waiting.values()]
    this.#waiting = new Map()
    this.#hasAdded = false
    let state: IndexState
    let isNew = false
    let i = 0
    do {
      try {
        state = await this.update(rooms.slice(i, i + BATCH), limit)
        isNew ||= state.isNew
      } catch (error) {
        this.#waiting = new Map([...rooms.slice(i), ...this.#waiting.values()].slice(-MAX_WAITING).map((use) => [use[0], use]))
        throw error
      }
      i += BATCH
    } while (i < rooms.length)
    return { ...state, isNew }
  }

  /** Writes charges. @param limit maximum bytes of all rooms */
  async update (rooms: readonly Use[], limit: number): Promise<IndexState> {
    const keys = [...this.#keys, this.#evictingKey, this.#formatKey, this.#emptyKey]
    const [total, evicts, size, isNew] = await this.#client.run(updateIndex, keys, [
      this.#roomTtl, READ_POSITIONS_TTL, Math.min(limit, Number.MAX_SAFE_INTEGER), this.#node, EVICTING_TTL, this.#emptyTtl,
      ...rooms.flatMap(([room, charge, isEmpty]) => [room, charge, isEmpty === undefined ? '' : Number(isEmpty)])
    ]) as [number, number, number, number]
    return { total, evicts: evicts === 1, rooms: size, isNew: isNew === 1 }
  }

  /** Adds those rooms that the index lacks. Resolves with their number. */
  async add (rooms: readonly IndexedRoom[]): Promise<number> {
    const args = rooms.flatMap(({ room, usedAt, charge }) => [room, usedAt, charge])
    const added = await this.#client.run(addToIndex, [...this.#keys, this.#formatKey], [Math.max(this.#roomTtl, READ_POSITIONS_TTL), ...args]) as number
    this.#hasAdded ||= added > 0
    return added
  }

  /** Resolves with the least recently used rooms, and the bytes of all rooms. */
  async oldest (skip: number, count: number): Promise<{ readonly total: number, readonly rooms: readonly IndexedRoom[] }> {
    const [total, ...fields] = await this.#client.run(oldestRooms, this.#keys, [skip, count]) as
      [number, ...Array<string | number>]
    const rooms: IndexedRoom[] = []
    for (let i = 0; i < fields.length; i += 3) {
      rooms.push({ room: String(fields[i]), usedAt: String(fields[i + 1]), charge: Number(fields[i + 2]) })
    }
    return { total, rooms }
  }

  /** Resolves with the names of the rooms with the largest charges. */
  async largest (count: number): Promise<string[]> {
    const rooms = await this.#client.query('ZREVRANGE', this.#keys[1], 0, count - 1) as string[]
    return rooms.filter((room) => room !== '')
  }
}

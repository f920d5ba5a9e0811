import type { RedisLink } from '../client/client.ts'
import { add, note, oldest } from './index-scripts.ts'

/** used: time of the last use in ms. bytes: charge. */
export interface IndexedRoom { readonly room: string, readonly used: string, readonly bytes: number }

/** total: bytes of all rooms. evicts: whether this node must evict. isNew: whether Redis may hold rooms that the index lacks. */
export interface Noted { readonly total: number, readonly evicts: boolean, readonly rooms: number, readonly isNew: boolean }

/** Rooms per command. */
const BATCH = 500

/** Rooms that wait while the index is unreachable. Beyond this, the least recently used are dropped until their next use. */
const MAX_WAITING = 100_000

/** ms for which a node may evict without renewing its claim */
const EVICTING_TTL = 10_000

/** Index of a chat's rooms in Redis: their last use and their charge. */
export class RoomIndex {
  readonly #link: RedisLink
  readonly #keys: readonly string[]
  readonly #node: string
  readonly #roomTtl: number
  /** Charges of the rooms used since the last flush, the least recently used first. */
  #waiting = new Map<string, number>()

  /** @param node name of this node @param roomTtl ms from its last use until a room is removed */
  constructor (link: RedisLink, node: string, roomTtl: number) {
    this.#link = link
    this.#keys = ['used', 'bytes', 'evicting'].map((rest) => link.key('store', rest))
    this.#node = node
    this.#roomTtl = roomTtl
  }

  /** Whether a room was used since the last flush. */
  get waits (): boolean { return this.#waiting.size > 0 }

  /** Records that a room was used now, and its charge in bytes. */
  use (room: string, bytes: number): void {
    this.#waiting.delete(room)
    this.#waiting.set(room, bytes)
  }

  /** Writes the rooms used since the last flush. @param limit maximum bytes of all rooms */
  async flush (limit: number): Promise<Noted> {
    const rooms = [...this.#waiting]
    this.#waiting = new Map()
    let noted: Noted
    let isNew = false
    let i = 0
    do {
      try {
        noted = await this.note(rooms.slice(i, i + BATCH), limit)
        isNew ||= noted.isNew
      } catch (error) {
        this.#waiting = new Map([...rooms.slice(i), ...this.#waiting].slice(-MAX_WAITING))
        throw error
      }
      i += BATCH
    } while (i < rooms.length)
    return { ...noted, isNew }
  }

  /** Writes charges. @param rooms each with its charge in bytes, 0 if it is gone @param limit maximum bytes of all rooms */
  async note (rooms: ReadonlyArray<readonly [room: string, bytes: number]>, limit: number): Promise<Noted> {
    const args = [this.#roomTtl, Math.min(limit, Number.MAX_SAFE_INTEGER), this.#node, EVICTING_TTL, ...rooms.flat()]
    const [total, evicts, size, isNew] = await this.#link.run(note, this.#keys, args) as [number, number, number, number]
    return { total, evicts: evicts === 1, rooms: size, isNew: isNew === 1 }
  }

  /** Adds the rooms that the index lacks. Resolves with their number. */
  async add (rooms: readonly IndexedRoom[]): Promise<number> {
    const args = rooms.flatMap(({ room, used, bytes }) => [room, used, bytes])
    return await this.#link.run(add, this.#keys.slice(0, 2), [this.#roomTtl, ...args]) as number
  }

  /** Resolves with the least recently used rooms, and the bytes of all rooms. */
  async oldest (skip: number, count: number): Promise<{ readonly total: number, readonly rooms: readonly IndexedRoom[] }> {
    const [total, ...fields] = await this.#link.run(oldest, this.#keys.slice(0, 2), [skip, count]) as [number, ...Array<string | number>]
    const rooms: IndexedRoom[] = []
    for (let i = 0; i < fields.length; i += 3) rooms.push({ room: String(fields[i]), used: String(fields[i + 1]), bytes: Number(fields[i + 2]) })
    return { total, rooms }
  }

  /** Resolves with the names of the rooms with the largest charges. */
  async heaviest (count: number): Promise<string[]> {
    const rooms = await this.#link.query('ZREVRANGE', this.#keys[1]!, 0, count - 1) as string[]
    return rooms.filter((room) => room !== '')
  }
}

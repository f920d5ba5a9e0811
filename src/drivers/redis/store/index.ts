import type { RedisLink } from '../client/client.ts'
import { add, note, oldest } from './index-scripts.ts'

/** used: ms of its last use. bytes: what it is charged. */
export interface IndexedRoom { readonly room: string, readonly used: string, readonly bytes: number }

/** total: bytes of all rooms. evicts: whether this node is the one to evict. isNew: whether rooms may be in Redis that it lacks. */
export interface Noted { readonly total: number, readonly evicts: boolean, readonly rooms: number, readonly isNew: boolean }

/** Rooms of one command. */
const BATCH = 500

/** Rooms that wait for the index to be reachable; of more, those used longest ago are left out until their next use. */
const WAITING = 100_000

/** ms for which a node may evict without a sign of life */
const TURN = 10_000

/** The index of a chat's rooms in Redis: when they were last used, and what they are charged. */
export class RoomIndex {
  readonly #link: RedisLink
  readonly #keys: readonly string[]
  readonly #node: string
  readonly #roomTtl: number
  /** Charges of the rooms used since the last flush, the least recently used first. */
  #waiting = new Map<string, number>()

  /** @param node names this one @param roomTtl ms after its last use that a room is gone */
  constructor (link: RedisLink, node: string, roomTtl: number) {
    this.#link = link
    this.#keys = ['used', 'bytes', 'evicting'].map((rest) => link.key('store', rest))
    this.#node = node
    this.#roomTtl = roomTtl
  }

  /** Whether a room was used since the last flush. */
  get waits (): boolean { return this.#waiting.size > 0 }

  /** A room was used now, and is charged so many bytes. */
  use (room: string, bytes: number): void {
    this.#waiting.delete(room)
    this.#waiting.set(room, bytes)
  }

  /** Writes the rooms used since the last call. @param limit bytes of all rooms */
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
        this.#waiting = new Map([...rooms.slice(i), ...this.#waiting].slice(-WAITING))
        throw error
      }
      i += BATCH
    } while (i < rooms.length)
    return { ...noted, isNew }
  }

  /** @param rooms each with its charge, 0 for one that is gone */
  async note (rooms: ReadonlyArray<readonly [room: string, bytes: number]>, limit: number): Promise<Noted> {
    const args = [this.#roomTtl, Math.min(limit, Number.MAX_SAFE_INTEGER), this.#node, TURN, ...rooms.flat()]
    const [total, evicts, size, isNew] = await this.#link.run(note, this.#keys, args) as [number, number, number, number]
    return { total, evicts: evicts === 1, rooms: size, isNew: isNew === 1 }
  }

  /** Adds those rooms that it lacks. Resolves with how many it lacked. */
  async add (rooms: readonly IndexedRoom[]): Promise<number> {
    const args = rooms.flatMap(({ room, used, bytes }) => [room, used, bytes])
    return await this.#link.run(add, this.#keys.slice(0, 2), [this.#roomTtl, ...args]) as number
  }

  /** The rooms used longest ago, and the bytes of all. */
  async oldest (skip: number, count: number): Promise<{ readonly total: number, readonly rooms: readonly IndexedRoom[] }> {
    const [total, ...fields] = await this.#link.run(oldest, this.#keys.slice(0, 2), [skip, count]) as [number, ...Array<string | number>]
    const rooms: IndexedRoom[] = []
    for (let i = 0; i < fields.length; i += 3) rooms.push({ room: String(fields[i]), used: String(fields[i + 1]), bytes: Number(fields[i + 2]) })
    return { total, rooms }
  }

  /** Names of the rooms that are charged most. */
  async heaviest (count: number): Promise<string[]> {
    const rooms = await this.#link.query('ZREVRANGE', this.#keys[1]!, 0, count - 1) as string[]
    return rooms.filter((room) => room !== '')
  }
}

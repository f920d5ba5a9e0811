import { StoreBusy, StoreClosed } from '../errors.ts'
import { Followers, afterReactions } from './followers.ts'
import { MemoryLog } from './memory-log.ts'
import type { ChatStore, Draft, Feed, Mark, Page, Position, Query } from './store.ts'

/** Bounds of the memory store, each with its default. */
export interface MemoryStoreOptions {
  /** entries kept a room; 1,000 */
  readonly historyEntries?: number | undefined
  /** bytes kept a room; 4 MiB */
  readonly historyBytes?: number | undefined
  /** bytes kept of all rooms together; 256 MiB */
  readonly storeBytes?: number | undefined
  /** rooms kept; 100,000 */
  readonly rooms?: number | undefined
  /** ms after which a room nobody follows is forgotten; 1 h */
  readonly idle?: number | undefined
  /** ms a key is remembered at least, unless there are more than five times the entries; 5 min */
  readonly keyLife?: number | undefined
}

interface Room { log: MemoryLog, used: number, readonly followers: Followers }

/** A store in the memory of this process: what it keeps ends with it. Bounded; the least recently used room goes first. */
export class MemoryStore implements ChatStore {
  /** The least recently used room first. */
  readonly #rooms = new Map<string, Room>()
  readonly #dirty = new Set<Room>()
  readonly #limits: { [K in keyof MemoryStoreOptions]-?: number }
  readonly #sweep: NodeJS.Timeout
  #newest: Room | undefined
  #bytes = 0
  #closed = false

  constructor ({
    historyEntries = 1_000,
    historyBytes = 4 * 1024 * 1024,
    storeBytes = 256 * 1024 * 1024,
    rooms = 100_000,
    idle = 60 * 60 * 1_000,
    keyLife = 5 * 60 * 1_000
  }: MemoryStoreOptions = {}) {
    this.#limits = { historyEntries, historyBytes, storeBytes, rooms, idle, keyLife }
    this.#sweep = setInterval(() => this.#forgetIdle(), Math.min(idle, 60_000)).unref()
  }

  append (name: string, draft: Draft): Promise<Mark & { again: boolean }> {
    try {
      const room = this.#use(name)
      const known = room.log.judge(draft)
      if (known !== undefined) return Promise.resolve({ ...known, again: true })
      const before = room.log.bytes
      const entry = room.log.append(draft)
      this.#bytes += room.log.bytes - before
      if (this.#bytes > this.#limits.storeBytes) this.#makeRoom(room)
      if (room.followers.size > 0) {
        room.followers.push(entry)
        this.#deliverSoon(room)
      }
      return Promise.resolve({ n: entry.n, position: entry.position, again: false })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async find (name: string, key: string): Promise<Mark | undefined> {
    this.#assertOpen()
    return this.#rooms.get(name)?.log.find(key)
  }

  async read (name: string, query: Query): Promise<Page> {
    return this.#use(name).log.read(query)
  }

  async follow (name: string, deliver: (page: Page) => void): Promise<Feed> {
    const room = this.#use(name)
    const { head } = room.log
    const stop = room.followers.add(head, deliver)
    return {
      head,
      stop: () => {
        // Used until now: its history is kept for those who come back.
        if (stop() && this.#rooms.get(name) === room) this.#use(name)
      }
    }
  }

  async erase (name: string, position?: Position): Promise<void> {
    this.#assertOpen()
    const room = this.#rooms.get(name)
    if (room === undefined) return
    const before = room.log.bytes
    if (position === undefined) {
      room.log = new MemoryLog(this.#limits)
      room.followers.restart(room.log.head)
      this.#deliverSoon(room)
    } else {
      room.log.erase(position)
    }
    this.#bytes += room.log.bytes - before
  }

  async check (): Promise<void> {
    this.#assertOpen()
  }

  async close (): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweep)
    this.#rooms.clear()
    this.#dirty.clear()
  }

  #assertOpen (): void {
    if (this.#closed) throw new StoreClosed()
  }

  #use (name: string): Room {
    this.#assertOpen()
    let room = this.#rooms.get(name)
    if (room === undefined) {
      if (this.#rooms.size >= this.#limits.rooms) this.#forgetOldest()
      room = { log: new MemoryLog(this.#limits), used: 0, followers: new Followers() }
      this.#bytes += room.log.bytes
    }
    room.used = Date.now()
    if (room !== this.#newest) {
      this.#rooms.delete(name)
      this.#rooms.set(name, room)
      this.#newest = room
    }
    return room
  }

  #deliverSoon (room: Room): void {
    if (this.#dirty.size === 0) afterReactions(this.#deliver)
    this.#dirty.add(room)
  }

  readonly #deliver = () => {
    const rooms = [...this.#dirty]
    this.#dirty.clear()
    for (const { followers } of rooms) followers.deliver()
  }

  #makeRoom (written: Room): void {
    for (const [name, room] of this.#rooms) {
      if (this.#bytes <= this.#limits.storeBytes) return
      if (room.followers.size === 0 && room !== written) {
        this.#forget(name, room)
      } else {
        const before = room.log.bytes
        room.log.shrink()
        this.#bytes += room.log.bytes - before
      }
    }
  }

  #forgetOldest (): void {
    for (const [name, room] of this.#rooms) {
      if (room.followers.size === 0) return this.#forget(name, room)
    }
    throw new StoreBusy()
  }

  #forgetIdle (): void {
    const since = Date.now() - this.#limits.idle
    for (const [name, room] of this.#rooms) {
      if (room.used > since) return
      if (room.followers.size === 0) this.#forget(name, room)
    }
  }

  #forget (name: string, room: Room): void {
    this.#rooms.delete(name)
    if (room === this.#newest) this.#newest = undefined
    this.#bytes -= room.log.bytes
  }
}

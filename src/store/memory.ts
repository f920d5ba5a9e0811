import { inspect } from 'node:util'
import { StoreBusy, StoreClosed } from '../errors.ts'
import { MemoryLog } from './memory-log.ts'
import type { ChatStore, Draft, Entry, Feed, Mark, Page, Position, Query } from './store.ts'

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
  /** ms a key is remembered at least; 5 min */
  readonly keyLife?: number | undefined
}

interface Room { log: MemoryLog, used: number, undelivered: Entry[], readonly followers: Set<Follower> }

/**
 * n: of the last entry given. unvouched: where to carry on from, when what came before was erased.
 * early: what came before the reactions of its `follow` have run.
 */
interface Follower {
  n: number
  unvouched: Mark | undefined
  early: Page[] | undefined
  readonly deliver: (page: Page) => void
}

/** A store in the memory of this process: what it keeps ends with it. Bounded; the least recently used room goes first. */
export class MemoryStore implements ChatStore {
  /** The least recently used room first. */
  readonly #rooms = new Map<string, Room>()
  readonly #dirty = new Set<Room>()
  readonly #limits: { [K in keyof MemoryStoreOptions]-?: number }
  readonly #sweep: NodeJS.Timeout
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
      const before = room.log.bytes
      const { again, mark, entry } = room.log.append(draft)
      this.#bytes += room.log.bytes - before
      if (this.#bytes > this.#limits.storeBytes) this.#makeRoom(room)
      if (entry !== undefined && room.followers.size > 0) {
        room.undelivered.push(entry)
        this.#deliverSoon(room)
      }
      return Promise.resolve({ ...mark, again })
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
    const follower: Follower = { n: head.n, unvouched: undefined, early: [], deliver }
    room.followers.add(follower)
    afterReactions(() => {
      const { early = [] } = follower
      follower.early = undefined
      for (const page of early) this.#give(room, follower, page)
    })
    return { head, stop: () => { room.followers.delete(follower) } }
  }

  async erase (name: string, position?: Position): Promise<void> {
    this.#assertOpen()
    const room = this.#rooms.get(name)
    if (room === undefined) return
    const before = room.log.bytes
    if (position === undefined) {
      room.log = new MemoryLog(this.#limits)
      room.undelivered = []
      for (const follower of room.followers) follower.unvouched = room.log.head
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
      room = { log: new MemoryLog(this.#limits), used: 0, undelivered: [], followers: new Set() }
      this.#bytes += room.log.bytes
    } else {
      this.#rooms.delete(name)
    }
    room.used = Date.now()
    this.#rooms.set(name, room)
    return room
  }

  #deliverSoon (room: Room): void {
    if (this.#dirty.size === 0) afterReactions(() => this.#deliver())
    this.#dirty.add(room)
  }

  #deliver (): void {
    const rooms = [...this.#dirty]
    this.#dirty.clear()
    for (const room of rooms) {
      const entries = room.undelivered
      room.undelivered = []
      for (const follower of [...room.followers]) {
        const { unvouched } = follower
        if (unvouched !== undefined) {
          follower.unvouched = undefined
          follower.n = unvouched.n
          this.#give(room, follower, { entries: [], complete: false, more: false, head: unvouched })
        }
        const { n } = follower
        const missed = entries[0] !== undefined && entries[0].n <= n ? entries.filter((entry) => entry.n > n) : entries
        const last = missed.at(-1)
        if (last === undefined) continue
        follower.n = last.n
        this.#give(room, follower, { entries: missed, complete: true, more: false, head: last })
      }
    }
  }

  #give (room: Room, follower: Follower, page: Page): void {
    if (!room.followers.has(follower)) return
    if (follower.early !== undefined) {
      follower.early.push(page)
      return
    }
    try {
      follower.deliver(page)
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : inspect(error))
    }
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
    this.#bytes -= room.log.bytes
  }
}

/** A tick asked for by a microtask comes after every promise reaction that is due. */
function afterReactions (run: () => void): void {
  queueMicrotask(() => process.nextTick(run))
}

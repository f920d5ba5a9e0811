import { assertPosition } from '../../argument-checks.ts'
import { StoreClosed } from '../../errors.ts'
import { afterReactions } from '../followers.ts'
import { MemoryRooms, type Room } from './rooms.ts'
import { maxGrowth, storedEntry } from './stored-entry.ts'
import type { Store, Draft, Feed, Cursor, Page, Position, Query } from '../../store.ts'

/** Bounds of the memory store, each with its default. */
export interface MemoryStoreOptions {
  /** entries kept per room; 1,000 */
  readonly historyEntries?: number | undefined
  /** bytes of memory per room; 4 MiB */
  readonly historyBytes?: number | undefined
  /** bytes of memory of all rooms together; 256 MiB */
  readonly storeBytes?: number | undefined
  /** rooms kept; 100,000 */
  readonly rooms?: number | undefined
  /** ms after its last use that a room is removed; 1 h */
  readonly roomTtl?: number | undefined
  /** ms that a key is remembered at least, unless there are more than ten times `historyEntries`; at least five times are kept; 5 min */
  readonly keyLife?: number | undefined
}

/** A store in the memory of this process, without durability. Bounded; the least recently used room is removed first. */
export class MemoryStore implements Store {
  readonly #rooms: MemoryRooms
  readonly #undelivered = new Set<Room>()
  readonly #sweep: NodeJS.Timeout
  #closed = false

  constructor ({
    historyEntries = 1_000,
    historyBytes = 4 * 1024 * 1024,
    storeBytes = 256 * 1024 * 1024,
    rooms = 100_000,
    roomTtl = 60 * 60 * 1_000,
    keyLife = 5 * 60 * 1_000
  }: MemoryStoreOptions = {}) {
    this.#rooms = new MemoryRooms({ historyEntries, historyBytes, storeBytes, rooms, roomTtl, dedupWindow: keyLife })
    this.#sweep = setInterval(() => this.#rooms.forgetIdle(), Math.min(roomTtl, 60_000)).unref()
  }

  /** Bytes of memory charged for all rooms: at most `storeBytes`. */
  get bytes (): number { return this.#rooms.bytes }

  append (name: string, draft: Draft): Promise<Cursor & { again: boolean }> {
    try {
      this.#assertOpen()
      const room = this.#rooms.use(name)
      const known = room.log.findRepeat(draft)
      if (known !== undefined) return Promise.resolve({ ...known, again: true })
      const stored = storedEntry(draft)
      this.#rooms.makeRoom(maxGrowth(stored, draft), room)
      const entry = this.#rooms.change(room, (log) => log.append(stored, draft))
      if (room.followers !== undefined) {
        room.followers.push(entry)
        this.#deliverSoon(room)
      }
      return Promise.resolve({ offset: entry.offset, position: entry.position, again: false })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async find (name: string, key: string): Promise<Cursor | undefined> {
    this.#assertOpen()
    return this.#rooms.get(name)?.log.find(key)
  }

  async read (name: string, query: Query): Promise<Page> {
    this.#assertOpen()
    return this.#rooms.use(name).log.read(query)
  }

  async follow (name: string, deliver: (page: Page) => void): Promise<Feed> {
    this.#assertOpen()
    const room = this.#rooms.use(name)
    const followers = this.#rooms.follow(room)
    const { head } = room.log
    const stop = followers.add(head, deliver)
    return { head, stop: () => { if (stop()) this.#rooms.unfollow(room) } }
  }

  async erase (name: string, position: Position): Promise<void> {
    this.#assertOpen()
    assertPosition('position', position)
    const room = this.#rooms.get(name)
    if (room === undefined) return
    this.#rooms.change(room, (log) => log.erase(position))
  }

  async clear (name: string): Promise<void> {
    this.#assertOpen()
    const room = this.#rooms.get(name)
    if (room === undefined) return
    this.#rooms.clear(room)
    if (room.followers === undefined) return
    room.followers.restart(room.log.head)
    this.#deliverSoon(room)
  }

  async check (): Promise<void> {
    this.#assertOpen()
  }

  async close (): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweep)
    this.#rooms.close()
    this.#undelivered.clear()
  }

  #assertOpen (): void {
    if (this.#closed) throw new StoreClosed()
  }

  #deliverSoon (room: Room): void {
    if (this.#undelivered.size === 0) afterReactions(this.#deliver)
    this.#undelivered.add(room)
  }

  readonly #deliver = () => {
    const rooms = [...this.#undelivered]
    this.#undelivered.clear()
    for (const { followers } of rooms) followers?.deliver()
  }
}

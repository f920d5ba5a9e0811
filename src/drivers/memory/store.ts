import { NotKept, StalePost, StoreClosed } from '../../errors.ts'
import { afterReactions } from '../after-reactions.ts'
import type { Followers } from '../followers.ts'
import { historyBounds, type HistoryOptions } from '../history-options.ts'
import { sweepInterval } from '../sweep-interval.ts'
import { changeCost } from './changes.ts'
import type { ReadCursor } from '../read-position.ts'
import { MemoryReadPositions } from './read-positions.ts'
import { MemoryRooms } from './rooms.ts'
import { maxGrowth, storedEntry } from './stored-entry.ts'
import type { Amended, Amendment, ChangeCursor, Control } from '../../change.ts'
import type { Appended, Store, Draft, Entry, Feed, FeedPage, Cursor, Page, Position, Query, ReadPosition } from '../../store.ts'

/** Options of a `MemoryStore`. Each comment ends with the default. */
export interface MemoryStoreOptions extends HistoryOptions {
  /** bytes of memory of all rooms and read positions; beyond it, the least recently used are removed; 256 MiB */
  readonly storeBytes?: number | undefined
  /** ms after its last use that a room is removed; 1 h */
  readonly roomTtl?: number | undefined
  /** rooms kept; 100,000 */
  readonly rooms?: number | undefined
}

/** Names in a page of `rooms`. */
const ROOMS_PER_PAGE = 1_000

/** Default of `storeBytes`. */
export const DEFAULT_STORE_BYTES = 256 * 1024 * 1024

/** A store in the memory of this process, without durability. Bounded; the least recently used room is removed first. */
export class MemoryStore implements Store {
  readonly #readPositions = new MemoryReadPositions()
  readonly #rooms: MemoryRooms
  /** Undefined for none. */
  #undelivered: Followers[] | undefined
  readonly #sweep: NodeJS.Timeout
  #closed = false

  constructor ({ storeBytes = DEFAULT_STORE_BYTES, roomTtl = 60 * 60 * 1_000, rooms = 100_000, ...history }: MemoryStoreOptions = {}) {
    const limits = { ...historyBounds(history), storeBytes, rooms, roomTtl }
    this.#rooms = new MemoryRooms(limits, this.#readPositions)
    this.#sweep = setInterval(() => {
      this.#rooms.sweep()
      this.#readPositions.sweep()
    }, sweepInterval(limits)).unref()
  }

  /** Bytes of memory charged for all rooms and read positions: at most `storeBytes`. */
  get bytes (): number { return this.#rooms.bytes }

  append (name: string, draft: Draft): Promise<Appended> {
    try {
      this.#assertOpen()
      const room = this.#rooms.use(name)
      const known = room.log.findRepeat(draft)
      if (known !== undefined) return Promise.resolve({ ...known, again: true })
      const stored = storedEntry(draft)
      this.#rooms.free(maxGrowth(stored, draft), room)
      const entry = this.#rooms.append(room, stored, draft)
      if (room.followers !== undefined) {
        this.#deliverSoon(room.followers)
        room.followers.push(entry)
      }
      return Promise.resolve({ offset: entry.offset, position: entry.position, at: entry.at, again: false })
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
    if (query.use === false) return this.#rooms.peek(name).read(query)
    const room = this.#rooms.use(name)
    this.#rooms.expire(room)
    return room.log.read(query)
  }

  async follow (name: string, deliver: (page: FeedPage) => void): Promise<Feed> {
    this.#assertOpen()
    const room = this.#rooms.use(name)
    const followers = this.#rooms.follow(room)
    const { head } = room.log
    const stop = followers.add(head, deliver)
    return { head, stop: () => { if (stop()) this.#rooms.unfollow(room) } }
  }

  async get (name: string, position: Position, { for: member }: { readonly for?: string | undefined } = {}): Promise<Entry | undefined> {
    this.#assertOpen()
    const room = this.#rooms.get(name)
    if (room === undefined) return undefined
    this.#rooms.expire(room)
    return room.log.get(position, member)
  }

  async amend (name: string, position: Position, amendment: Amendment): Promise<Amended> {
    this.#assertOpen()
    if (this.#rooms.get(name) === undefined) throw amendment.since === undefined ? new NotKept() : new StalePost()
    const room = this.#rooms.use(name)
    this.#rooms.expire(room)
    this.#rooms.free(room.log.maxChangeGrowth(position, amendment), room)
    const { amended, record } = this.#rooms.change(room, (log) => log.amend(name, position, amendment))
    if (record !== undefined && room.followers !== undefined) {
      this.#deliverSoon(room.followers)
      room.followers.pushChange(record)
    }
    return amended
  }

  async control (name: string, control: Control): Promise<ChangeCursor> {
    this.#assertOpen()
    const controlled = structuredClone(control)
    const room = this.#rooms.use(name)
    this.#rooms.free(changeCost(undefined, undefined), room)
    const change = this.#rooms.change(room, (log) => log.control())
    if (room.followers !== undefined) {
      this.#deliverSoon(room.followers)
      room.followers.pushControl({ change, control: controlled })
    }
    return change
  }

  async findChange (name: string, key: string): Promise<ChangeCursor | undefined> {
    this.#assertOpen()
    return this.#rooms.get(name)?.log.findChange(key)
  }

  async markRead (memberId: string, positions: readonly ReadPosition[]): Promise<void> {
    this.#assertOpen()
    this.#readPositions.mark(memberId, positions, (bytes) => this.#rooms.free(bytes))
  }

  async readPositions (memberId: string, room?: string): Promise<readonly ReadPosition[]> {
    this.#assertOpen()
    const positions = this.#readPositions.get(memberId)
    return room === undefined ? positions : positions.filter((position) => position.room === room)
  }

  async forgetRead (memberId: string, room: string, upTo?: ReadCursor): Promise<void> {
    this.#assertOpen()
    this.#readPositions.forget(memberId, room, upTo)
  }

  async * rooms (): AsyncGenerator<readonly string[]> {
    this.#assertOpen()
    yield * this.#rooms.names(ROOMS_PER_PAGE)
  }

  async clear (name: string): Promise<void> {
    this.#assertOpen()
    const room = this.#rooms.get(name)
    if (room === undefined) return
    this.#rooms.clear(room)
    if (room.followers === undefined) return
    this.#deliverSoon(room.followers)
    room.followers.restart(room.log.head)
  }

  async check (): Promise<void> {
    this.#assertOpen()
  }

  async close (): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweep)
    this.#rooms.close()
    this.#readPositions.close()
    this.#undelivered = undefined
  }

  #assertOpen (): void {
    if (this.#closed) throw new StoreClosed()
  }

  /** Call it before the followers have something to deliver. */
  #deliverSoon (followers: Followers): void {
    if (followers.isWaiting) return
    if (this.#undelivered !== undefined) {
      this.#undelivered.push(followers)
      return
    }
    // A literal, because an empty array grows to 17 places.
    this.#undelivered = [followers]
    this.#scheduleDelivery()
  }

  readonly #scheduleDelivery = afterReactions(() => {
    const undelivered = this.#undelivered ?? []
    this.#undelivered = undefined
    for (const followers of undelivered) followers.deliver()
  })
}

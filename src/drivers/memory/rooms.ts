import { copyString } from '../../copy-string.ts'
import { StoreBusy } from '../../errors.ts'
import { stringCost } from '../../heap-cost.ts'
import { Followers } from '../followers.ts'
import type { HistoryBounds } from '../history-options.ts'
import { MemoryLog } from './log.ts'
import type { MemoryReadPositions } from './read-positions.ts'
import { Recency, type Recent } from './recency.ts'
import type { StoredEntry } from './stored-entry.ts'
import type { Draft, Entry } from '../../store.ts'

/** Bounds of all rooms together. */
export interface RoomsLimits extends HistoryBounds {
  /** bytes of memory */
  readonly storeBytes: number
  readonly rooms: number
  /** ms without use after which a room without followers is forgotten */
  readonly roomTtl: number
}

export interface Room extends Recent<Room> {
  readonly name: string
  log: MemoryLog
  /** last use, ms since 1970 */
  used: number
  followers: Followers | undefined
  /** the list that contains the room; undefined if the room can't be forgotten or shrunk */
  list: Recency<Room> | undefined
}

/** Bytes of a room without its log and its name: its object, and its slot in a half-full map. */
const ROOM = 160

/** Bytes of a room's `Followers` object, and of each follower. */
const [FOLLOWERS, FOLLOWER] = [440, 160]

/** The rooms of a store, within its bounds. The least recently used rooms and records of members are forgotten or shrunk first. */
export class MemoryRooms {
  readonly #limits: RoomsLimits
  readonly #readPositions: MemoryReadPositions
  readonly #rooms = new Map<string, Room>()
  /** Rooms without followers, which can be forgotten. */
  readonly #idle = new Recency<Room>()
  /** Rooms with followers that can be shrunk. */
  readonly #followed = new Recency<Room>()
  #bytes = 0

  /** @param readPositions records of members, whose bytes count towards the same bound */
  constructor (limits: RoomsLimits, readPositions: MemoryReadPositions) {
    this.#limits = limits
    this.#readPositions = readPositions
  }

  /** Bytes of memory, with those of the records. */
  get bytes (): number { return this.#bytes + this.#readPositions.bytes }

  get (name: string): Room | undefined { return this.#rooms.get(name) }

  /** Returns the log of a room for a read that is no use of it. Returns an empty log for a room that isn't kept. */
  peek (name: string): MemoryLog {
    const room = this.#rooms.get(name)
    if (room === undefined) return new MemoryLog(this.#limits)
    this.expire(room)
    return room.log
  }

  /** Yields the names of the rooms, in pages of this size. A room that is added or removed meanwhile may be missing. */
  * names (pageSize: number): Generator<string[]> {
    let page: string[] = []
    for (const name of this.#rooms.keys()) {
      if (page.push(name) < pageSize) continue
      yield page
      page = []
    }
    if (page.length > 0) yield page
  }

  /** Returns a room, which becomes the most recently used one. Creates it if necessary. @throws StoreBusy */
  use (name: string): Room {
    const room = this.#rooms.get(name) ?? this.#add(copyString(name))
    room.used = Date.now()
    this.#link(room)
    return room
  }

  /** Appends an entry to a room's log, as `change` changes it, but without a closure for each entry. */
  append (room: Room, entry: StoredEntry, draft: Draft): Entry {
    const before = room.log.bytes
    try {
      return room.log.append(entry, draft)
    } finally {
      this.#bytes += room.log.bytes - before
      // The room may have become one that can be shrunk.
      this.#link(room)
    }
  }

  /** Applies a change to a room's log and updates the bytes charged. */
  change<T> (room: Room, change: (log: MemoryLog) => T): T {
    const result = this.#counted(room, change)
    this.#link(room)
    return result
  }

  clear (room: Room): void {
    this.change(room, () => { room.log = new MemoryLog(this.#limits) })
  }

  /** Charges a follower and returns the room's followers. The caller must add the follower to the result. @throws StoreBusy */
  follow (room: Room): Followers {
    this.free(FOLLOWERS + FOLLOWER, room)
    if (room.followers === undefined) this.#bytes += FOLLOWERS
    room.followers ??= new Followers()
    this.#bytes += FOLLOWER
    this.#link(room)
    return room.followers
  }

  /** Stops charging a follower that was removed. */
  unfollow (room: Room): void {
    if (this.#rooms.get(room.name) !== room) return
    this.#bytes -= FOLLOWER
    if (room.followers!.size > 0) return
    this.#bytes -= FOLLOWERS
    room.followers = undefined
    // A room is in use while it has followers, so that members that come back find its history.
    this.use(room.name)
  }

  /**
   * Forgets or shrinks the least recently used rooms and records until `bytes` more bytes fit.
   * @param room the room that needs the bytes; it is shrunk last and never forgotten
   * @throws StoreBusy
   */
  free (bytes: number, room?: Room): void {
    if (this.#fits(bytes)) return
    if (room !== undefined) this.#unlink(room)
    while (!this.#fits(bytes) && this.#freeOldest());
    if (room !== undefined && !this.#fits(bytes)) this.#shrink(room)
    if (room !== undefined) this.#link(room)
    if (!this.#fits(bytes)) throw new StoreBusy()
  }

  /** Removes the entries of a room that are older than `historyAge`. Doesn't change the order of use. */
  expire (room: Room): void {
    if (room.log.isExpired) this.#counted(room, (log) => log.expire())
  }

  /** Forgets the rooms that were not used for `roomTtl`, and removes old entries of the others. */
  sweep (): void {
    const since = Date.now() - this.#limits.roomTtl
    for (let room = this.#idle.oldest; room !== undefined && room.used <= since; room = this.#idle.oldest) this.#forget(room)
    if (this.#limits.historyAge === Infinity) return
    for (const room of this.#rooms.values()) this.expire(room)
  }

  close (): void {
    this.#rooms.clear()
    this.#idle.clear()
    this.#followed.clear()
    this.#bytes = 0
  }

  #add (name: string): Room {
    if (this.#rooms.size >= this.#limits.rooms) {
      if (this.#idle.oldest === undefined) throw new StoreBusy()
      this.#forget(this.#idle.oldest)
    }
    const room: Room = { name, log: new MemoryLog(this.#limits), used: 0, followers: undefined, list: undefined, older: undefined, newer: undefined }
    this.free(bytesOf(room))
    this.#rooms.set(name, room)
    this.#bytes += bytesOf(room)
    return room
  }

  #counted<T> (room: Room, change: (log: MemoryLog) => T): T {
    const before = room.log.bytes
    try {
      return change(room.log)
    } finally {
      this.#bytes += room.log.bytes - before
    }
  }

  #fits (bytes: number): boolean { return this.bytes + bytes <= this.#limits.storeBytes }

  /** Puts a room at the end of the list it belongs to. */
  #link (room: Room): void {
    const list = room.followers === undefined ? this.#idle : room.log.canShrink ? this.#followed : undefined
    if (list === room.list && list?.newest === room) return
    this.#unlink(room)
    room.list = list
    list?.add(room)
  }

  #unlink (room: Room): void {
    room.list?.delete(room)
    room.list = undefined
  }

  /** The least recently used room that can be forgotten or shrunk. */
  get #oldest (): Room | undefined {
    const [idle, followed] = [this.#idle.oldest, this.#followed.oldest]
    return idle === undefined || (followed !== undefined && followed.used < idle.used) ? followed : idle
  }

  /** Forgets or shrinks the least recently used room or record. Returns whether there was one. */
  #freeOldest (): boolean {
    const room = this.#oldest
    if (this.#readPositions.oldestUse < (room?.used ?? Infinity)) this.#readPositions.removeOldest()
    else if (room === undefined) return false
    else if (room.followers === undefined) this.#forget(room)
    else this.#shrink(room)
    return true
  }

  #shrink (room: Room): void {
    this.change(room, (log) => log.shrink())
  }

  #forget (room: Room): void {
    this.#unlink(room)
    this.#rooms.delete(room.name)
    this.#bytes -= bytesOf(room)
  }
}

/** Returns the bytes charged for a room without its followers. */
function bytesOf ({ name, log }: Room): number {
  return ROOM + stringCost(name) + log.bytes
}

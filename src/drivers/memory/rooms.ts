import { copyString } from '../../copy-string.ts'
import { StoreBusy } from '../../errors.ts'
import { stringCost } from '../../heap-cost.ts'
import { Followers } from '../followers.ts'
import { MemoryLog, type LogLimits } from './log.ts'
import { Recency, type Recent } from './recency.ts'

/** What all rooms together may hold. */
export interface RoomsLimits extends LogLimits {
  /** bytes of memory */
  readonly storeBytes: number
  readonly rooms: number
  /** ms after which a room that nobody follows is forgotten */
  readonly roomTtl: number
}

/** list: none for a followed room that has nothing to give back. */
export interface Room extends Recent<Room> {
  readonly name: string
  log: MemoryLog
  /** ms since the epoch */
  used: number
  followers: Followers | undefined
  list: Recency<Room> | undefined
}

/** Bytes of a room beside its log and its name: its object, and its place in a map that is half full. */
const ROOM = 160

/** Bytes of the list of a room's followers, and of each of them. */
const [FOLLOWERS, FOLLOWER] = [280, 200]

/** The rooms of a store, within its bounds: the least recently used ones give back what they hold. */
export class MemoryRooms {
  readonly #limits: RoomsLimits
  readonly #rooms = new Map<string, Room>()
  /** Nobody follows them: they can be forgotten. */
  readonly #idle = new Recency<Room>()
  /** They are followed, and can be shrunk. */
  readonly #followed = new Recency<Room>()
  #bytes = 0

  constructor (limits: RoomsLimits) {
    this.#limits = limits
  }

  /** Bytes of memory. */
  get bytes (): number { return this.#bytes }

  get (name: string): Room | undefined { return this.#rooms.get(name) }

  /** Returns the room as the most recently used one, made if there is none. @throws StoreBusy */
  use (name: string): Room {
    const room = this.#rooms.get(name) ?? this.#add(copyString(name))
    room.used = Date.now()
    this.#place(room)
    return room
  }

  /** Changes what a room holds, and takes account of it. */
  change<T> (room: Room, change: (log: MemoryLog) => T): T {
    const before = room.log.bytes
    const changed = change(room.log)
    this.#bytes += room.log.bytes - before
    this.#place(room)
    return changed
  }

  clear (room: Room): void {
    this.change(room, () => { room.log = new MemoryLog(this.#limits) })
  }

  /** Counts one follower more. @throws StoreBusy */
  follow (room: Room): Followers {
    this.makeRoom(FOLLOWERS + FOLLOWER, room)
    if (room.followers === undefined) this.#bytes += FOLLOWERS
    room.followers ??= new Followers()
    this.#bytes += FOLLOWER
    this.#place(room)
    return room.followers
  }

  /** Counts one follower less. */
  unfollow (room: Room): void {
    if (this.#rooms.get(room.name) !== room) return
    this.#bytes -= FOLLOWER
    if (room.followers!.size > 0) return
    this.#bytes -= FOLLOWERS
    room.followers = undefined
    // Used until now: its history is kept for those who come back.
    this.use(room.name)
  }

  /**
   * Takes from the least recently used rooms until so many bytes more fit.
   * @param room the one they are for: the last to be shrunk, and not forgotten
   * @throws StoreBusy
   */
  makeRoom (bytes: number, room?: Room): void {
    const fits = () => this.#bytes + bytes <= this.#limits.storeBytes
    if (fits()) return
    if (room !== undefined) this.#unplace(room)
    for (let oldest = this.#oldest; oldest !== undefined && !fits(); oldest = this.#oldest) {
      if (oldest.followers === undefined) this.#forget(oldest)
      else this.#shrink(oldest)
    }
    if (room !== undefined && !fits()) this.#shrink(room)
    if (room !== undefined) this.#place(room)
    if (!fits()) throw new StoreBusy()
  }

  forgetIdle (): void {
    const since = Date.now() - this.#limits.roomTtl
    for (let room = this.#idle.oldest; room !== undefined && room.used <= since; room = this.#idle.oldest) this.#forget(room)
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
    this.makeRoom(bytesOf(room))
    this.#rooms.set(name, room)
    this.#bytes += bytesOf(room)
    return room
  }

  /** Puts it at the end of its list. */
  #place (room: Room): void {
    this.#unplace(room)
    room.list = room.followers === undefined ? this.#idle : room.log.canShrink ? this.#followed : undefined
    room.list?.add(room)
  }

  #unplace (room: Room): void {
    room.list?.delete(room)
    room.list = undefined
  }

  /** The least recently used of those that have something to give. */
  get #oldest (): Room | undefined {
    const [idle, followed] = [this.#idle.oldest, this.#followed.oldest]
    return idle === undefined || (followed !== undefined && followed.used < idle.used) ? followed : idle
  }

  #shrink (room: Room): void {
    this.change(room, (log) => log.shrink())
  }

  #forget (room: Room): void {
    this.#unplace(room)
    this.#rooms.delete(room.name)
    this.#bytes -= bytesOf(room)
  }
}

/** Of a room that nobody follows. */
function bytesOf ({ name, log }: Room): number {
  return ROOM + stringCost(name) + log.bytes
}

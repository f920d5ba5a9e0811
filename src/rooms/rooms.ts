import { TooManyRooms, TooManyRoomsOfAddress } from '../errors.ts'
import { HeldPages } from './replay/held-pages.ts'
import { KeptEntries } from './replay/kept-entries.ts'
import type { Membership } from './membership/membership.ts'
import { ReadTurns } from './replay/read-turns.ts'
import { Rings } from './replay/ring.ts'
import { RoomShares } from './room-shares.ts'
import { Room, type RoomContext } from './room.ts'
import type { Presence } from '../roster.ts'
import type { Page, Query } from '../store.ts'

/** ms for which a room without members still follows its store, so that a member can reload its page. */
const LINGER_TIME = 30_000

/** Maximum rooms without members that still follow their store. A full store can't evict a followed room. */
const MAX_LINGERING = 256

/** A room and the number of its users. address: the address that the room is charged to; empty for none. */
interface Use { readonly room: Room, users: number, linger: NodeJS.Timeout | undefined, address: string }

export interface RoomsLimits {
  /** maximum number of rooms followed at once */
  readonly rooms: number
  /** maximum number of these that are charged to one address */
  readonly roomsPerAddress: number
}

/** Opens and closes the rooms of this node. */
export class Rooms {
  readonly turns = new ReadTurns()
  readonly heldPages = new HeldPages()
  readonly keptEntries: KeptEntries
  readonly #context: RoomContext
  readonly #limits: RoomsLimits
  readonly #uses = new Map<string, Use>()
  /** Names of the rooms without members, the longest empty first. */
  readonly #lingering = new Set<string>()
  readonly #shares = new RoomShares()

  constructor (context: Omit<RoomContext, 'waiting' | 'rings' | 'turns' | 'heldPages' | 'keptEntries'>, limits: RoomsLimits) {
    this.keptEntries = new KeptEntries(context.store)
    this.#context = { ...context, waiting: { bytes: 0 }, rings: new Rings(), turns: this.turns, heldPages: this.heldPages, keptEntries: this.keptEntries }
    this.#limits = limits
  }

  /** Returns the names of the rooms in use. */
  names (): string[] {
    return [...this.#uses].filter(([, { users }]) => users > 0).map(([name]) => name)
  }

  /**
   * Begins to open a room, or adds a user to one. The room follows its store until `release`, which MUST be called once for
   * each call that returned, even if the room can't be opened.
   * @param address of the connection; empty for none
   * @throws TooManyRooms, TooManyRoomsOfAddress
   */
  take (name: string, address = ''): Room {
    const use = this.#uses.get(name) ?? this.#create(name, address)
    if (this.#lingering.has(name)) {
      if (use.address !== address) this.#ensureShare(address)
      this.#lingering.delete(name)
      this.#shares.revive(use.address, name)
      this.#charge(name, use, address)
    }
    clearTimeout(use.linger)
    use.users++
    return use.room
  }

  /** Opens a room for the app, as `take` does. Resolves when it is open. Rejects as the store and the roster do. */
  async open (name: string): Promise<Room> {
    const room = this.take(name)
    try {
      await room.opened
    } catch (error) {
      this.release(room)
      throw error
    }
    return room
  }

  /** @param address as passed to `take` */
  release (room: Room, address = ''): void {
    const { name } = room
    const use = this.#uses.get(name)
    if (use?.room !== room) return
    if (--use.users > 0) {
      if (use.address === address) this.#charge(name, use, room.address ?? address)
      return
    }
    use.linger = setTimeout(() => this.#stop(name, use), LINGER_TIME).unref()
    this.#lingering.add(name)
    this.#shares.linger(use.address, name)
    if (this.#lingering.size > MAX_LINGERING) this.#stopOldestLingering()
  }

  /** Removes a membership from its room, and releases the room that `take` opened for it. */
  leave (membership: Membership): void {
    const room = this.#uses.get(membership.room)?.room
    if (room === undefined) return
    room.leave(membership)
    this.release(room, membership.connection.address.name)
  }

  /** Returns a room that is open, or being opened. */
  find (name: string): Room | undefined { return this.#uses.get(name)?.room }

  /** Resolves with a page of the entries of a room. */
  async read (name: string, query: Query): Promise<Page> {
    return await (this.#uses.get(name)?.room.read(query) ?? this.#context.store.read(name, query))
  }

  /** Resolves with the presence of a room on all nodes. */
  async presence (name: string): Promise<Presence> {
    const room = await this.open(name)
    this.release(room)
    return room.presence
  }

  /** Writes all delivered entries to the members, without waiting for the end of the tick. */
  flush (): void {
    for (const { room } of this.#uses.values()) room.flush()
  }

  close (): void {
    for (const [name, use] of this.#uses) this.#stop(name, use)
  }

  #create (name: string, address: string): Use {
    this.#ensureShare(address)
    this.#ensureCapacity()
    const use: Use = { room: new Room(name, this.#context), users: 0, linger: undefined, address }
    this.#uses.set(name, use)
    this.#shares.charge(address)
    use.room.opened.catch(() => { if (this.#uses.get(name) === use) this.#stop(name, use) })
    return use
  }

  /**
   * Ensures that an address may have one more room. If necessary, closes lingering rooms of the address, the longest empty one
   * first. An address may hold at most as many rooms as remain for other addresses. If all clients share one address, that is
   * half of all rooms.
   * @throws TooManyRoomsOfAddress, TooManyRooms
   */
  #ensureShare (address: string): void {
    const { rooms, roomsPerAddress } = this.#limits
    const most = () => address === '' ? Infinity : Math.min(roomsPerAddress, rooms - (this.#uses.size - this.#lingering.size))
    while (this.#shares.of(address) >= most()) {
      const oldest = this.#shares.oldestLingering(address)
      if (oldest === undefined) throw most() > 0 ? new TooManyRoomsOfAddress() : new TooManyRooms()
      this.#stop(oldest, this.#uses.get(oldest)!)
    }
  }

  #ensureCapacity (): void {
    if (this.#uses.size < this.#limits.rooms) return
    if (this.#lingering.size === 0) throw new TooManyRooms()
    this.#stopOldestLingering()
  }

  #stopOldestLingering (): void {
    const [oldest] = this.#lingering
    this.#stop(oldest!, this.#uses.get(oldest!)!)
  }

  /** Moves the charge for a room to another user's address. */
  #charge (name: string, use: Use, address: string): void {
    if (use.address === address) return
    this.#shares.release(use.address, name)
    this.#shares.charge(address)
    use.address = address
  }

  #stop (name: string, use: Use): void {
    clearTimeout(use.linger)
    this.#uses.delete(name)
    this.#lingering.delete(name)
    this.#shares.release(use.address, name)
    use.room.close()
  }
}

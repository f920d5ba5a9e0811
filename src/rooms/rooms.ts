import { TooManyRooms, TooManyRoomsOfAddress } from '../errors.ts'
import { Rings } from './ring.ts'
import { RoomShares } from './room-shares.ts'
import { Room, type RoomContext } from './room.ts'
import type { Presence } from '../roster.ts'
import type { Draft, Cursor, Page, Position, Query } from '../store.ts'

/** ms that a room without members goes on following its store: whoever reloads a page is back by then. */
const LINGER = 30_000

/** Rooms without members that go on following their store. A followed room can't be evicted from a full store. */
const MAX_LINGERING = 256

/** address: that it is charged to, of one of its members; empty for none. */
interface Use { readonly room: Promise<Room>, users: number, linger: NodeJS.Timeout | undefined, address: string }

export interface RoomsLimits {
  /** followed at once */
  readonly rooms: number
  /** of them charged to one address */
  readonly roomsPerAddress: number
}

/** The rooms that have members on this node. */
export class Rooms {
  readonly #context: RoomContext
  readonly #limits: RoomsLimits
  readonly #uses = new Map<string, Use>()
  readonly #open = new Map<Room, Use>()
  /** Rooms without members, the one that was left first to begin with. */
  readonly #lingering = new Set<string>()
  readonly #shares = new RoomShares()

  constructor (context: Omit<RoomContext, 'waiting' | 'rings'>, limits: RoomsLimits) {
    this.#context = { ...context, waiting: { bytes: 0 }, rings: new Rings() }
    this.#limits = limits
  }

  /** The names of the rooms that are in use here. */
  names (): string[] {
    return [...this.#uses].filter(([, { users }]) => users > 0).map(([name]) => name)
  }

  /**
   * Takes the room for as long as it is needed: it follows its store until `release`, which is called once for each
   * time it was taken. Rejects as store and roster do.
   * @param address of the connection that takes it; empty for none
   * @throws TooManyRooms, TooManyRoomsOfAddress
   */
  async take (name: string, address = ''): Promise<Room> {
    const use = this.#use(name, address)
    try {
      return await use.room
    } catch (error) {
      use.users--
      throw error
    }
  }

  /** @param address as it was taken with */
  release (room: Room, address = ''): void {
    const { name } = room
    const use = this.#open.get(room)
    if (use === undefined) return
    if (--use.users > 0) {
      if (use.address === address) this.#charge(name, use, room.address ?? address)
      return
    }
    use.linger = setTimeout(() => this.#stop(name, use), LINGER).unref()
    this.#lingering.add(name)
    this.#shares.linger(use.address, name)
    if (this.#lingering.size > MAX_LINGERING) this.#stopOldestLingering()
  }

  /** Stores an entry, which the store then delivers; rejects as `store.append` does. */
  append (name: string, draft: Draft): Promise<Cursor & { again: boolean }> {
    try {
      return this.#context.store.append(name, draft)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  find (name: string, key: string): Promise<Cursor | undefined> {
    return this.#context.store.find(name, key)
  }

  read (name: string, query: Query): Promise<Page> {
    return this.#context.store.read(name, query)
  }

  erase (name: string, position: Position): Promise<void> {
    return this.#context.store.erase(name, position)
  }

  clear (name: string): Promise<void> {
    return this.#context.store.clear(name)
  }

  /** Who is in a room now, on any node. */
  async presence (name: string): Promise<Presence> {
    const room = await this.take(name)
    this.release(room)
    return room.presence
  }

  /** Sends the members all that was delivered, without waiting for the end of the turn. */
  flush (): void {
    for (const room of this.#open.keys()) room.flush()
  }

  close (): void {
    for (const [name, use] of this.#uses) this.#stop(name, use)
  }

  #use (name: string, address: string): Use {
    let use = this.#uses.get(name)
    if (use === undefined) {
      this.#makeShare(address)
      this.#makeRoom()
      const room = Room.open(name, this.#context)
      use = { room, users: 0, linger: undefined, address }
      this.#uses.set(name, use)
      this.#shares.charge(address)
      const opening = use
      room.then((opened) => this.#open.set(opened, opening), () => this.#forget(name, opening))
    } else if (this.#lingering.has(name)) {
      if (use.address !== address) this.#makeShare(address)
      this.#lingering.delete(name)
      this.#shares.revive(use.address, name)
      this.#charge(name, use, address)
    }
    clearTimeout(use.linger)
    use.users++
    return use
  }

  /**
   * Lets an address have one more, by those of its own that linger first. No address holds more than are left for others:
   * behind a proxy whose clients all have its address that is half of all, and nobody else needs the other half.
   */
  #makeShare (address: string): void {
    const { rooms, roomsPerAddress } = this.#limits
    const most = () => address === '' ? Infinity : Math.min(roomsPerAddress, rooms - (this.#uses.size - this.#lingering.size))
    while (this.#shares.of(address) >= most()) {
      const oldest = this.#shares.oldestLingering(address)
      if (oldest === undefined) throw new TooManyRoomsOfAddress()
      this.#stop(oldest, this.#uses.get(oldest)!)
    }
  }

  #makeRoom (): void {
    if (this.#uses.size < this.#limits.rooms) return
    if (this.#lingering.size === 0) throw new TooManyRooms()
    this.#stopOldestLingering()
  }

  #stopOldestLingering (): void {
    const [oldest] = this.#lingering
    this.#stop(oldest!, this.#uses.get(oldest!)!)
  }

  /** Charges a room to the address of one who is in it. */
  #charge (name: string, use: Use, address: string): void {
    if (use.address === address) return
    this.#shares.giveBack(use.address, name)
    this.#shares.charge(address)
    use.address = address
  }

  #forget (name: string, use: Use): void {
    this.#uses.delete(name)
    this.#lingering.delete(name)
    this.#shares.giveBack(use.address, name)
  }

  #stop (name: string, use: Use): void {
    clearTimeout(use.linger)
    this.#forget(name, use)
    use.room.then((room) => {
      this.#open.delete(room)
      room.close()
    }, () => { /* never opened: whoever wanted it was told */ })
  }
}

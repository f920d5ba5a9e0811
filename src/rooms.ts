import { TooManyRooms } from './errors.ts'
import { Room, type RoomContext } from './room.ts'
import type { Presence } from './roster/roster.ts'
import type { Draft, Mark, Page, Position, Query } from './store/store.ts'

/** ms that a room without members goes on following its store: whoever reloads a page is back by then. */
const LINGER = 30_000

interface Use { readonly room: Promise<Room>, users: number, linger: NodeJS.Timeout | undefined }

/** The rooms that have members on this node. */
export class Rooms {
  readonly #context: RoomContext
  readonly #limit: number
  readonly #uses = new Map<string, Use>()
  readonly #open = new Map<Room, Use>()

  /** @param limit rooms followed at once */
  constructor (context: Omit<RoomContext, 'waiting'>, limit: number) {
    this.#context = { ...context, waiting: { bytes: 0 } }
    this.#limit = limit
  }

  /** The names of the rooms that are in use here. */
  names (): string[] {
    return [...this.#uses].filter(([, { users }]) => users > 0).map(([name]) => name)
  }

  /**
   * Takes the room for as long as it is needed: it follows its store until `release`, which is called once for each
   * time it was taken. Rejects as store and roster do.
   * @throws TooManyRooms
   */
  async take (name: string): Promise<Room> {
    const use = this.#use(name)
    try {
      return await use.room
    } catch (error) {
      use.users--
      throw error
    }
  }

  release (room: Room): void {
    const use = this.#open.get(room)
    if (use === undefined || --use.users > 0) return
    use.linger = setTimeout(() => this.#stop(room.name, use), LINGER).unref()
  }

  /** Stores an entry, which the store then delivers; rejects as `store.append` does. */
  append (name: string, draft: Draft): Promise<Mark & { again: boolean }> {
    try {
      return this.#context.store.append(name, draft)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  find (name: string, key: string): Promise<Mark | undefined> {
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

  #use (name: string): Use {
    let use = this.#uses.get(name)
    if (use === undefined) {
      if (this.#uses.size >= this.#limit && !this.#stopOneThatLingers()) throw new TooManyRooms()
      const room = Room.open(name, this.#context)
      use = { room, users: 0, linger: undefined }
      this.#uses.set(name, use)
      const opening = use
      room.then((opened) => this.#open.set(opened, opening), () => this.#uses.delete(name))
    }
    clearTimeout(use.linger)
    use.users++
    return use
  }

  #stopOneThatLingers (): boolean {
    for (const [name, use] of this.#uses) {
      if (use.users > 0) continue
      this.#stop(name, use)
      return true
    }
    return false
  }

  #stop (name: string, use: Use): void {
    clearTimeout(use.linger)
    this.#uses.delete(name)
    use.room.then((room) => {
      this.#open.delete(room)
      room.close()
    }, () => { /* never opened: whoever wanted it was told */ })
  }
}

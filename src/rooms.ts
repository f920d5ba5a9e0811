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
  readonly #open = new Set<Room>()

  /** @param limit rooms followed at once */
  constructor (context: RoomContext, limit: number) {
    this.#context = context
    this.#limit = limit
  }

  /** The names of the rooms that are in use here. */
  names (): string[] {
    return [...this.#uses].filter(([, { users }]) => users > 0).map(([name]) => name)
  }

  /**
   * Takes the room for as long as it is needed: it follows its store until `release`. Rejects as store and roster do.
   * @throws TooManyRooms
   */
  async take (name: string): Promise<{ room: Room, release: () => void }> {
    const use = this.#use(name)
    let taken = true
    const release = () => {
      if (taken) this.#release(name, use)
      taken = false
    }
    try {
      return { room: await use.room, release }
    } catch (error) {
      release()
      throw error
    }
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

  erase (name: string, position?: Position): Promise<void> {
    return this.#context.store.erase(name, position)
  }

  /** Who is in a room now, on any node. */
  async presence (name: string): Promise<Presence> {
    const { room, release } = await this.take(name)
    release()
    return room.presence
  }

  /** Sends the members all that was delivered, without waiting for the end of the turn. */
  flush (): void {
    for (const room of this.#open) room.flush()
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
      room.then((opened) => this.#open.add(opened), () => this.#uses.delete(name))
    }
    clearTimeout(use.linger)
    use.users++
    return use
  }

  #release (name: string, use: Use): void {
    if (--use.users > 0 || this.#uses.get(name) !== use) return
    use.linger = setTimeout(() => this.#stop(name, use), LINGER).unref()
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

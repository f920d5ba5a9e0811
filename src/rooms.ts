import type { Seat } from './outbox.ts'
import { Room, type History } from './room.ts'
import type { ChatStore, Draft, Mark } from './store/store.ts'

/** ms that a room without members goes on following its store: whoever reloads a page is back by then. */
const LINGER = 30_000

interface Use { readonly room: Promise<Room>, members: number, linger: NodeJS.Timeout | undefined }

/** The rooms that have members on this node. */
export class Rooms {
  readonly #store: ChatStore
  readonly #uses = new Map<string, Use>()
  readonly #open = new Set<Room>()

  constructor (store: ChatStore) {
    this.#store = store
  }

  /** The names of the rooms that have members here. */
  names (): string[] {
    return [...this.#uses].filter(([, { members }]) => members > 0).map(([name]) => name)
  }

  /**
   * Resolves when the member has its history and hears the room; rejects as the store does.
   * @returns how to leave again
   */
  async join (name: string, seat: Seat, history: History): Promise<() => void> {
    const use = this.#use(name)
    try {
      const room = await use.room
      await room.join(seat, history)
      return () => {
        room.leave(seat)
        this.#release(name, use)
      }
    } catch (error) {
      this.#release(name, use)
      throw error
    }
  }

  /** Stores an entry, which the store then delivers; rejects as `store.append` does. */
  append (name: string, draft: Draft): Promise<Mark & { again: boolean }> {
    return this.#store.append(name, draft)
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
      const room = Room.open(name, this.#store)
      use = { room, members: 0, linger: undefined }
      this.#uses.set(name, use)
      room.then((opened) => this.#open.add(opened), () => this.#uses.delete(name))
    }
    clearTimeout(use.linger)
    use.members++
    return use
  }

  #release (name: string, use: Use): void {
    if (--use.members > 0 || this.#uses.get(name) !== use) return
    use.linger = setTimeout(() => this.#stop(name, use), LINGER).unref()
  }

  #stop (name: string, use: Use): void {
    clearTimeout(use.linger)
    this.#uses.delete(name)
    use.room.then((room) => {
      this.#open.delete(room)
      room.close()
    }, () => { /* never opened: whoever joined was told */ })
  }
}

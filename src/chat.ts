import type { Rooms } from './rooms.ts'
import type { Identity, Position } from './store/store.ts'

/** What the app says in a room. */
export interface Publication {
  readonly text: string
  /** who it is from; by default nobody */
  readonly from?: Identity | undefined
}

/** `app.chat`: the chat from the server's side, for HTTP routes and jobs. */
export class Chat {
  readonly #rooms: Rooms

  constructor (rooms: Rooms) {
    this.#rooms = rooms
  }

  /**
   * Says something in a room; resolves with its position once stored. Rejects as the store's `append` does.
   */
  async publish (room: string, { text, from }: Publication): Promise<Position> {
    const { position } = await this.#rooms.append(room, { from: from ?? null, body: text })
    return position
  }

  /** The names of the rooms that have members on this node. */
  rooms (): string[] {
    return this.#rooms.names()
  }
}

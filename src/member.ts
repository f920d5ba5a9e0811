import { randomUUID } from 'node:crypto'
import type { Connection } from './connection.ts'
import type { Format } from './outbox.ts'
import type { History } from './room.ts'
import type { Rooms } from './rooms.ts'
import type { Identity } from './store/store.ts'

/** Someone on one connection: who it is, and where it is. */
export class Member {
  readonly identity: Identity
  readonly #connection: Connection
  readonly #rooms: Rooms
  #leave = () => {}

  constructor (connection: Connection, rooms: Rooms, name: string) {
    this.#connection = connection
    this.#rooms = rooms
    this.identity = { id: randomUUID(), name }
    connection.onClose(() => this.#leave())
  }

  /** Resolves when it hears the room. */
  async join (room: string, format: Format, { hearsItself, ...history }: History & { hearsItself: boolean }): Promise<void> {
    const seat = { connection: this.#connection, format, deafTo: hearsItself ? undefined : this.identity.id, mark: 0 }
    const leave = await this.#rooms.join(room, seat, history)
    if (this.#connection.open) this.#leave = leave
    else leave()
  }

  /** Posts reach the store in the order of the calls. */
  async post (room: string, body: string | Uint8Array): Promise<void> {
    await this.#rooms.append(room, { from: this.identity, body })
  }
}

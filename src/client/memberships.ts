import { MOST_MESSAGES, isPosition, roomName, type ClientMessage, type ServerMessage } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError } from './error.ts'
import type { Outgoing } from './outgoing.ts'
import type { Pages } from './history.ts'
import { ClientRoom } from './room.ts'
import { Seat } from './membership.ts'

export interface SeatsEvents {
  /** As soon as the server lets it. */
  send (message: ClientMessage): void
  /** Now or not at all. */
  typing (room: string): void
  /** Posts can go. */
  joined (room: string): void
  /** Nobody is in the room, or wants to be. */
  left (room: string, error: ChatError): void
}

export interface JoinOptions {
  /** messages to be given at first; as many as the server gives */
  readonly history?: number | undefined
  /** the `position` of the last message that an earlier client handled: what came since is given, as after a reconnect */
  readonly after?: string | undefined
}

/** ms between two signs of typing that are worth sending. */
const TYPING = 1_000

/** What a room needs beyond its seat. */
export interface RoomServices { readonly outgoing: Outgoing, readonly pages: Pages }

/** The rooms of one client. */
export class Seats {
  readonly #seats = new Map<string, Seat>()
  readonly #services: RoomServices
  readonly #events: SeatsEvents
  readonly #backoff: () => Backoff
  #online = false

  constructor (events: SeatsEvents, services: RoomServices, backoff: () => Backoff) {
    this.#events = events
    this.#services = services
    this.#backoff = backoff
  }

  /** Whether somebody wants to be in the room, joined or not. */
  wanted (room: string): boolean { return this.#seats.get(room)?.occupant !== undefined }

  /** The room, where it is joined now. */
  live (room: string): ClientRoom | undefined { return this.#seats.get(room)?.live }

  join (name: string, { history, after }: JoinOptions): Promise<ClientRoom> {
    // What it answered to another name, could not be told from an answer to something else.
    if (!roomName.test(name)) return rejected(new ChatError('invalid', 'a room is named by 1 to 64 letters, digits and ._:-'))
    if (after !== undefined && !isPosition(after)) return rejected(new ChatError('invalid', 'after must be a position'))
    if (history !== undefined && !(Number.isInteger(history) && history >= 0 && history <= MOST_MESSAGES)) {
      return rejected(new ChatError('invalid', `history must be a whole number from 0 to ${MOST_MESSAGES}`))
    }
    const seat = this.#seat(name)
    if (seat.occupant !== undefined) return seat.occupant.joined.promise
    const joined = new Deferred<ClientRoom>()
    const { outgoing, pages } = this.#services
    let typedAt = -Infinity
    const room: ClientRoom = new ClientRoom(name, after, {
      post: (text, data) => outgoing.add(name, text, data),
      history: (before, limit) => seat.live === room
        ? pages.ask(name, before, limit)
        : rejected(new ChatError('offline', 'history can only be asked for while connected')),
      typing: () => {
        if (seat.live !== room || performance.now() < typedAt + TYPING) return
        typedAt = performance.now()
        this.#events.typing(name)
      },
      leave: () => this.leave(name)
    })
    seat.take({ room, history, joined }, this.#online)
    return joined.promise
  }

  leave (name: string): void {
    const seat = this.#seats.get(name)
    if (seat?.occupant !== undefined) seat.vacate(new ChatError('left', `the room ${name} was left`))
  }

  receive (message: Extract<ServerMessage, { type: 'joined' | 'left' | 'message' | 'presence' | 'typing' }>): void {
    const seat = this.#seats.get(message.room)
    if (message.type === 'joined') seat?.joined(message)
    else if (message.type === 'left') seat?.left()
    else seat?.live?.receive(message)
  }

  /** Gives whether that was the answer to a join or a leave. */
  refused (room: string, error: ChatError): boolean {
    return this.#seats.get(room)?.refused(error) ?? false
  }

  online (): void {
    this.#online = true
    for (const seat of this.#seats.values()) seat.ask()
  }

  lost (): void {
    this.#online = false
    for (const seat of this.#seats.values()) seat.lost()
  }

  /** @param own whether this side wants no link */
  end (error: ChatError, own: boolean): void {
    for (const seat of this.#seats.values()) seat.end(error, own)
    this.#seats.clear()
  }

  #seat (name: string): Seat {
    let seat = this.#seats.get(name)
    if (seat === undefined) {
      seat = new Seat(name, {
        send: (message) => this.#events.send(message),
        joined: () => this.#events.joined(name),
        empty: () => this.#seats.delete(name),
        left: (error) => this.#events.left(name, error)
      }, this.#backoff())
      this.#seats.set(name, seat)
    }
    return seat
  }
}

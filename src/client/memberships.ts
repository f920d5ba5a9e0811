import { MOST_MESSAGES, isPosition, roomName, type ClientMessage, type ServerMessage } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError } from './error.ts'
import type { Outgoing } from './pending-posts.ts'
import type { Pages } from './history-requests.ts'
import { ClientRoom } from './room.ts'
import { Seat } from './membership.ts'

export interface SeatsEvents {
  /** Sends the message once the rate limits permit. */
  send (message: ClientMessage): void
  /** Sends the signal now, or drops it. */
  typing (room: string): void
  /** Called when posts to the room can be sent. */
  joined (room: string): void
  /** Called when the room is left, its join is refused, or the client is closed. */
  left (room: string, error: ChatError): void
}

export interface JoinOptions {
  /** most messages to receive on joining; default: as many as the server sends */
  readonly history?: number | undefined
  /** `position` of the last message that an earlier client handled; later ones are delivered, as after a reconnect */
  readonly after?: string | undefined
}

/** Minimum ms between two `typing` signals to a room. */
const TYPING_INTERVAL = 1_000

/** Services that a room needs besides its membership. */
export interface RoomServices { readonly outgoing: Outgoing, readonly pages: Pages }

/** The memberships of one client, by room name. */
export class Seats {
  readonly #memberships = new Map<string, Seat>()
  readonly #services: RoomServices
  readonly #events: SeatsEvents
  readonly #backoff: () => Backoff
  #online = false

  constructor (events: SeatsEvents, services: RoomServices, backoff: () => Backoff) {
    this.#events = events
    this.#services = services
    this.#backoff = backoff
  }

  /** Returns whether the room is joined, or will be once the server accepts it. */
  wanted (room: string): boolean { return this.#memberships.get(room)?.occupant !== undefined }

  /** Returns the room if it is joined now. */
  live (room: string): ClientRoom | undefined { return this.#memberships.get(room)?.live }

  join (name: string, { history, after }: JoinOptions): Promise<ClientRoom> {
    // Checked here: the server's error for an invalid name could not be matched to this join.
    if (!roomName.test(name)) return rejected(new ChatError('invalid', 'a room is named by 1 to 64 letters, digits and ._:-'))
    if (after !== undefined && !isPosition(after)) return rejected(new ChatError('invalid', 'after must be a position'))
    if (history !== undefined && !(Number.isInteger(history) && history >= 0 && history <= MOST_MESSAGES)) {
      return rejected(new ChatError('invalid', `history must be a whole number from 0 to ${MOST_MESSAGES}`))
    }
    const membership = this.#membership(name)
    if (membership.occupant !== undefined) return membership.occupant.joined.promise
    const joined = new Deferred<ClientRoom>()
    const { outgoing, pages } = this.#services
    let typedAt = -Infinity
    const room: ClientRoom = new ClientRoom(name, after, {
      post: (text, data) => outgoing.add(name, text, data),
      history: (before, limit) => membership.live === room
        ? pages.ask(name, before, limit)
        : rejected(new ChatError('offline', 'history can only be asked for while connected')),
      typing: () => {
        if (membership.live !== room || performance.now() < typedAt + TYPING_INTERVAL) return
        typedAt = performance.now()
        this.#events.typing(name)
      },
      leave: () => this.leave(name)
    })
    membership.take({ room, history, joined }, this.#online)
    return joined.promise
  }

  leave (name: string): void {
    const membership = this.#memberships.get(name)
    if (membership?.occupant !== undefined) membership.vacate(new ChatError('left', `the room ${name} was left`))
  }

  receive (message: Extract<ServerMessage, { type: 'joined' | 'left' | 'message' | 'presence' | 'typing' }>): void {
    const membership = this.#memberships.get(message.room)
    if (message.type === 'joined') membership?.joined(message)
    else if (message.type === 'left') membership?.left()
    else membership?.live?.receive(message)
  }

  /** Returns whether the error answers a join or a leave. */
  refused (room: string, error: ChatError): boolean {
    return this.#memberships.get(room)?.refused(error) ?? false
  }

  online (): void {
    this.#online = true
    for (const membership of this.#memberships.values()) membership.ask()
  }

  lost (): void {
    this.#online = false
    for (const membership of this.#memberships.values()) membership.lost()
  }

  /** Called when the client is closed for good. @param own whether by `close()` */
  end (error: ChatError, own: boolean): void {
    for (const membership of this.#memberships.values()) membership.end(error, own)
    this.#memberships.clear()
  }

  #membership (name: string): Seat {
    let membership = this.#memberships.get(name)
    if (membership === undefined) {
      membership = new Seat(name, {
        send: (message) => this.#events.send(message),
        joined: () => this.#events.joined(name),
        empty: () => this.#memberships.delete(name),
        left: (error) => this.#events.left(name, error)
      }, this.#backoff())
      this.#memberships.set(name, membership)
    }
    return membership
  }
}

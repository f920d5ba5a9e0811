import { MAX_MESSAGES, isPosition, isRevision, type ClientMessage } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError } from './error.ts'
import { OFFLINE_HISTORY, type HistoryRequests } from './history-requests.ts'
import { Membership } from './membership.ts'
import type { RoomState } from './pending-request.ts'
import type { PendingRequests } from './pending-requests.ts'
import type { ReadPositions } from './read-positions.ts'
import { ClientRoom } from './room.ts'
import type { Of, RoomMessage } from './room-events.ts'
import { roomNameError } from './room-name.ts'
import type { Signals } from './signals.ts'
import { unknownProperty } from '../unknown-name.ts'

export interface MembershipsEvents {
  /** Sends the message once the rate limits permit. */
  send (message: ClientMessage): void
  /** Called when requests of the room can be sent. */
  onJoined (room: string): void
  /** Called when the room is left, its join is refused, or the client is closed. */
  onLeft (room: string, error: ChatError): void
}

export interface JoinOptions {
  /** maximum messages to receive on joining; default: as many as the server sends */
  readonly history?: number | undefined
  /** `position` of the last message that an earlier client handled; later messages are delivered, as after a reconnect */
  readonly after?: string | undefined
  /** with `after`: `revision` of the last change that the earlier client handled; later changes are delivered too */
  readonly revision?: string | undefined
}

/** Services that a room needs besides its membership. */
export interface RoomServices {
  readonly requests: PendingRequests
  readonly history: HistoryRequests
  readonly signals: Signals
  readonly reads: ReadPositions
}

/** The memberships of one client, by room name. */
export class Memberships {
  readonly #memberships = new Map<string, Membership>()
  readonly #services: RoomServices
  readonly #events: MembershipsEvents
  readonly #backoff: () => Backoff
  #online = false

  constructor (events: MembershipsEvents, services: RoomServices, backoff: () => Backoff) {
    this.#events = events
    this.#services = services
    this.#backoff = backoff
  }

  /** Returns whether the room is joined, or will be once the server accepts it. */
  includes (room: string): boolean { return this.#memberships.get(room)?.promise !== undefined }

  /** Returns the room if it is joined now. */
  joinedRoom (name: string): ClientRoom | undefined { return this.#memberships.get(name)?.joinedRoom }

  join (name: string, options: JoinOptions): Promise<ClientRoom> {
    const unknown = unknownProperty(options, ['history', 'after', 'revision'])
    if (unknown !== undefined) return rejected(new ChatError('invalid', `option '${unknown.name}' ${unknown.problem}`))
    const { history, after, revision } = options
    // Checked here, because the server's error for an invalid name couldn't be matched to this join.
    const nameError = roomNameError(name)
    if (nameError !== undefined) return rejected(nameError)
    if (after !== undefined && !isPosition(after)) return rejected(new ChatError('invalid', 'after must be a position'))
    if (revision !== undefined && !isRevision(revision)) return rejected(new ChatError('invalid', 'revision must be a revision'))
    if (revision !== undefined && after === undefined) return rejected(new ChatError('invalid', 'revision requires after'))
    if (history !== undefined && !(Number.isInteger(history) && history >= 0 && history <= MAX_MESSAGES)) {
      return rejected(new ChatError('invalid', `history must be an integer from 0 to ${MAX_MESSAGES}`))
    }
    const membership = this.#membership(name)
    if (membership.promise !== undefined) return membership.promise
    const joined = new Deferred<ClientRoom>()
    membership.join({ room: this.#room(membership, { position: after, revision }), history, joined }, this.#online)
    return joined.promise
  }

  leave (name: string): void {
    const membership = this.#memberships.get(name)
    if (membership?.promise === undefined) return
    this.#services.reads.send(name)
    membership.leave(new ChatError('left', `the room ${name} was left`))
  }

  receive (message: RoomMessage | Of<'left'>): void {
    const membership = this.#memberships.get(message.room)
    if (message.type === 'joined') membership?.onJoined(message)
    else if (message.type === 'left') membership?.onLeft(message)
    else membership?.joinedRoom?.receive(message)
  }

  /** Returns whether the error answers a join or a leave. */
  onError (room: string, error: ChatError): boolean {
    return this.#memberships.get(room)?.onError(error) ?? false
  }

  onConnect (): void {
    this.#online = true
    for (const membership of this.#memberships.values()) membership.sendJoin()
  }

  onDisconnect (): void {
    this.#online = false
    for (const membership of this.#memberships.values()) membership.onDisconnect()
  }

  /** Called when the client is closed permanently. @param own whether by `close()` */
  end (error: ChatError, own: boolean): void {
    for (const membership of this.#memberships.values()) membership.end(error, own)
    this.#memberships.clear()
  }

  #room (membership: Membership, state: RoomState): ClientRoom {
    const { name } = membership
    const { requests, history, signals, reads } = this.#services
    const typing = signals.typingIn(name)
    const room: ClientRoom = new ClientRoom(name, state, {
      reads: reads.open(name),
      post: (text, data) => requests.post(name, text, data),
      change: (change) => requests.change(name, change),
      history: (before, limit) => membership.joinedRoom === room
        ? history.request(name, before, limit)
        : rejected(new ChatError('offline', OFFLINE_HISTORY)),
      typing: (on) => { if (membership.joinedRoom === room) typing(on) },
      signal: (data) => membership.joinedRoom === room && signals.signal(name, data),
      leave: () => this.leave(name)
    })
    return room
  }

  #membership (name: string): Membership {
    let membership = this.#memberships.get(name)
    if (membership === undefined) {
      membership = new Membership(name, {
        send: (message) => this.#events.send(message),
        onJoined: () => this.#events.onJoined(name),
        onUnused: () => this.#memberships.delete(name),
        onLeft: (error) => this.#events.onLeft(name, error)
      }, this.#backoff())
      this.#memberships.set(name, membership)
    }
    return membership
  }
}

import { isPosition, isRevision } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { Deferred, rejected } from './deferred.ts'
import { ChatError, invalid } from './error.ts'
import { limitProblem } from './history-requests.ts'
import { Membership, type MembershipEvents } from './membership.ts'
import type { RoomState } from './pending-request.ts'
import { ClientRoom } from './room.ts'
import type { Of, RoomMessage, Sender } from './room-events.ts'
import type { RoomServices } from './room-operations.ts'
import { roomNameProblem } from './room-name.ts'
import { unknownName } from './unknown-name.ts'

export interface JoinOptions {
  /** maximum messages to receive on joining; default: as many as the server sends */
  readonly history?: number | undefined
  /** `position` of the last message that an earlier client handled; later messages are delivered, as after a reconnect */
  readonly after?: string | undefined
  /** with `after`: `revision` of the last change that the earlier client handled; later changes are delivered too */
  readonly revision?: string | undefined
}

/** The memberships of one client, by room name. */
export class Memberships {
  readonly #memberships = new Map<string, Membership>()
  readonly #services: RoomServices
  readonly #events: MembershipEvents
  readonly #backoff: () => Backoff
  #online = false
  #member: Sender | null = null
  #canLoadNewer = false

  constructor (events: Omit<MembershipEvents, 'onUnused'>, services: RoomServices, backoff: () => Backoff) {
    this.#events = { ...events, onUnused: (room) => this.#memberships.delete(room) }
    this.#services = services
    this.#backoff = backoff
  }

  /** Returns whether the room is joined, or will be once the server accepts it. */
  includes (room: string): boolean { return this.#memberships.get(room)?.promise !== undefined }

  /** Returns the room if it is joined now. */
  joinedRoom (name: string): ClientRoom | undefined { return this.#memberships.get(name)?.joinedRoom }

  join (name: string, options: JoinOptions): Promise<ClientRoom> {
    // Checked here, because the server's error couldn't be matched to this join.
    const problem = roomNameProblem(name) ?? problemOf(options)
    if (problem !== undefined) return rejected(invalid(problem))
    const { history, after, revision } = options
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

  /** @param canLoadNewer whether the server has pages of history after a position */
  onConnect (member: Sender, canLoadNewer: boolean): void {
    this.#online = true
    this.#member = member
    this.#canLoadNewer = canLoadNewer
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
    const isJoined = () => membership.joinedRoom === room
    const room: ClientRoom = new ClientRoom(name, state, {
      ...this.#services,
      isJoined,
      history: (position, limit, direction) => this.#services.history.request(name, position, limit, isJoined(), direction),
      member: () => this.#member,
      canLoadNewer: () => this.#canLoadNewer,
      leave: () => this.leave(name)
    })
    return room
  }

  #membership (name: string): Membership {
    let membership = this.#memberships.get(name)
    if (membership === undefined) {
      membership = new Membership(name, this.#events, this.#backoff())
      this.#memberships.set(name, membership)
    }
    return membership
  }
}

/** Returns the problem of the options of a join. */
function problemOf (options: JoinOptions): string | undefined {
  const { history, after, revision } = options
  return unknownName('option', Object.keys(options), ['history', 'after', 'revision']) ??
    (after !== undefined && !isPosition(after)
      ? 'after must be a position'
      : revision !== undefined && !(isRevision(revision) && after !== undefined)
        ? 'revision must be a revision, and requires after'
        : history !== undefined ? limitProblem('history', history, 0) : undefined)
}

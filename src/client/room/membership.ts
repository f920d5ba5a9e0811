import { isRetryable } from '../../protocol.ts'
import type { Backoff } from '../backoff.ts'
import type { Deferred } from '../deferred.ts'
import { ChatError, isOneOf } from '../error.ts'
import type { JoinedRoom } from '../requests/request-queue.ts'
import type { Outgoing } from '../requests/outgoing.ts'
import type { ClientRoom } from './room.ts'
import type { Joined, Of, RoomMessage } from '../room-events.ts'

/** One `join()` of a room, until the room is left. `join()` after `leave()` creates another. */
export interface RoomJoin {
  readonly room: ClientRoom
  /** messages to request with `join`; undefined: as many as the server sends */
  readonly history: number | undefined
  readonly joined: Deferred<ClientRoom>
}

export interface MembershipEvents {
  /** Sends the message once the rate limits permit, if `isDue` then returns true. */
  send (message: Outgoing, isDue: () => boolean): void
  /** Called when requests of the room can be sent. */
  onJoined (room: string): void
  /** Called when the app has left the room, and the server has no membership. */
  onUnused (room: string): void
  /** Called when the room is left, its join is refused, or the client is closed. */
  onLeft (room: string, error: ChatError): void
}

export type Membership = ReturnType<typeof membership>

/**
 * Returns the client's membership in one room, across reconnects. It has at most one request in flight, `join` or `leave`, because an
 * answer doesn't identify its request.
 */
export function membership (name: string, joinedRooms: Map<string, JoinedRoom>, events: MembershipEvents, delays: Backoff) {
  let join: RoomJoin | undefined
  /** The join for which the last `join` was sent. The app may leave the room before the answer arrives. */
  let requestedFor: RoomJoin | undefined
  let stage: 'out' | 'joining' | 'in' | 'leaving' = 'out'
  let retry: ReturnType<typeof setTimeout> | undefined

  /** Returns whether the app wants the room for which the last `join` was sent. */
  function isWanted (): boolean { return join !== undefined && join === requestedFor }

  /** Sends `join` unless the app has left the room. Called on a new connection and after the delay of a retry. */
  function sendJoin (): void {
    clearTimeout(retry)
    if (join === undefined) return
    stage = 'joining'
    requestedFor = join
    const { room: { position: after, revision }, history } = join
    events.send({ type: 'join', room: name, after, revision, history }, () => {
      if (isWanted()) return true
      // The room would count among those of the connection until it is left.
      sendNext()
      return false
    })
  }

  function sendLeave (): void {
    stage = 'leaving'
    events.send({ type: 'leave', room: name }, () => true)
  }

  /** Called when the membership has ended on the server. Joins again if the app has called `join()` meanwhile. */
  function sendNext (): void {
    onOut()
    sendJoin()
  }

  /** Called when the server has no membership. */
  function onOut (): void {
    clearTimeout(retry)
    stage = 'out'
    joinedRooms.delete(name)
    if (join === undefined) events.onUnused(name)
  }

  function endByServer (error: ChatError): void {
    stage = 'out'
    endJoin(error, false)
  }

  function endJoin (error: ChatError, own: boolean): void {
    const ended = join
    join = undefined
    joinedRooms.delete(name)
    if (stage === 'out') {
      clearTimeout(retry)
      events.onUnused(name)
    }
    events.onLeft(name, error)
    ended?.joined.reject(error)
    ended?.room.end(error, own)
  }

  /** Returns whether the error answers the request in flight. */
  function onError (error: ChatError): boolean {
    const { code, retryAfter } = error
    if (stage === 'leaving' && isOneOf(code, 'rate_limited')) retry = setTimeout(sendLeave, delays.next(retryAfter))
    else if (stage === 'leaving' || (stage === 'joining' && !isWanted())) sendNext()
    else if (stage !== 'joining') return false
    else if (isRetryable(code)) {
      stage = 'out'
      retry = setTimeout(sendJoin, delays.next(retryAfter))
    } else endByServer(error)
    return true
  }

  function onJoined (message: Joined): void {
    delays.reset()
    stage = 'in'
    if (!isWanted()) return sendLeave()
    const { room, joined } = join!
    joinedRooms.set(name, room)
    room.receive(message)
    joined.resolve(room)
    events.onJoined(name)
  }

  /** Called with the answer to `leave`, and when the server has ended the membership; then usually with a code. */
  function onLeft ({ code, message }: Of<'left'>): void {
    const error = new ChatError(code ?? 'not_joined', message || 'the server ended the membership')
    if (stage === 'in') endByServer(error)
    // The server answers the `leave` that is under way with `not_joined`.
    else if (code === undefined && stage === 'leaving') sendNext()
    else if (code !== undefined && stage === 'joining') onError(error)
  }

  return {
    sendJoin,
    onError,
    onDisconnect: onOut,

    /** The promise of the room; undefined if the app hasn't joined the room, or has left it. */
    get promise (): Promise<ClientRoom> | undefined { return join?.joined.promise },

    /** Joins the room, immediately if the client is online. */
    join (next: RoomJoin, isOnline: boolean): void {
      join = next
      if (isOnline && stage === 'out') sendJoin()
    },

    /** Leaves the room at the request of the app, if it is joined or being joined. */
    leave (error: ChatError): void {
      if (join === undefined) return
      if (stage === 'in') sendLeave()
      endJoin(error, true)
    },

    /** Called when the client is closed permanently. @param own whether by `close()` */
    end (error: ChatError, own: boolean): void {
      stage = 'out'
      endJoin(error, own)
    },

    receive (message: RoomMessage | Of<'left'>): void {
      if (message.type === 'left') onLeft(message)
      else if (stage === 'in') join?.room.receive(message)
      else if (stage === 'joining' && message.type === 'joined') onJoined(message)
    }
  }
}

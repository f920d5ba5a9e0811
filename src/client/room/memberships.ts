import { PAGE_COST, isPosition } from '../../protocol.ts'
import { assertArgument, assertCount, assertPosition, assertRoomName } from '../argument-checks.ts'
import type { Backoff } from '../backoff.ts'
import { promised } from '../deferred.ts'
import { ChatError } from '../error.ts'
import { membership, type Membership, type MembershipEvents } from './membership.ts'
import { toJSON } from '../requests/outgoing.ts'
import { ClientRoom } from './room.ts'
import type { RoomClient } from './room-client.ts'
import type { Of, RoomMessage } from '../room-events.ts'
import { unknownName } from '../unknown-name.ts'

export interface JoinOptions {
  /** maximum messages to receive on joining; default: as many as the server sends */
  readonly history?: number | undefined
  /** `position` of the last message that an earlier client handled; later messages are delivered, as after a reconnect */
  readonly after?: string | undefined
  /** with `after`: `revision` of the last change that the earlier client handled; later changes are delivered too */
  readonly revision?: string | undefined
}

export type Memberships = ReturnType<typeof memberships>

/** Returns the memberships of a client. @param delays returns the backoff of one membership */
export function memberships (client: Omit<RoomClient, 'leave'>, delays: () => Backoff) {
  const { server, requests, reads, pages } = client
  const byName = new Map<string, Membership>()
  let isOnline = false
  /** Joins of this connection that still count as one request each. */
  let cheapJoins = Infinity
  const events: MembershipEvents = {
    send (message, isDue) {
      const json = toJSON(message)
      const cost = message.type === 'join' && --cheapJoins < 0 ? PAGE_COST : 1
      server.limiter.schedule(cost, json.length, () => { if (isDue()) server.send(json) })
    },
    onJoined: requests.onJoined,
    onUnused: (room) => byName.delete(room),
    onLeft (room, error) {
      requests.onLeft(room, error)
      reads.onLeft(room)
      pages.onLeft(room, error)
    }
  }

  function leave (name: string): void {
    reads.send(name)
    byName.get(name)?.leave(new ChatError('left', `the room ${name} was left`))
  }

  return {
    leave,

    join (name: string, options: JoinOptions): Promise<ClientRoom> {
      return byName.get(name)?.promise ?? promised((joined) => {
        if (server.ended !== undefined) throw server.ended
        assertRoomName(name)
        assertOptions(options)
        const { history, after, revision } = options
        const found = byName.get(name) ?? membership(name, server.joinedRooms, events, delays())
        byName.set(name, found)
        found.join({ room: new ClientRoom(name, { position: after, revision }, { ...client, leave }), history, joined }, isOnline)
      })
    },

    receive (message: RoomMessage | Of<'left'>): void { byName.get(message.room)?.receive(message) },

    /** Returns whether the error answers a join or a leave. */
    onError (room: string, error: ChatError): boolean { return byName.get(room)?.onError(error) ?? false },

    /** @param rooms maximum rooms of the connection */
    onConnect (rooms = Infinity): void {
      isOnline = true
      cheapJoins = rooms
      for (const each of byName.values()) each.sendJoin()
    },

    onDisconnect (): void {
      isOnline = false
      for (const each of byName.values()) each.onDisconnect()
    },

    /** Called when the client is closed permanently. @param own whether by `close()` */
    end (error: ChatError, own: boolean): void {
      for (const each of byName.values()) each.end(error, own)
    }
  }
}

/** @throws ChatError with `invalid` */
function assertOptions (options: JoinOptions): void {
  const { history, after, revision } = options
  const problem = unknownName('option', Object.keys(options), ['history', 'after', 'revision'])
  if (problem !== undefined) throw new ChatError('invalid', problem)
  if (after !== undefined) assertPosition('after', after)
  if (revision !== undefined) assertArgument(isPosition(revision) && after !== undefined, 'revision must be a revision, and requires after')
  if (history !== undefined) assertCount('history', history, 0)
}

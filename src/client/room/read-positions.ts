import { isRetryable } from '../../protocol.ts'
import { assertRoomName } from '../argument-checks.ts'
import type { Backoff } from '../backoff.ts'
import { isOneOf, type ChatError } from '../error.ts'
import { toJSON } from '../requests/outgoing.ts'
import type { RemoteServer } from '../requests/remote-server.ts'
import type { Of } from '../room-events.ts'
import { roomReads, type RoomReads } from './room-reads.ts'

const feature = 'readPositions'

export type ReadPositions = ReturnType<typeof readPositions>

/**
 * The read positions of the member: in the rooms of this client, and in the rooms that the server lists.
 * @param page requests a page of rooms, after a room
 * @param delays returns the backoff of the marks of one room
 */
export function readPositions (
  server: RemoteServer, page: (after: string | undefined) => Promise<Of<'rooms'>>, delays: () => Backoff
) {
  const rooms = new Map<string, RoomReads>()

  /** Sends the marks that wait, before a request that depends on them. @param room sends only the mark of this room */
  function send (room?: string): void {
    for (const [name, reads] of rooms) if (name === (room ?? name)) reads.send()
  }

  return {
    send,

    /** Returns the read position in a room, until the room is left. */
    open (room: string): RoomReads {
      const reads = roomReads({
        send: (position, isRepeat) => server.supports(feature) && server.joinedRooms.has(room)
          ? server.sendNow(toJSON({ type: 'markRead', room, position, again: isRepeat || undefined }))
          : Infinity,
        isOwn: ({ from }) => server.isOwn(from)
      }, delays())
      rooms.set(room, reads)
      return reads
    },

    /** Iterates over the rooms of all pages. Requests a page when the loop has reached its end. */
    async * rooms (): AsyncGenerator<Of<'rooms'>['rooms'][number], void, undefined> {
      send()
      let after: string | undefined
      do {
        const { rooms, next } = await page(after)
        yield * rooms
        after = next
      } while (after !== undefined)
    },

    /** Removes the read position. Returns whether the request was sent. @throws ChatError with `invalid` or `unsupported` */
    forget (room: string): boolean {
      assertRoomName(room)
      server.assertSupports(feature)
      if (server.sendNow(toJSON({ type: 'forget', room })) > 0) return false
      rooms.get(room)?.forget()
      return true
    },

    onLeft (room: string): void {
      rooms.get(room)?.end()
      rooms.delete(room)
    },

    /** Called when another connection of the member has moved its read position. */
    onReadPosition ({ room, position }: Of<'readPosition'>): void { rooms.get(room)?.move(position, false) },

    /** Called when the read position was removed, on another connection. */
    onForgotten ({ room }: Of<'forgotten'>): void { rooms.get(room)?.forget() },

    /** Called with each page of history. */
    onHistory ({ room, before, messages }: Of<'history'>): void {
      if (before) rooms.get(room)?.addEarlier(before, messages)
    },

    /** Returns whether the error answers a mark and isn't reported to the app. */
    onMarkError (room: string, error: ChatError): boolean {
      // The server has trimmed the message, or `left` reports the end of the membership.
      if (isOneOf(error.code, 'not_kept', 'not_joined')) return true
      if (!isRetryable(error.code)) return false
      const wait = rooms.get(room)?.retry(error.retryAfter) ?? 0
      // Other errors concern the room only.
      if (isOneOf(error.code, 'rate_limited')) server.limiter.pause(wait)
      return true
    }
  }
}

import type { ServerMessage } from '../protocol.ts'
import type { EmitClientEvent } from './client-events.ts'
import { ChatError, isOneOf } from './error.ts'
import { contentOf } from './room/content.ts'
import type { Memberships } from './room/memberships.ts'
import { withOwnReactions } from './room/own-reactions.ts'
import type { PageRequests } from './requests/page-requests.ts'
import type { PendingRequests } from './requests/pending-requests.ts'
import type { ReadPositions } from './room/read-positions.ts'
import type { Of, RoomMessage } from './room-events.ts'

/** The parts of a client that handle the messages of the server. */
export interface Receivers {
  readonly memberships: Memberships
  readonly requests: PendingRequests
  readonly pages: PageRequests
  readonly reads: ReadPositions
}

/** Returns a function that passes a message of the server to the part of the client that handles it. */
export function receiver ({ memberships, requests, pages, reads }: Receivers, emit: EmitClientEvent): (message: ServerMessage) => void {
  const receive = (message: RoomMessage | Of<'left'>) => {
    pages.onChanges(message.room, contentOf(message).changes)
    memberships.receive(message)
  }
  const handlers: { [Type in ServerMessage['type']]?: (message: Of<Type>) => void } = {
    changed (message) { receive(message.whole === true ? withOwnReactions(message, requests.queue) : message) },
    history (page) {
      pages.onHistory(page)
      reads.onHistory(page)
    },
    error ({ code, message, id, room = '', request, retryAfter }) {
      const error = new ChatError(code, message, retryAfter)
      const answered = id !== undefined
        ? requests.onError(id, error) || pages.onError(undefined, error, id)
        // Without `request`, the error answers the room's oldest history request if there is one, else its join or leave.
        : ((request ?? 'history') === 'history' && pages.onError(room, error)) ||
          (['join', 'leave'].includes(request ?? 'join') && memberships.onError(room, error)) ||
          (request === 'markRead' && reads.onMarkError(room, error))
      if (!answered && !isExpected(code, request)) emit('error', error)
    },
    joined: receive,
    left: receive,
    message: receive,
    presence: receive,
    typing: receive,
    signal: receive,
    ack: requests.onAck,
    rooms: pages.onRooms,
    readPosition: reads.onReadPosition,
    forgotten: reads.onForgotten,
    direct (message) { emit('direct', message) }
  }
  return (message) => {
    if (Object.hasOwn(handlers, message.type)) handlers[message.type]!(message as never)
  }
}

/** Returns whether an error of a request without a promise (`signal`, `typing` or `ping`) isn't reported to the app. */
function isExpected (code: string, request: string | undefined): boolean {
  // `left` reports the end of the room.
  if (isOneOf(code, 'not_joined')) return request === 'signal' || request === 'typing'
  // `typing` and `ping` are sent again regularly.
  return isOneOf(code, 'rate_limited') && request !== 'signal' && request !== 'forget'
}

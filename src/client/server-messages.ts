import type { ServerMessage } from '../protocol.ts'
import { ChatError, isOneOf } from './error.ts'
import type { HistoryRequests } from './history-requests.ts'
import type { Memberships } from './memberships.ts'
import { withOwnReactions } from './own-reactions.ts'
import type { PendingRequests } from './pending-requests.ts'
import type { ReadPositions } from './read-positions.ts'
import type { RequestQueue } from './request-queue.ts'
import type { Changed, Direct, Of } from './room-events.ts'

/** The parts of a client that handle the messages of the server. */
export interface Receivers {
  readonly memberships: Memberships
  readonly requests: PendingRequests
  readonly queue: RequestQueue
  readonly history: HistoryRequests
  readonly reads: ReadPositions
}

/** The events of the client that a message of the server can cause. */
interface Events {
  onDirect (direct: Direct): void
  /** Called with an error that rejects no promise. */
  onError (error: ChatError): void
}

/** Returns a function that passes a message of the server to the part of the client that handles it. */
export function receiver ({ memberships, requests, queue, history, reads }: Receivers, events: Events): (message: ServerMessage) => void {
  function onChanged (message: Changed) {
    const { room, position, whole } = message
    const changed = whole === true ? withOwnReactions(message, queue.reactionsTo(room, position)) : message
    history.onChanged(changed)
    memberships.receive(changed)
  }

  function onError ({ code, message, id, room = '', request, retryAfter }: Of<'error'>) {
    const error = new ChatError(code, message, retryAfter)
    const answered = id !== undefined
      ? requests.onError(id, error) || reads.onError(id, error)
      // Without `request`, the error answers the room's oldest history request if there is one, else its join or leave.
      : ((request ?? 'history') === 'history' && history.onError(room, error)) ||
        (['join', 'leave'].includes(request ?? 'join') && memberships.onError(room, error)) ||
        (request === 'markRead' && reads.onMarkError(room, error))
    if (!answered && !isExpected(code, request)) events.onError(error)
  }

  return (message) => {
    switch (message.type) {
      case 'joined':
        for (const change of message.changes ?? []) history.onChanged({ type: 'changed', room: message.room, ...change })
        memberships.receive(message)
        break
      case 'changed':
        onChanged(message)
        break
      case 'direct':
        events.onDirect(message)
        break
      case 'ack':
        requests.onAck(message.id, message.position)
        break
      case 'history':
        history.receive(message)
        reads.onHistory(message)
        break
      case 'rooms':
        reads.onRooms(message)
        break
      case 'readPosition':
        reads.onReadPosition(message)
        break
      case 'error':
        onError(message)
        break
      default:
        if ('room' in message) memberships.receive(message)
    }
  }
}

/** Returns whether an error of a request without a promise (`signal`, `typing` or `ping`) isn't reported to the app. */
function isExpected (code: string, request: string | undefined): boolean {
  // `left` reports the end of the room.
  if (isOneOf(code, 'not_joined')) return request === 'signal' || request === 'typing'
  // `typing` and `ping` are sent again regularly.
  return isOneOf(code, 'rate_limited') && request !== 'signal' && request !== 'forget'
}

import type { Change, Message } from '../../messages.ts'
import type { RoomMessage } from '../room-events.ts'

/** The messages and the changes of earlier messages that a message of the server contains. */
export interface Content { readonly messages: readonly Message[], readonly changes: readonly Change[] }

const empty: Content = { messages: [], changes: [] }

export function contentOf (message: RoomMessage | { readonly type: 'left' | 'readPosition' | 'end' }): Content {
  switch (message.type) {
    case 'joined': return { ...empty, ...message }
    case 'message': return { ...empty, messages: [message] }
    case 'changed': return { ...empty, changes: [message] }
    default: return empty
  }
}

import type { ClientMessage } from '../messages.ts'
import type { ChangeRequest } from '../rooms/peer/change.ts'

/** A message that requests a change of an entry. */
export type ChangeMessage = Extract<ClientMessage, { type: 'edit' | 'delete' | 'react' }>

/** Returns the request of a message. @param json its data, as JSON text */
export function changeRequest (message: ChangeMessage, json: string | undefined): ChangeRequest {
  const { room, position, id } = message
  switch (message.type) {
    case 'edit': {
      const { text, data, since } = message
      return { room, position, id, since, json, change: { type: 'edit', text, ...data !== undefined && { data } } }
    }
    case 'delete':
      return { room, position, id, change: { type: 'delete' } }
    case 'react':
      return { room, position, id, change: { type: 'react', reaction: message.reaction, on: message.on } }
  }
}

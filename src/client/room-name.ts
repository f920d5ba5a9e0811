import { roomName } from '../protocol.ts'
import { ChatError } from './error.ts'

/** Returns the error for an invalid room name; undefined if the name is valid. */
export function roomNameError (name: string): ChatError | undefined {
  if (roomName.test(name)) return undefined
  return new ChatError('invalid', 'a room name must be 1 to 64 letters, digits, dots, underscores, colons or hyphens')
}

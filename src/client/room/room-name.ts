import { roomName } from '../../protocol.ts'

/** Returns the problem of an invalid room name; undefined if the name is valid. */
export function roomNameProblem (name: string): string | undefined {
  return roomName.test(name) ? undefined : 'a room name must be 1 to 64 letters, digits and ._:-'
}

import { InvalidRoom } from '../errors.ts'
import { roomName } from '../protocol.ts'

/** @throws InvalidRoom */
export function assertRoom (room: string): void {
  if (typeof room !== 'string' || !roomName.test(room)) throw new InvalidRoom(room)
}

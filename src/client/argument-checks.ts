import { MAX_MESSAGES, isPosition, loneSurrogate, roomName } from '../protocol.ts'
import { ChatError } from './error.ts'

// The client checks arguments, because the server closes a connection after ten invalid frames.

/** @throws ChatError with `invalid` */
export function assertArgument (isValid: boolean, problem: string): void {
  if (!isValid) throw new ChatError('invalid', problem)
}

export function assertPosition (name: string, position: unknown): asserts position is string {
  assertArgument(isPosition(position), `${name} must be a position`)
}

export function assertRoomName (name: string): void {
  assertArgument(roomName.test(name), 'a room name must be 1 to 64 letters, digits and ._:-')
}

/** Checks a number of messages to request. */
export function assertCount (name: string, count: number, min: number): void {
  assertArgument(Number.isInteger(count) && count >= min && count <= MAX_MESSAGES, `${name} must be an integer from ${min} to ${MAX_MESSAGES}`)
}

/** @param json of a message to the server */
export function assertNoLoneSurrogate (json: string): void { assertArgument(!loneSurrogate.test(json), 'a lone surrogate is invalid') }

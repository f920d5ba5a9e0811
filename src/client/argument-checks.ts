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

/** Checks an integer: a number of messages to request. */
export function assertInteger (name: string, value: number, min: number, max = MAX_MESSAGES): void {
  assertArgument(Number.isInteger(value) && value >= min && value <= max, `${name} must be an integer from ${min} to ${max}`)
}

/** @param json of a message to the server */
export function assertNoLoneSurrogate (json: string): void { assertArgument(!loneSurrogate.test(json), 'a lone surrogate is invalid') }

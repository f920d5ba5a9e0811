import { PAGE_COST, reactionText, type ClientMessage } from '../../protocol.ts'
import { assertArgument, assertNoLoneSurrogate, assertPosition } from '../argument-checks.ts'
import { SINCE_BYTES } from '../bounds.ts'
import type { ChatError } from '../error.ts'
import { bytesOf } from './frame-size.ts'

type Without<Message, Names extends string> = Message extends unknown ? Omit<Message, Names> : never

/** A message to the server that is repeated until it is acknowledged. */
export type Repeatable = Without<Extract<ClientMessage, { type: 'post' | 'edit' | 'delete' | 'react' }>, 'id' | 'since'>

/** A change of a message, without the room. */
export type RequestedChange = Without<Exclude<Repeatable, { type: 'post' }>, 'room'>

/** Settles the promise of a request. position: of the stored message. */
export interface Outcome {
  resolve (position?: string): void
  reject (error: Error): void
}

/** What the client has received of a joined room. */
export interface RoomState { readonly position?: string | undefined, readonly revision?: string | undefined }

/** Resolves with the position of the stored message. id: of the request */
export type Post = Promise<string> & { readonly id: string }

/** A post or a change that waits for its acknowledgement. */
export interface PendingRequest {
  readonly id: string
  readonly room: string
  readonly content: Repeatable
  readonly outcome: Outcome
  /** Requests that it counts as. */
  readonly cost: number
  /** Approximate size of a repeat, which may include `since`. */
  readonly bytes: number
  /** Identifies the message to change among all rooms; undefined for a post. */
  readonly target: string | undefined
  /** Time of the request by this device's clock: ISO 8601, UTC. */
  readonly at: string
  /** Serialized once, so that a repeat is identical even if the app has changed its objects. */
  readonly json: string
  /** Whether the request was sent, on any connection: the server may have applied it. */
  sent: boolean
  /** Whether the request was sent on this connection and is not answered yet. */
  inFlight?: boolean
  /** Why the room has ended since the request was sent. */
  roomEnd?: ChatError | undefined
  /** The last call that saves the post; undefined if it isn't saved. */
  saved?: Promise<void>
  /**
   * State of the room when the request was first sent, or before. The server needs it to decide whether it can still detect a repeat.
   */
  since?: string | undefined
}

/** @throws TypeError if `data` can't be serialized as JSON, ChatError if the request is invalid */
export function pendingRequest (content: Repeatable, outcome: Outcome, id: string, at = new Date().toISOString()): PendingRequest {
  const { type, room } = content
  const json = JSON.stringify({ ...content, id })
  if ('text' in content) assertArgument(typeof content.text === 'string', 'text must be a string')
  if ('position' in content) assertPosition('position', content.position)
  if ('reaction' in content) {
    assertArgument(typeof content.reaction === 'string' && reactionText.test(content.reaction), 'reaction must be 1 to 64 characters, no control characters')
  }
  assertNoLoneSurrogate(json)
  const target = type === 'post' ? undefined : targetOf(room, content.position)
  return { id, room, content, outcome, cost: type === 'delete' ? PAGE_COST : 1, bytes: bytesOf(json) + SINCE_BYTES, target, at, json, sent: false }
}

/** Returns what identifies a message among all rooms. */
export function targetOf (room: string, position: string): string { return `${room} ${position}` }

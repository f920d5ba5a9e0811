import { isPosition, loneSurrogate, PAGE_COST, reactionText, type ClientMessage } from '../protocol.ts'
import { invalid, type ChatError } from './error.ts'
import { assertFits, bytesOf } from './frame-size.ts'

/** Bytes that `since` adds to a repeated request. */
const SINCE = 140

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
export class PendingRequest {
  readonly id: string
  readonly room: string
  readonly outcome: Outcome
  /** Requests that it counts as. */
  readonly cost: number
  /** Approximate size of a repeat, which may include `since`. */
  readonly bytes: number
  /** Identifies the message to change among all rooms; undefined for a post. */
  readonly target: string | undefined
  /** The reaction that it adds (`on`) or removes; undefined for another request. */
  readonly reaction: { readonly text: string, readonly on: boolean } | undefined
  /** Whether the request was sent, on any connection: the server may have applied it. */
  sent = false
  /** Whether the request was sent on this connection and is not answered yet. */
  inFlight = false
  /** Why the room has ended since the request was sent. */
  roomEnd: ChatError | undefined
  /** The last call that saves the post; undefined if it isn't saved. */
  saved: Promise<void> | undefined
  /**
   * State of the room when the request was first sent, or before. The server needs it to decide whether it can still detect a repeat.
   */
  since: string | undefined
  /** Time of the request by this device's clock: ISO 8601, UTC. */
  readonly at: string
  readonly #type: Repeatable['type']
  /** Serialized once, so that a repeat is identical even if the app has changed its objects. */
  readonly json: string

  /** @throws TypeError if `data` can't be serialized as JSON, ChatError if the request is invalid */
  constructor (request: Repeatable, outcome: Outcome, id: string, at = new Date().toISOString()) {
    const { type, room } = request
    this.id = id
    this.at = at
    this.room = room
    this.outcome = outcome
    this.#type = type
    this.json = JSON.stringify({ ...request, id })
    // Checked here: the server closes a connection after ten invalid frames.
    const problem = problemOf(request) ?? (loneSurrogate.test(this.json) ? 'the request contains a lone surrogate' : undefined)
    if (problem !== undefined) throw invalid(problem)
    this.target = type === 'post' ? undefined : targetOf(room, request.position)
    this.reaction = type === 'react' ? { text: request.reaction, on: request.on } : undefined
    this.cost = type === 'delete' ? PAGE_COST : 1
    this.bytes = bytesOf(this.json) + SINCE
  }

  /**
   * Sends the request.
   * @param room state of its room
   * @param payload bytes of the largest frame that the server accepts
   * @param send returns whether the frame was passed to the socket
   * @throws ChatError if the frame is larger
   */
  send (room: RoomState, payload: number, send: (json: string) => boolean): void {
    // A deletion or a reaction that is repeated has no further effect, so the server needs no `since`.
    const since = this.sent ? this.since : { post: room.position, edit: room.revision }[this.#type as string]
    const repeat = since === undefined ? this.json : `${this.json.slice(0, -1)},"since":${JSON.stringify(since)}}`
    // Measured with `since`, because a request that fits only without it couldn't be repeated.
    assertFits(repeat, payload)
    if (!send(this.sent ? repeat : this.json)) return
    this.since = since
    this.sent = this.inFlight = true
    this.roomEnd = undefined
  }
}

/** Returns what identifies a message among all rooms. */
export function targetOf (room: string, position: string): string { return `${room} ${position}` }

function problemOf (request: Repeatable): string | undefined {
  if ('text' in request && typeof request.text !== 'string') return 'text must be a string'
  if ('position' in request && !isPosition(request.position)) return 'position must be a position'
  return 'reaction' in request && !(typeof request.reaction === 'string' && reactionText.test(request.reaction))
    ? 'reaction must be 1 to 64 characters, none of them a control character'
    : undefined
}

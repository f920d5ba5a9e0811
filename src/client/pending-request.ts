import { isPosition, loneSurrogate, PAGE_COST, reactionText, type ClientMessage } from '../protocol.ts'
import { ChatError } from './error.ts'
import { assertFits, bytesOf } from './frame-size.ts'

/** Bytes that `since` adds to a repeated request. */
const SINCE = 140

type Without<Message, Names extends string> = Message extends unknown ? Omit<Message, Names> : never

/** A message to the server that is repeated until it is acknowledged. */
export type Repeatable = Without<Extract<ClientMessage, { type: 'post' | 'edit' | 'delete' | 'react' }>, 'id' | 'since'>

/** A change of a message, without the room. */
export type RequestedChange = Without<Exclude<Repeatable, { type: 'post' }>, 'room'>

/** Settles the promise of a request. position: of the stored or changed message. */
export interface Outcome {
  resolve (position: string): void
  reject (error: Error): void
}

/** What the client has received of a joined room. */
export interface RoomState { readonly position?: string | undefined, readonly revision?: string | undefined }

/** A post or a change that waits for its acknowledgement. */
export class PendingRequest {
  readonly id = randomId()
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
  readonly #type: Repeatable['type']
  /** State of the room when the request was first sent. The server needs it to decide whether it can still detect a repeat. */
  #since: string | undefined
  /** Serialized once, so that a repeat is identical even if the app has changed its objects. */
  readonly #json: string

  /** @throws TypeError if `data` can't be serialized as JSON, ChatError if the request is invalid */
  constructor (request: Repeatable, outcome: Outcome) {
    const { type, room } = request
    this.room = room
    this.outcome = outcome
    this.#type = type
    this.#json = JSON.stringify({ ...request, id: this.id })
    // Checked here: the server closes a connection after ten invalid frames.
    const problem = problemOf(request)
    if (problem !== undefined) throw new ChatError('invalid', problem)
    if (loneSurrogate.test(this.#json)) throw new ChatError('invalid', 'the request contains a lone surrogate')
    this.target = type === 'post' ? undefined : targetOf(room, request.position)
    this.reaction = type === 'react' ? { text: request.reaction, on: request.on } : undefined
    this.cost = type === 'delete' ? PAGE_COST : 1
    this.bytes = bytesOf(this.#json) + SINCE
  }

  /**
   * Returns the frame to send.
   * @throws ChatError if the frame is larger than `payload` bytes
   */
  encode (room: RoomState, payload: number): string {
    const since = this.sent ? this.#since : this.#sinceOf(room)
    const repeat = since === undefined ? this.#json : `${this.#json.slice(0, -1)},"since":${JSON.stringify(since)}}`
    // Measured with `since`, because a request that fits only without it couldn't be repeated.
    assertFits(repeat, payload)
    return this.sent ? repeat : this.#json
  }

  /** Called when the frame was passed to the socket. */
  onSent (room: RoomState): void {
    if (!this.sent) this.#since = this.#sinceOf(room)
    this.sent = true
    this.inFlight = true
    this.roomEnd = undefined
  }

  /** A deletion or a reaction that is repeated has no further effect, so the server needs no `since`. */
  #sinceOf ({ position, revision }: RoomState): string | undefined {
    return this.#type === 'post' ? position : this.#type === 'edit' ? revision : undefined
  }
}

/** Returns what identifies a message among all rooms. */
export function targetOf (room: string, position: string): string { return `${room} ${position}` }

function problemOf (request: Repeatable): string | undefined {
  if ('text' in request && typeof request.text !== 'string') return 'text must be a string'
  if ('position' in request && !isPosition(request.position)) return 'position must be a position'
  if ('reaction' in request && !(typeof request.reaction === 'string' && reactionText.test(request.reaction))) {
    return 'a reaction must have 1 to 64 characters, without control characters'
  }
  return undefined
}

/** Not crypto.randomUUID, which is missing on pages loaded over plain HTTP. */
function randomId (): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

import type * as messages from './messages.ts'

export { MAX_MESSAGES, PAGE_COST, reactionText, roomName } from './request-bounds.ts'

/** The subprotocol that a v1 client requests. RFC 6455, section 1.9. */
export const SUBPROTOCOL = 'fastify-chat.v1'

/** A message to the server. */
export type ClientMessage = messages.ClientMessage
/** A message to a client. */
export type ServerMessage = messages.ServerMessage

/** Error codes of requests that may succeed later. */
const retryable = {
  /** rate limit exceeded; repeat after `retryAfter` ms */
  rateLimited: 'rate_limited',
  /** not stored; send the post again with the same id */
  unavailable: 'unavailable',
  /** the outcome is unknown; send the post again with the same id */
  unknown: 'unknown'
} as const

/** Error codes of requests that would be refused again. */
const permanent = {
  /** not JSON, of an unknown type, or with a missing or invalid property; `message` names the problem */
  invalid: 'invalid',
  /** `hello` must be the first message, and must be sent only once */
  hello: 'hello',
  /** the room must be joined first */
  notJoined: 'not_joined',
  /** the room is already joined on this connection */
  alreadyJoined: 'already_joined',
  /** room limit reached for this connection, this address or this server */
  tooManyRooms: 'too_many_rooms',
  /** not allowed by the app */
  forbidden: 'forbidden',
  /** the app refused this post or change; `message` has the reason */
  refused: 'refused',
  /** the member is muted and may not post */
  muted: 'muted',
  /** the id was already used for another post or edit */
  reusedId: 'reused_id',
  /** the server no longer knows whether it stored the post or edit */
  stalePost: 'stale_post',
  /** the server doesn't keep the message */
  notKept: 'not_kept',
  /** the message is deleted */
  deleted: 'deleted',
  /** the message has as many reactions as it can have */
  tooManyReactions: 'too_many_reactions'
} as const

/** Codes of `error` messages. After an error the connection stays open. A bundle of the client leaves unused codes out. */
export const ErrorCode = /* @__PURE__ */ Object.assign({}, permanent, retryable)

export type ErrorCodeName = typeof ErrorCode[keyof typeof ErrorCode]

/** Returns whether the same request may succeed later. */
export function isRetryable (code: string): boolean {
  return Object.values<string>(retryable).includes(code)
}

/** Close codes after which a client must not reconnect, because its connection would be closed again. */
export const terminal = {
  /** a frame violated RFC 6455 */
  protocol: 1002,
  /** a text frame was not valid UTF-8 */
  notText: 1007,
  /** a rule was broken, or a limit exceeded */
  policy: 1008,
  /** a message was larger than the route accepts */
  tooBig: 1009,
  /** too many invalid frames */
  badFrame: 4400,
  /** not authenticated, or no longer authenticated */
  unauthenticated: 4401,
  /** kicked or banned, or a plain client that may not be in its room */
  forbidden: 4403
} as const

/** Close codes after which a client should reconnect. */
const temporary = {
  /** closed without a fault */
  normal: 1000,
  /** the server is shutting down */
  goingAway: 1001,
  /** the app's code threw on this connection */
  internal: 1011,
  /** the server can't serve this connection now */
  tryAgainLater: 1013,
  /** no `hello` within the time limit */
  noHello: 4408
} as const

/** Close codes. RFC 6455, section 7.4; codes from 4400 on are defined by this protocol. */
export const CloseCode = /* @__PURE__ */ Object.assign({}, terminal, temporary)

/** Returns whether the connection would be closed again after a reconnect. */
export function isTerminal (code: number): boolean {
  return Object.values<number>(terminal).includes(code)
}

/** Returns whether the value has the type and the length of a position or a revision; its content is opaque. */
export function isPosition (value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 128
}

/** Matches a lone surrogate in the output of JSON.stringify, which escapes no other surrogates. */
export const loneSurrogate = /[^\\](?:\\\\)*\\ud[89a-f]/

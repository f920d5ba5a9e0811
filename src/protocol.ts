import type * as messages from './messages.ts'

/** The subprotocol a client asks for. RFC 6455, section 1.9. */
export const SUBPROTOCOL = 'fastify-chat.v1'

/** A message to the server. */
export type ClientMessage = messages.ClientMessage
/** A message to a client. */
export type ServerMessage = messages.ServerMessage

/** Answers to a bad request: the connection goes on. */
export const ErrorCode = {
  /** not JSON, not of a known type, or a property is missing or wrong: the message says which */
  invalid: 'invalid',
  /** `hello` comes first, once */
  hello: 'hello',
  /** this needs a `join` of the room first */
  notJoined: 'not_joined',
  /** the room is joined already on this connection */
  alreadyJoined: 'already_joined',
  /** no more rooms on this connection, from this address, or on this server */
  tooManyRooms: 'too_many_rooms',
  /** the app doesn't allow it */
  forbidden: 'forbidden',
  /** the app refused this post; the message says why */
  refused: 'refused',
  /** this member may not post for now */
  muted: 'muted',
  /** the same id was used for another post */
  reusedId: 'reused_id',
  /** sent again too late to tell whether it was stored */
  stalePost: 'stale_post',
  /** too many requests: ask again after `retryAfter` ms */
  rateLimited: 'rate_limited',
  /** not stored: send it again with the same id */
  unavailable: 'unavailable',
  /** perhaps stored: send it again with the same id */
  unknown: 'unknown'
} as const

export type ErrorCodeName = typeof ErrorCode[keyof typeof ErrorCode]

/** Close codes. RFC 6455, section 7.4; 4400 and up are ours. */
export const CloseCode = {
  /** done: nothing to say */
  normal: 1000,
  /** the server is stopping */
  goingAway: 1001,
  /** a frame that RFC 6455 doesn't allow */
  protocol: 1002,
  /** a text frame that isn't UTF-8 */
  notText: 1007,
  /** a rule was broken, or too much was asked */
  policy: 1008,
  /** a message was larger than the route takes */
  tooBig: 1009,
  /** the app's code failed on this connection */
  internal: 1011,
  /** the server restarts */
  restart: 1012,
  /** the server can't take it now */
  tryAgainLater: 1013,
  /** too many frames that are not valid */
  badFrame: 4400,
  /** not authenticated, or no longer */
  unauthenticated: 4401,
  /** kicked or banned */
  forbidden: 4403,
  /** no `hello` in time */
  noHello: 4408,
  /** too much, too fast: come back after the time given in the reason */
  tooMany: 4429
} as const

const terminal: ReadonlySet<number> = new Set([
  1003, CloseCode.protocol, CloseCode.notText, CloseCode.policy, CloseCode.tooBig,
  CloseCode.badFrame, CloseCode.unauthenticated, CloseCode.forbidden
])

/** Whether a client that was closed with this code would be closed again if it came back. */
export function isTerminal (code: number): boolean { return terminal.has(code) }

/** Requests that one for a page of history counts as: it is read, and sent. */
export const PAGE_COST = 4

/** Messages that may be asked for at once. */
export const MOST_MESSAGES = 1_000

/** Whether it is as long as what names an entry may be. */
export function isPosition (value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 128
}

/** What a room may be called. */
export const roomName = /^[A-Za-z0-9._:-]{1,64}$/

/** Half a surrogate pair in what JSON.stringify made: it escapes no other surrogate. */
export const halfPair = /[^\\](?:\\\\)*\\ud[89a-f]/

const MAX_NAME = 32
/** Control, format (bidi and zero-width among them), surrogate, private-use, line and paragraph separators, fillers. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u

/** A name as everybody will see it (NFKC, single spaces), or undefined if it isn't one to show. */
export function normalizeName (given: string): string | undefined {
  const name = given.normalize('NFKC').replace(/ +/g, ' ').trim()
  return name !== '' && [...name].length <= MAX_NAME && !unseen.test(name) ? name : undefined
}

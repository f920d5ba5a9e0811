import type { ServerMessage } from '../protocol.ts'

type Check = (value: unknown) => boolean

const string: Check = (value) => typeof value === 'string'
// JSON.parse returns Infinity for 1e999.
const number: Check = (value) => Number.isFinite(value)
const present: Check = (value) => value !== undefined
const length: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const boolean: Check = (value) => typeof value === 'boolean'
const optional = (check: Check): Check => (value) => value === undefined || check(value)
const listOf = (check: Check): Check => (value) => Array.isArray(value) && value.every(check)
const shape = (checks: Record<string, Check>): Check => (value) => typeof value === 'object' && value !== null &&
  Object.entries(checks).every(([name, check]) => check((value as Record<string, unknown>)[name]))

const member = shape({ id: string, name: string })
const sender: Check = (value) => value === null || member(value)

const flag = optional((value) => value === true)
const reactions = optional(listOf(shape({ reaction: string, count: number, mine: optional(boolean) })))
const state = { text: optional(string), editedAt: optional(string), deleted: flag, streaming: flag, unfinished: flag, reactions }
const message = { room: string, position: string, at: string, from: sender, revision: optional(string), ...state }
const messages = listOf(shape(message))
const change = { position: string, revision: string, ...state, appended: optional(shape({ at: length, text: string })), ended: flag, whole: flag }

const limit = optional(number)
const limits = shape({ payload: limit, rooms: limit, rate: limit, burst: limit, byteRate: limit, byteBurst: limit })

const checks: { [Type in ServerMessage['type']]: Check } = {
  welcome: shape({ member, session: string, limits, heartbeat: number, features: optional(listOf(string)) }),
  joined: shape({
    room: string,
    members: listOf(member),
    count: number,
    messages,
    position: string,
    complete: boolean,
    revision: optional(string),
    changes: optional(listOf(shape(change))),
    oldest: optional(string),
    readPosition: optional(string),
    unread: optional(length)
  }),
  left: shape({ room: string, code: optional(string), message: optional(string) }),
  message: shape(message),
  changed: shape({ room: string, ...change }),
  ack: shape({ id: string, position: string }),
  history: shape({ room: string, before: optional(string), after: optional(string), messages, more: boolean, complete: boolean }),
  presence: shape({ room: string, joined: listOf(member), left: listOf(member), count: number }),
  typing: shape({ room: string, from: member, on: optional(boolean) }),
  signal: shape({ room: string, from: member, data: present }),
  readPosition: shape({ room: string, position: string }),
  rooms: shape({ id: string, rooms: listOf(shape({ room: string, unread: length, position: string, last: optional(shape(message)) })), next: optional(string) }),
  direct: shape({ data: present }),
  pong: shape({}),
  error: shape({ code: string, message: string, retryAfter: optional(number) }),
  draining: shape({ reconnectIn: number })
}

/**
 * Parses a message from the server. Returns undefined for an unknown type.
 * @throws if the frame isn't a valid message
 */
export function parseMessage (data: unknown): ServerMessage | undefined {
  if (typeof data !== 'string') throw new Error('the server sent a binary frame')
  const message = JSON.parse(data) as ServerMessage | null
  if (typeof message?.type !== 'string') throw new Error('the server sent a message without a type')
  if (!Object.hasOwn(checks, message.type)) return undefined
  if (!checks[message.type](message)) throw new Error(`the server sent an invalid ${message.type}`)
  return message
}

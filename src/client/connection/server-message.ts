import type { ServerMessage } from '../../protocol.ts'

type Check = (value: unknown) => boolean

const string: Check = (value) => typeof value === 'string'
// JSON.parse returns Infinity for 1e999.
const number: Check = (value) => Number.isFinite(value)
const length: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const present: Check = (value) => value !== undefined
const optional = (check: Check): Check => (value) => value === undefined || check(value)
const listOf = (check: Check): Check => (value) => Array.isArray(value) && value.every(check)
const shape = (checks: Record<string, Check>): Check => (value) => typeof value === 'object' && value !== null &&
  Object.entries(checks).every(([name, check]) => check((value as Record<string, unknown>)[name]))

const member = shape({ id: string })
const members = listOf(member)
const content = { position: string, text: optional(string), reactions: optional(listOf(shape({ reaction: string, count: number }))) }
const message = shape({ ...content, from: (value) => value === null || member(value) })
const messages = listOf(message)
const change = shape({ ...content, revision: string, appended: optional(shape({ at: length, text: string })) })

/**
 * The properties on which this client relies. An exception ends the connection only while a message is received, not when a microtask, a
 * timer or a call of the app handles it later. Nothing else is checked: the server is trusted.
 */
const checks: Record<string, Check> = {
  welcome: shape({ member, session: string, limits: shape({}), heartbeat: number, features: optional(listOf(string)) }),
  joined: shape({ members, messages, position: string, changes: optional(listOf(change)) }),
  message,
  changed: change,
  history: shape({ messages }),
  presence: shape({ joined: members, left: members }),
  rooms: shape({ rooms: listOf(shape({ room: string, last: optional(message) })) }),
  typing: shape({ from: member }),
  signal: shape({ from: member, data: present }),
  direct: shape({ data: present })
}

const typed = shape({ type: string })

/**
 * Parses a message from the server.
 * @throws if the frame isn't a message that the client can handle
 */
export function parseMessage (data: unknown): ServerMessage {
  const message = typeof data === 'string' ? JSON.parse(data) as ServerMessage : null
  if (typed(message) && (!Object.hasOwn(checks, message!.type) || checks[message!.type]!(message))) return message!
  throw new Error(`the server sent an invalid ${message?.type ?? 'message'}`)
}

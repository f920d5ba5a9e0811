import type { ServerMessage } from '../../protocol.ts'

/** The required shape of a value: a predicate, a list, or an object with properties. */
type Shape = ((value: unknown) => boolean) | readonly [Shape] | { readonly [name: string]: Shape }

function matches (value: unknown, shape: Shape): boolean {
  if (typeof shape === 'function') return shape(value)
  if (Array.isArray(shape)) return Array.isArray(value) && value.every((each) => matches(each, shape[0]))
  return typeof value === 'object' && value !== null &&
    Object.entries(shape).every(([name, shape]) => matches((value as Record<string, unknown>)[name], shape))
}

const string = (value: unknown) => typeof value === 'string'
// JSON.parse returns Infinity for 1e999.
const number = (value: unknown) => Number.isFinite(value)
const length = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const present = (value: unknown) => value !== undefined
const optional = (shape: Shape) => (value: unknown) => value === undefined || matches(value, shape)

const member = { id: string }
const content = { position: string, text: optional(string), reactions: optional([{ reaction: string, count: number }]) }
const message = { ...content, from: (value: unknown) => value === null || matches(value, member) }
const change = { ...content, revision: string, appended: optional({ at: length, text: string }) }

/**
 * The properties on which this client relies. An exception ends the connection only while a message is received, not when a microtask, a
 * timer or a call of the app handles it later. Nothing else is checked: the server is trusted.
 */
const shapes: Record<string, Shape> = {
  welcome: { member, session: string, limits: {}, heartbeat: number, features: optional([string]) },
  joined: { members: [member], messages: [message], position: string, changes: optional([change]) },
  message,
  changed: change,
  history: { messages: [message] },
  presence: { joined: [member], left: [member] },
  rooms: { rooms: [{ room: string, last: optional(message) }] },
  typing: { from: member },
  signal: { from: member, data: present },
  direct: { data: present }
}

/**
 * Parses a message from the server.
 * @throws if the frame isn't a message that the client can handle
 */
export function parseMessage (data: unknown): ServerMessage {
  const message = typeof data === 'string' ? JSON.parse(data) as ServerMessage : null
  if (matches(message, { type: string }) && (!Object.hasOwn(shapes, message!.type) || matches(message, shapes[message!.type]!))) return message!
  throw new Error(`the server sent an invalid ${message?.type ?? 'message'}`)
}

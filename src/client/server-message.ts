import type { ServerMessage } from '../protocol.ts'

type Check = (value: unknown) => boolean

const string: Check = (value) => typeof value === 'string'
const object: Check = (value) => typeof value === 'object' && value !== null
const length: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const listOf = (check: Check): Check => (value) => Array.isArray(value) && value.every(check)

/** Returns the check of an object that must have these properties. `types` has the types of those that aren't strings. */
function has (...names: string[]): Check {
  return (value) => object(value) && names.every((name) => (types[name] ?? string)((value as Record<string, unknown>)[name]))
}

const change = has('position', 'revision', 'appended')
const members = listOf(has('id'))
const messages = listOf(has('position'))
const types: Record<string, Check> = {
  member: has('id'),
  from: has('id'),
  members,
  joined: members,
  left: members,
  messages,
  changes: (value) => value === undefined || listOf(change)(value),
  appended: (value) => value === undefined || has('at', 'text')(value),
  // Of `appended`. That of a message isn't checked.
  at: length,
  rooms: listOf(has('room')),
  limits: object,
  // JSON.parse returns Infinity for 1e999.
  heartbeat: Number.isFinite,
  data: (value) => value !== undefined
}

/**
 * The properties without which this client can't handle a message, or can't resume. Nothing else is checked: the server is trusted, and an
 * exception of a handler ends the connection.
 */
const checks: Record<string, Check> = {
  welcome: has('member', 'session', 'limits', 'heartbeat'),
  joined: has('members', 'messages', 'position', 'changes'),
  message: has('position'),
  changed: change,
  history: has('messages'),
  presence: has('joined', 'left'),
  rooms: has('rooms'),
  typing: has('from'),
  signal: has('from', 'data'),
  direct: has('data')
}

/**
 * Parses a message from the server.
 * @throws if the frame isn't a message that the client can handle
 */
export function parseMessage (data: unknown): ServerMessage {
  const message = typeof data === 'string' ? JSON.parse(data) as ServerMessage : null
  if (has('type')(message) && (!Object.hasOwn(checks, message!.type) || checks[message!.type]!(message))) return message!
  throw new Error(`the server sent an invalid ${message?.type ?? 'message'}`)
}

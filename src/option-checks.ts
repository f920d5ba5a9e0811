import type { RegisterOptions } from 'fastify'
import type { OpenBackend } from './backend.ts'
import { check, integer, isObject, limit, milliseconds, type Check, type Checks } from './checks.ts'
import { httpToken } from './http-token.ts'
import type { ChatOptions, EchoOptions, FastifyChatOptions, Limits, RouteOptions } from './options.ts'
import { MAX_MESSAGES, SUBPROTOCOL, roomName } from './protocol.ts'

type Given = FastifyChatOptions & RegisterOptions

const flag: Check = { mustBe: 'true or false', passes: (value) => typeof value === 'boolean' }
const fn: Check = { mustBe: 'a function', passes: (value) => typeof value === 'function' }
const hooks: Check = { mustBe: 'a function or a list of functions', passes: (value) => [value].flat().every(fn.passes) }
const text: Check = { mustBe: 'a string', passes: (value) => typeof value === 'string' }
const path: Check = {
  mustBe: "a path such as '/chat'",
  passes: (value) => typeof value === 'string' && /^\/[\w./~-]*$/.test(value) && !value.includes('//')
}
const payload: Check = {
  mustBe: 'an integer number of bytes from 1 to 2147483647, or Infinity',
  passes: (value) => limit.passes(value) && (value === Infinity || Number(value) < 2 ** 31)
}
const orFalse = ({ mustBe, passes }: Check): Check => ({
  mustBe: `${mustBe}, or false`,
  passes: (value) => value === false || passes(value)
})
const object: Check = { mustBe: 'an object', passes: isObject }
const origin: Check = {
  mustBe: 'an origin',
  passes (value) {
    if (typeof value !== 'string' || !URL.canParse(value)) return false
    if (/^https?:/.test(value)) return new URL(value).origin === value && !value.includes('*')
    return /^[a-z][a-z\d+.-]*:\/\/[^/?#]+$/.test(value)
  }
}

const driver = (type: string, methods: string[]): Check => ({
  mustBe: `${type}, with ${methods.join(', ')}`,
  passes: (value) => methods.every((method) => typeof (value as Record<string, unknown> | null)?.[method] === 'function')
})

const options: Checks<Given> = {
  prefix: text,
  logLevel: text,
  logSerializers: object,
  page: orFalse(path),
  echo: orFalse(object),
  chat: orFalse(object),
  routeOptions: object,
  backend: driver('a Backend', ['open']),
  origins: {
    mustBe: "true, a function, or a list of origins such as 'https://example.com', without a path",
    passes: (value) => value === true || fn.passes(value) || (Array.isArray(value) && value.every(origin.passes))
  },
  subprotocols: {
    mustBe: `a list of different names, without spaces and commas, other than '${SUBPROTOCOL}'`,
    passes: (value) => Array.isArray(value) && new Set([SUBPROTOCOL, ...value]).size === value.length + 1 &&
      value.every((name) => typeof name === 'string' && httpToken.test(name))
  },
  authenticate: fn,
  authorize: fn,
  prePost: fn,
  preChange: fn,
  onPost: fn,
  onChange: fn,
  onJoin: fn,
  onLeave: fn,
  dataSchema: object,
  compression: flag,
  flushInterval: milliseconds(0, 10_000),
  heartbeatInterval: milliseconds(1),
  drainTimeout: milliseconds(1),
  metrics: driver('a Registry of prom-client', ['registerMetric', 'getSingleMetric', 'removeSingleMetric']),
  limits: object
}

const echo: Checks<EchoOptions> = { path, greeting: text, reply: fn }

const chat: Checks<ChatOptions> = {
  path,
  greeting: orFalse(text),
  includeSender: flag,
  defaultRoom: {
    mustBe: 'a room name: 1 to 64 letters, digits and ._:-',
    passes: (value) => typeof value === 'string' && roomName.test(value)
  },
  history: integer(0, MAX_MESSAGES)
}

const limits: Checks<Limits> = {
  chatPayload: payload,
  echoPayload: payload,
  messageRate: limit,
  messageBurst: limit,
  byteRate: limit,
  byteBurst: limit,
  jsonDepth: integer(1, 256),
  pendingBytes: limit,
  totalPendingBytes: limit,
  receiveBudget: limit,
  roomsPerMember: limit,
  rooms: limit,
  roomsPerAddress: limit,
  connections: limit,
  connectionsPerAddress: limit,
  handshakeRate: limit,
  handshakeBurst: limit,
  handshakeTimeout: milliseconds(1)
}

const routeOptions: Checks<RouteOptions> = {
  onRequest: hooks, preValidation: hooks, preHandler: hooks, config: object, constraints: object, schema: object
}

const openBackend: Checks<OpenBackend> = {
  store: driver('a Store', ['append', 'find', 'read', 'follow', 'get', 'amend', 'findChange', 'control', 'markRead', 'readPositions', 'forgetRead', 'rooms', 'clear', 'check', 'close']),
  roster: driver('a Roster', ['enter', 'leave', 'watch', 'signal', 'listen', 'send', 'attend', 'restrict', 'restrictions', 'onRestrict', 'check', 'close']),
  maxPayload: { mustBe: 'a number of bytes, from 0', passes: (value) => typeof value === 'number' && value >= 0 },
  close: fn
}

/** Returns what `Backend.open` resolved with. @throws InvalidOption if it isn't an `OpenBackend` */
export function checkOpenBackend (opened: OpenBackend): OpenBackend {
  const { store, roster, maxPayload, close } = (opened ?? {}) as Partial<OpenBackend>
  check({ store: store ?? null, roster: roster ?? null, maxPayload, close: close ?? null }, openBackend, 'backend.')
  return opened
}

/** @throws InvalidOption naming the first option that is unknown or of a wrong type or value */
export function checkOptions (given: Given): void {
  check(given, options, '')
  if (given.echo !== false) check(given.echo, echo, 'echo.')
  if (given.chat !== false) check(given.chat, chat, 'chat.')
  check(given.routeOptions, routeOptions, 'routeOptions.')
  check(given.limits, limits, 'limits.')
}

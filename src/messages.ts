import Type, { type Static } from 'typebox'
import { roomName } from './room-name.ts'

const room = Type.String({ pattern: roomName.source, description: '1 to 64 letters, digits and ._:-' })
const position = Type.String({ minLength: 1, maxLength: 128, description: 'names one entry of one room; opaque' })
const id = Type.String({ minLength: 1, maxLength: 64, description: "the client's own" })
const count = (maximum: number) => Type.Integer({ minimum: 0, maximum })

const identity = Type.Object({ id: Type.String(), name: Type.String() })

const message = Type.Object({
  room,
  position,
  at: Type.String({ format: 'date-time', description: "ISO 8601, the server's clock" }),
  from: Type.Union([identity, Type.Null()]),
  text: Type.Optional(Type.String()),
  bytes: Type.Optional(Type.String({ description: "base64, instead of text: a plain member's binary message" })),
  data: Type.Optional(Type.Unknown())
})

/** Schemas of the messages to the server, by type. */
export const clientMessages = {
  hello: Type.Object({
    type: Type.Literal('hello'),
    session: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' })),
    name: Type.Optional(Type.String({ maxLength: 128 })),
    token: Type.Optional(Type.String({ maxLength: 8192 }))
  }),
  join: Type.Object({
    type: Type.Literal('join'),
    room,
    after: Type.Optional(position),
    history: Type.Optional(count(1_000))
  }),
  leave: Type.Object({ type: Type.Literal('leave'), room }),
  post: Type.Object({
    type: Type.Literal('post'),
    room,
    id,
    text: Type.String(),
    data: Type.Optional(Type.Unknown()),
    since: Type.Optional(position)
  }),
  typing: Type.Object({ type: Type.Literal('typing'), room }),
  history: Type.Object({
    type: Type.Literal('history'),
    room,
    before: position,
    limit: Type.Integer({ minimum: 1, maximum: 1_000 })
  }),
  ping: Type.Object({ type: Type.Literal('ping'), id })
}

/** Schemas of the messages to a client, by type. */
export const serverMessages = {
  welcome: Type.Object({
    type: Type.Literal('welcome'),
    member: identity,
    session: Type.String(),
    limits: Type.Object({
      payload: Type.Optional(Type.Integer({ description: 'bytes of one message to the server; absent: no limit' })),
      rooms: Type.Optional(Type.Integer({ description: 'rooms of one connection; absent: no limit' })),
      rate: Type.Optional(Type.Integer({ description: 'requests a second; absent: no limit' })),
      burst: Type.Optional(Type.Integer({ description: 'requests at once after a pause; absent: no limit' })),
      byteRate: Type.Optional(Type.Integer({ description: 'bytes of messages to the server a second; absent: no limit' })),
      byteBurst: Type.Optional(Type.Integer({ description: 'bytes of messages to the server at once after a pause; absent: no limit' }))
    }),
    heartbeat: Type.Integer({ description: 'ms between the pings of the server; a client should send a ping as often' })
  }),
  joined: Type.Object({
    type: Type.Literal('joined'),
    room,
    members: Type.Array(identity),
    count: Type.Integer({ minimum: 0 }),
    stale: Type.Optional(Type.Literal(true)),
    messages: Type.Array(message),
    position,
    complete: Type.Boolean()
  }),
  left: Type.Object({ type: Type.Literal('left'), room }),
  message: Type.Interface([message], { type: Type.Literal('message') }),
  ack: Type.Object({ type: Type.Literal('ack'), id, room, position }),
  history: Type.Object({
    type: Type.Literal('history'),
    room,
    before: position,
    messages: Type.Array(message),
    more: Type.Boolean(),
    complete: Type.Boolean()
  }),
  presence: Type.Object({
    type: Type.Literal('presence'),
    room,
    joined: Type.Array(identity),
    left: Type.Array(identity),
    count: Type.Integer({ minimum: 0 }),
    stale: Type.Optional(Type.Literal(true))
  }),
  typing: Type.Object({ type: Type.Literal('typing'), room, from: identity }),
  pong: Type.Object({ type: Type.Literal('pong'), id }),
  error: Type.Object({
    type: Type.Literal('error'),
    code: Type.String(),
    message: Type.String(),
    id: Type.Optional(id),
    room: Type.Optional(Type.String()),
    request: Type.Optional(Type.String({ description: 'the type of the message that caused it' })),
    retryAfter: Type.Optional(Type.Integer({ minimum: 1, description: 'ms after which the request may be repeated' }))
  }),
  draining: Type.Object({ type: Type.Literal('draining'), reconnectIn: Type.Integer({ minimum: 0 }) })
}

type Messages<T> = { [K in keyof T]: Static<T[K] & Type.TSchema> }[keyof T]

export type ClientMessage = Messages<typeof clientMessages>
export type ServerMessage = Messages<typeof serverMessages>
/** at: ISO 8601, by the server's clock. from: null if the app is the sender. bytes: base64; replaces text. */
export type Message = Static<typeof message>

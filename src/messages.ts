import Type, { type Static } from 'typebox'
import { MAX_MESSAGES, MAX_NAME, roomName } from './request-bounds.ts'

const room = Type.String({ pattern: roomName.source, description: '1 to 64 letters, digits and ._:-' })
const position = Type.String({ minLength: 1, maxLength: 128, description: 'names one entry of one room; opaque' })
const id = Type.String({ minLength: 1, maxLength: 64, description: 'chosen by the client' })

const member = Type.Object({ id: Type.String(), name: Type.String({ description: 'empty: no name' }) })
const members = (description: string) => Type.Array(member, { description })
const count = Type.Integer({ minimum: 0, description: 'members of the room, listed or not' })
const stale = Type.Optional(Type.Literal(true, { description: 'the list of members may be out of date' }))
const data = Type.Optional(Type.Unknown({ description: 'JSON that the app defines' }))
const errorCode = Type.String({ description: 'other codes may be added: a client that receives one must not repeat the request' })

const message = Type.Object({
  room,
  position,
  at: Type.String({ format: 'date-time', description: "ISO 8601, the server's clock" }),
  from: Type.Union([member, Type.Null()], { description: 'null: the app is the sender' }),
  text: Type.Optional(Type.String()),
  bytes: Type.Optional(Type.String({ description: 'base64; replaces text in a binary message of a plain client' })),
  data
})
const messages = Type.Array(message, { description: 'oldest first' })

/** Named parts of the messages. */
export const definitions = { room, position, id, member, errorCode, message }

/** Schemas of the messages to the server, by type. */
export const clientMessages = {
  hello: Type.Object({
    type: Type.Literal('hello'),
    session: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'of an earlier welcome' })),
    name: Type.Optional(Type.String({ maxLength: MAX_NAME, description: 'name shown to other members, before normalization' })),
    token: Type.Optional(Type.String({ maxLength: 8192, description: "for the app's authentication" }))
  }, { description: 'Identifies the client. The first message, sent once' }),
  join: Type.Object({
    type: Type.Literal('join'),
    room,
    after: Type.Optional(position),
    history: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_MESSAGES, description: 'number of the newest messages to send' }))
  }, { description: 'Joins a room, with its newest messages or with those after a position' }),
  leave: Type.Object({ type: Type.Literal('leave'), room }, { description: 'Leaves a room' }),
  post: Type.Object({
    type: Type.Literal('post'),
    room,
    id,
    text: Type.String(),
    data,
    since: Type.Optional(position)
  }, { description: 'Posts a message in a joined room' }),
  typing: Type.Object({ type: Type.Literal('typing'), room }, { description: 'Reports that the user is typing' }),
  history: Type.Object({
    type: Type.Literal('history'),
    room,
    before: position,
    limit: Type.Integer({ minimum: 1, maximum: MAX_MESSAGES, description: 'maximum number of messages to send' })
  }, { description: 'Requests the messages before a position' }),
  ping: Type.Object({ type: Type.Literal('ping'), id }, { description: 'Requests a pong, to detect a lost connection' })
}

/** Schemas of the messages to a client, by type. */
export const serverMessages = {
  welcome: Type.Object({
    type: Type.Literal('welcome'),
    member,
    session: Type.String({ description: 'secret; identifies the member after a reconnect' }),
    limits: Type.Object({
      payload: Type.Optional(Type.Integer({ description: 'bytes of one message to the server; absent: no limit' })),
      rooms: Type.Optional(Type.Integer({ description: 'rooms of one connection; absent: no limit' })),
      rate: Type.Optional(Type.Integer({ description: 'requests a second; absent: no limit' })),
      burst: Type.Optional(Type.Integer({ description: 'requests at once after a pause; absent: no limit' })),
      byteRate: Type.Optional(Type.Integer({ description: 'bytes of messages to the server a second; absent: no limit' })),
      byteBurst: Type.Optional(Type.Integer({ description: 'bytes of messages to the server at once after a pause; absent: no limit' }))
    }),
    heartbeat: Type.Integer({ description: 'ms between the pings of the server; a client should send a ping as often' })
  }, { description: 'Answers hello with the member and its limits' }),
  joined: Type.Object({
    type: Type.Literal('joined'),
    room,
    members: members('the list of members, which may be shorter than count'),
    count,
    stale,
    messages,
    position,
    complete: Type.Boolean({ description: 'false: earlier messages and positions of this room are no longer valid' })
  }, { description: 'Answers join. Also sent without a request when earlier messages are no longer valid' }),
  left: Type.Object({ type: Type.Literal('left'), room }, { description: 'Answers leave. The room is no longer joined' }),
  message: Type.Interface([message], { type: Type.Literal('message') }, { description: 'An entry of a joined room' }),
  ack: Type.Object({ type: Type.Literal('ack'), id, room, position }, { description: 'The post is stored at this position' }),
  history: Type.Object({
    type: Type.Literal('history'),
    room,
    before: position,
    messages,
    more: Type.Boolean({ description: 'whether there are older messages' }),
    complete: Type.Boolean({ description: 'false: the entry at before is no longer stored' })
  }, { description: 'Answers history with a page of messages' }),
  presence: Type.Object({
    type: Type.Literal('presence'),
    room,
    joined: members('members added to the list, or renamed'),
    left: members('members removed from the list'),
    count,
    stale
  }, { description: 'The list of members has changed' }),
  typing: Type.Object({ type: Type.Literal('typing'), room, from: member }, { description: 'A member is typing' }),
  pong: Type.Object({ type: Type.Literal('pong'), id }, { description: 'Answers ping' }),
  error: Type.Object({
    type: Type.Literal('error'),
    code: errorCode,
    message: Type.String({ description: 'for developers of clients' }),
    id: Type.Optional(id),
    room: Type.Optional(Type.String()),
    request: Type.Optional(Type.String({ description: 'the type of the message that caused it' })),
    retryAfter: Type.Optional(Type.Integer({ minimum: 1, description: 'ms after which the request may be repeated' }))
  }, { description: 'A request failed. The connection stays open' }),
  draining: Type.Object({
    type: Type.Literal('draining'),
    reconnectIn: Type.Integer({ minimum: 0, description: 'ms after which to reconnect' })
  }, { description: 'The server is about to close the connection' })
}

type Messages<T> = { [K in keyof T]: Static<T[K] & Type.TSchema> }[keyof T]

export type ClientMessage = Messages<typeof clientMessages>
export type ServerMessage = Messages<typeof serverMessages>
/** at: ISO 8601, by the server's clock. from: null if the app is the sender. bytes: base64; replaces text. */
export type Message = Static<typeof message>

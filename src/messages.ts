import { MAX_MESSAGES, MAX_NAME, roomName } from './request-bounds.ts'
import { array, integer, literal, object, string, type Static } from './schema.ts'

const room = string({ pattern: roomName.source, description: '1 to 64 letters, digits and ._:-' })
const position = string({ minLength: 1, maxLength: 128, description: 'names one entry of one room; opaque' })
const id = string({ minLength: 1, maxLength: 64, description: 'chosen by the client' })

const member = object({ id: string({}), name: string({ description: 'empty: no name' }) })
const members = (description: string) => array(member, description)
const count = integer({ minimum: 0, description: 'members of the room, listed or not' })
const stale = { type: 'boolean', const: true, description: 'the list of members may be out of date' } as const
const data = { description: 'JSON that the app defines' } as const
const errorCode = string({ description: 'other codes may be added: a client that receives one must not repeat the request' })

const content = {
  room,
  position,
  at: string({ format: 'date-time', description: "ISO 8601, the server's clock" }),
  from: { anyOf: [member, { type: 'null' }], description: 'null: the app is the sender' }
} as const
const optionalContent = {
  text: string({}),
  bytes: string({ description: 'base64; replaces text in a binary message of a plain client' }),
  data
}
const message = object(content, optionalContent)
const messages = array(message, 'oldest first')

/** Named parts of the messages. */
export const definitions = { room, position, id, member, errorCode, message }

/** Schemas of the messages to the server, by type. */
export const clientMessages = {
  hello: object({ type: literal('hello') }, {
    session: string({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'of an earlier welcome' }),
    name: string({ maxLength: MAX_NAME, description: 'name shown to other members, before normalization' }),
    token: string({ maxLength: 8192, description: "for the app's authentication" })
  }, 'Identifies the client. The first message, sent once'),
  join: object({ type: literal('join'), room }, {
    after: position,
    history: integer({ minimum: 0, maximum: MAX_MESSAGES, description: 'number of the newest messages to send' })
  }, 'Joins a room, with its newest messages or with those after a position'),
  leave: object({ type: literal('leave'), room }, {}, 'Leaves a room'),
  post: object({ type: literal('post'), room, id, text: string({}) }, { data, since: position }, 'Posts a message in a joined room'),
  typing: object({ type: literal('typing'), room }, {}, 'Reports that the user is typing'),
  history: object({
    type: literal('history'),
    room,
    before: position,
    limit: integer({ minimum: 1, maximum: MAX_MESSAGES, description: 'maximum number of messages to send' })
  }, {}, 'Requests the messages before a position'),
  ping: object({ type: literal('ping'), id }, {}, 'Requests a pong, to detect a lost connection')
}

/** Schemas of the messages to a client, by type. */
export const serverMessages = {
  welcome: object({
    type: literal('welcome'),
    member,
    session: string({ description: 'secret; identifies the member after a reconnect' }),
    limits: object({}, {
      payload: integer({ description: 'bytes of one message to the server; absent: no limit' }),
      rooms: integer({ description: 'rooms of one connection; absent: no limit' }),
      rate: integer({ description: 'requests a second; absent: no limit' }),
      burst: integer({ description: 'requests at once after a pause; absent: no limit' }),
      byteRate: integer({ description: 'bytes of messages to the server a second; absent: no limit' }),
      byteBurst: integer({ description: 'bytes of messages to the server at once after a pause; absent: no limit' })
    }),
    heartbeat: integer({ description: 'ms between the pings of the server; a client should send a ping as often' })
  }, {}, 'Answers hello with the member and its limits'),
  joined: object({
    type: literal('joined'),
    room,
    members: members('the list of members, which may be shorter than count'),
    count,
    messages,
    position,
    complete: { type: 'boolean', description: 'false: earlier messages and positions of this room are no longer valid' }
  }, { stale }, 'Answers join. Also sent without a request when earlier messages are no longer valid'),
  left: object({ type: literal('left'), room }, {}, 'Answers leave. The room is no longer joined'),
  message: object({ ...content, type: literal('message') }, optionalContent, 'An entry of a joined room'),
  ack: object({ type: literal('ack'), id, room, position }, {}, 'The post is stored at this position'),
  history: object({
    type: literal('history'),
    room,
    before: position,
    messages,
    more: { type: 'boolean', description: 'whether there are older messages' },
    complete: { type: 'boolean', description: 'false: the entry at before is no longer stored' }
  }, {}, 'Answers history with a page of messages'),
  presence: object({
    type: literal('presence'),
    room,
    joined: members('members added to the list, or renamed'),
    left: members('members removed from the list'),
    count
  }, { stale }, 'The list of members has changed'),
  typing: object({ type: literal('typing'), room, from: member }, {}, 'A member is typing'),
  pong: object({ type: literal('pong'), id }, {}, 'Answers ping'),
  error: object({
    type: literal('error'),
    code: errorCode,
    message: string({ description: 'for developers of clients' })
  }, {
    id,
    room: string({}),
    request: string({ description: 'the type of the message that caused it' }),
    retryAfter: integer({ minimum: 1, description: 'ms after which the request may be repeated' })
  }, 'A request failed. The connection stays open'),
  draining: object({
    type: literal('draining'),
    reconnectIn: integer({ minimum: 0, description: 'ms after which to reconnect' })
  }, {}, 'The server is about to close the connection')
}

type Messages<T> = { [K in keyof T]: Static<T[K]> }[keyof T]

export type ClientMessage = Messages<typeof clientMessages>
export type ServerMessage = Messages<typeof serverMessages>
/** at: ISO 8601, by the server's clock. from: null if the app is the sender. bytes: base64; replaces text. */
export type Message = Static<typeof message>

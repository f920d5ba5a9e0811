import { MAX_MESSAGES, MAX_NAME, reactionText, roomName } from './request-bounds.ts'
import { array, flag, integer, literal, object, string, withOneOf, type Static } from './schema.ts'

const room = string({ pattern: roomName.source, description: '1 to 64 letters, digits and ._:-' })
const position = string({ minLength: 1, maxLength: 128, description: 'names one entry of one room; opaque' })
const revision = string({ minLength: 1, maxLength: 128, description: 'names one change of one room; opaque' })
const id = string({ minLength: 1, maxLength: 64, description: 'chosen by the client' })
const reactionName = string({ pattern: reactionText.source, description: '1 to 64 code points without control characters' })

const identity = { id: string({}), name: string({ description: 'empty: no name' }) }
const sender = object(identity)
const member = object(identity, { data: { description: 'JSON that the app has given the member' } })
const members = (description: string) => array(member, description)
const count = integer({ minimum: 0, description: 'members of the room, listed or not' })
const stale = flag('the list of members may be out of date')
const data = { description: 'JSON that the app defines' } as const
const errorCode = string({ description: 'other codes may be added: a client that receives one must not repeat the request' })

const content = {
  room,
  position,
  at: string({ format: 'date-time', description: "ISO 8601, the server's clock" }),
  from: { anyOf: [sender, { type: 'null' }], description: 'null: the app is the sender' }
} as const
const reaction = object({
  reaction: string({}),
  count: integer({ minimum: 0, description: 'members who have it; 0: it was removed' })
}, { mine: { type: 'boolean', description: 'whether the receiver is one of them; absent: unchanged, at first false' } })
const text = string({})
const state = {
  text,
  data,
  editedAt: string({ format: 'date-time', description: 'time of the last edit' }),
  deleted: flag('the content and the reactions were removed'),
  streaming: flag('the text still grows'),
  unfinished: flag('the text was not completed'),
  reactions: array(reaction, 'in order of their first use')
}
const optionalContent = {
  ...state,
  bytes: string({ description: 'base64; replaces text in a binary message of a plain client' }),
  revision
}
const message = object(content, optionalContent)
const messages = array(message, 'oldest first')
const changedState = {
  ...state,
  reactions: array(reaction, 'those that changed; with whole, all'),
  appended: object({
    at: integer({ minimum: 0, description: 'length of the text before it, in code points' }),
    text
  }, {}, 'added to the text'),
  ended: flag('the text is complete, or unfinished'),
  whole: flag('the message as it is: data and reactions that are absent were removed')
}
const change = object({ position, revision }, changedState)

const unreadRoom = object({
  room: string({}),
  unread: integer({ minimum: 0, description: 'number of messages after position' }),
  position: string({ description: 'of the last message that the member has read' })
}, { last: message })

const typingOn = { type: 'boolean', description: 'false: stopped typing; absent: true' } as const

/** Named parts of the messages. */
export const definitions = { room, position, revision, id, sender, member, errorCode, reaction, message, change }

/** Schemas of the messages to the server, by type. */
export const clientMessages = {
  hello: object({ type: literal('hello') }, {
    session: string({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'of an earlier welcome' }),
    name: string({ maxLength: MAX_NAME, description: 'name shown to other members, before normalization' }),
    token: string({ maxLength: 8192, description: "for the app's authentication" }),
    changes: flag('the client understands changes')
  }, 'Identifies the client. The first message, sent once'),
  join: object({ type: literal('join'), room }, {
    after: position,
    revision,
    history: integer({ minimum: 0, maximum: MAX_MESSAGES, description: 'number of the newest messages to send' })
  }, 'Joins a room, with its newest messages or with those after a position and the changes after a revision'),
  leave: object({ type: literal('leave'), room }, {}, 'Leaves a room'),
  post: object({ type: literal('post'), room, id, text: string({}) }, { data, since: position }, 'Posts a message in a joined room'),
  edit: object({ type: literal('edit'), room, position, id, text }, { data, since: revision }, 'Replaces the content of a message'),
  delete: object({ type: literal('delete'), room, position, id }, {}, 'Deletes a message'),
  react: object({
    type: literal('react'),
    room,
    position,
    id,
    reaction: reactionName,
    on: { type: 'boolean', description: 'false removes the reaction' }
  }, {}, 'Adds a reaction of the member to a message, or removes it'),
  typing: object({ type: literal('typing'), room }, { on: typingOn }, 'Reports that the user is typing, or has stopped'),
  signal: object({ type: literal('signal'), room, data }, {}, 'Sends an event to the members of a joined room. It is not stored'),
  history: withOneOf(['before', 'after'], object({
    type: literal('history'),
    room,
    limit: integer({ minimum: 1, maximum: MAX_MESSAGES, description: 'maximum number of messages to send' })
  }, { before: position, after: position }, 'Requests the messages before a position, or those after it')),
  markRead: object({ type: literal('markRead'), room, position }, {
    again: flag('the client has sent this mark on an earlier connection')
  }, 'Moves the read position of the member in a joined room'),
  rooms: object({ type: literal('rooms'), id }, {
    after: string({ pattern: roomName.source, description: 'next of the previous page' })
  }, 'Requests the rooms in which the member has a read position'),
  forget: object({ type: literal('forget'), room }, {}, 'Removes the read position of the member in a room'),
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
  }, { features: array(string({}), 'optional features that the server supports: changes, signals, readPositions, history-after') }, 'Answers hello with the member and its limits'),
  joined: object({
    type: literal('joined'),
    room,
    members: members('the list of members, which may be shorter than count'),
    count,
    messages,
    position,
    complete: { type: 'boolean', description: 'false: earlier messages and positions of this room are no longer valid' }
  }, {
    stale,
    revision,
    changes: array(change, 'of earlier messages, each whole, in the order of their revisions'),
    oldest: position,
    readPosition: string({ description: 'position of the last message that the member has read; absent: the member has no read position' }),
    unread: integer({ minimum: 0, description: 'number of messages after readPosition, up to position' })
  }, 'Answers join. Also sent without a request when earlier messages are no longer valid'),
  left: object({ type: literal('left'), room }, {
    code: string({ description: 'why the member is no longer in the room: removed or forbidden; absent in the answer to leave' }),
    message: string({ description: 'the reason that the app gave, or a text for developers' })
  }, 'Answers leave, or reports that the app has removed the member. The room is no longer joined'),
  message: object({ ...content, type: literal('message') }, optionalContent, 'An entry of a joined room'),
  changed: object({ type: literal('changed'), room, position, revision }, changedState, 'A message of a joined room has changed'),
  ack: object({ type: literal('ack'), id, room, position }, { revision }, 'The post is stored at this position, or the message at it is changed'),
  history: withOneOf(['before', 'after'], object({
    type: literal('history'),
    room,
    messages,
    more: { type: 'boolean', description: 'whether there are further messages: older ones with before, newer ones with after' },
    complete: { type: 'boolean', description: 'false: the entry at the position is no longer stored' }
  }, { before: position, after: position, revision }, 'Answers history with a page of messages')),
  presence: object({
    type: literal('presence'),
    room,
    joined: members('members added to the list, or whose name or data has changed'),
    left: members('members removed from the list'),
    count
  }, { stale }, 'The list of members has changed'),
  typing: object({ type: literal('typing'), room, from: sender }, { on: typingOn }, 'A member is typing, or has stopped'),
  signal: object({ type: literal('signal'), room, from: sender, data }, {}, 'An event that a member has sent to the room'),
  readPosition: object({ type: literal('readPosition'), room, position }, {}, 'The member has read a joined room up to this position, on another connection'),
  forgotten: object({ type: literal('forgotten'), room }, {}, 'The member has no read position in a joined room: it was removed'),
  rooms: object({ type: literal('rooms'), id, rooms: array(unreadRoom, 'in the order of their names') }, {
    next: string({ description: 'after for the next page; absent: there are no more rooms' })
  }, 'Answers rooms with a page of rooms'),
  direct: object({ type: literal('direct'), data }, {}, 'Data that the app has sent to the member'),
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
/** A change of the message at its position. The properties that it has replace those of the message; see `docs/PROTOCOL.md`. */
export type Change = Static<typeof change>
export type Reaction = Static<typeof reaction>

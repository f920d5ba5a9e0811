export type DialectName = 'plain' | 'v1' | 'v1 edits' | 'v1 reactions' | 'v1 stream' | 'socket.io'

/** The kinds of text frames that the generator distinguishes. */
export const Kind = { message: 0, ack: 1, other: 2, ping: 3, error: 4, joined: 5 } as const
export type KindOfFrame = typeof Kind[keyof typeof Kind]

/** A wire format: the messages by which a client enters and posts, and the first bytes that identify the kind of a frame. */
export interface Dialect {
  readonly protocol?: string
  /** Returns the path of the upgrade request. @param path of the server's route */
  readonly path: (path: string, room: string) => string
  /** The client's messages after the upgrade. Each is sent after an answer to the previous one that begins with its `until`. */
  readonly opening: ReadonlyArray<{ readonly send?: (name: string, room: string) => string, readonly until: string }>
  /** Returns the message that joins a further room, if a connection can have several. It is answered with `Kind.joined`. */
  readonly join?: (room: string) => string
  /** Returns the position of the message that a client changes. @param answer the last answer of the opening */
  readonly target?: (answer: string) => string
  /** @param target result of the function `target` */
  readonly wrap: (text: string, id: string, room: string, target: string) => string
  /** Undoes what `wrap` does; sent after each of its messages, so that each has an effect. */
  readonly undo?: (text: string, id: string, room: string, target: string) => string
  /** Whether a delivery has the text of its post, so that its latency can be measured. */
  readonly hasText: boolean
  /** Whether posts have an id and are acknowledged. */
  readonly acks: boolean
  /** The answer to `Kind.ping`. */
  readonly pong?: string
  readonly kind: (bytes: Uint8Array, start: number) => KindOfFrame
  /** Returns the number of posts that a delivery has, if it may have several. @param size characters of a post */
  readonly posts?: (bytes: Uint8Array, start: number, end: number, size: number) => number
}

const joinRoom = (room: string) => JSON.stringify({ type: 'join', room })

const post = (text: string, id: string, room: string) => JSON.stringify({ type: 'post', room, id, text })

const v1: Dialect = {
  protocol: 'fastify-chat.v1',
  path: (path) => path,
  opening: [
    { send: (name) => JSON.stringify({ type: 'hello', name }), until: '{"type":"welcome"' },
    { send: (_name, room) => joinRoom(room), until: '{"type":"joined"' }
  ],
  join: joinRoom,
  wrap: post,
  hasText: true,
  acks: true,
  kind: (bytes, start) => kindOf(bytes[start + '{"type":"'.length])
}

/** Each member changes a message of its own. A `changed` counts as a delivery; the messages of others don't. */
const v1Changes: Omit<Dialect, 'wrap' | 'hasText'> = {
  ...v1,
  opening: [
    { send: (name) => JSON.stringify({ type: 'hello', name, changes: true }), until: '{"type":"welcome"' },
    { send: (_name, room) => joinRoom(room), until: '{"type":"joined"' },
    { send: (_name, room) => post('x', 'first', room), until: '{"type":"ack"' }
  ],
  target: (answer) => (JSON.parse(answer) as { position: string }).position,
  kind (bytes, start) {
    const first = bytes[start + '{"type":"'.length]
    if (first === 0x63) return Kind.message
    return first === 0x6d ? Kind.other : kindOf(first)
  }
}

const APPENDED = Buffer.from('"text":"')

/** The server appends each post to a streamed text, and refuses it. Pieces that are merged count as several deliveries. */
const v1Stream: Dialect = {
  ...v1,
  opening: v1Changes.opening.slice(0, 2),
  wrap: post,
  kind (bytes, start) {
    const first = bytes[start + '{"type":"'.length]
    if (first === 0x63) return Kind.message
    if (first === 0x65) return Kind.ack
    return first === 0x6d ? Kind.other : kindOf(first)
  },
  posts (bytes, start, end, size) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).indexOf(APPENDED)
    return text === -1 ? 0 : Math.floor((end - start - text - APPENDED.length) / size)
  }
}

const react = (on: boolean) => (_text: string, id: string, room: string, position: string) =>
  JSON.stringify({ type: 'react', room, position, id, reaction: '+1', on })

export const dialects: Record<DialectName, Dialect> = {
  plain: {
    path: (path, room) => `${path}?room=${room}`,
    opening: [],
    wrap: (text) => text,
    hasText: true,
    acks: false,
    kind: () => Kind.message
  },
  v1,
  'v1 edits': {
    ...v1Changes,
    // With the id, so that each edit has an effect.
    wrap: (text, id, room, position) => JSON.stringify({ type: 'edit', room, position, id, text: `${text} ${id}` }),
    hasText: true
  },
  'v1 reactions': { ...v1Changes, wrap: react(true), undo: react(false), hasText: false },
  'v1 stream': v1Stream,
  // Engine.IO 4 over WebSocket, Socket.IO 5: one or two digits are the packet type.
  'socket.io': {
    path: (path) => path,
    opening: [{ until: '0{' }, { send: () => '40', until: '40' }],
    wrap: (text) => `42${JSON.stringify(['message', text])}`,
    hasText: true,
    acks: false,
    pong: '3',
    kind (bytes, start) {
      if (bytes[start] === 0x32) return Kind.ping
      return bytes[start] === 0x34 && bytes[start + 1] === 0x32 ? Kind.message : Kind.other
    }
  }
}

/** @param first the first byte of the type of a v1 message */
function kindOf (first: number | undefined): KindOfFrame {
  switch (first) {
    case 0x6d: return Kind.message
    case 0x61: return Kind.ack
    case 0x65: return Kind.error
    case 0x6a: return Kind.joined
  }
  return Kind.other
}

export type DialectName = 'plain' | 'v1' | 'socket.io'

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
  readonly wrap: (text: string, id: string, room: string) => string
  /** Whether posts have an id and are acknowledged. */
  readonly acks: boolean
  /** The answer to `Kind.ping`. */
  readonly pong?: string
  readonly kind: (bytes: Uint8Array, start: number) => KindOfFrame
}

const joinRoom = (room: string) => JSON.stringify({ type: 'join', room })

export const dialects: Record<DialectName, Dialect> = {
  plain: {
    path: (path, room) => `${path}?room=${room}`,
    opening: [],
    wrap: (text) => text,
    acks: false,
    kind: () => Kind.message
  },
  v1: {
    protocol: 'fastify-chat.v1',
    path: (path) => path,
    opening: [
      { send: (name) => JSON.stringify({ type: 'hello', name }), until: '{"type":"welcome"' },
      { send: (_name, room) => joinRoom(room), until: '{"type":"joined"' }
    ],
    join: joinRoom,
    wrap: (text, id, room) => JSON.stringify({ type: 'post', room, id, text }),
    acks: true,
    kind (bytes, start) {
      switch (bytes[start + '{"type":"'.length]) {
        case 0x6d: return Kind.message
        case 0x61: return Kind.ack
        case 0x65: return Kind.error
        case 0x6a: return Kind.joined
      }
      return Kind.other
    }
  },
  // Engine.IO 4 over WebSocket, Socket.IO 5: one or two digits are the packet type.
  'socket.io': {
    path: (path) => path,
    opening: [{ until: '0{' }, { send: () => '40', until: '40' }],
    wrap: (text) => `42${JSON.stringify(['message', text])}`,
    acks: false,
    pong: '3',
    kind (bytes, start) {
      if (bytes[start] === 0x32) return Kind.ping
      return bytes[start] === 0x34 && bytes[start + 1] === 0x32 ? Kind.message : Kind.other
    }
  }
}

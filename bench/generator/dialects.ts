export type DialectName = 'plain' | 'v1' | 'socket.io'

/** What a frame of text is to the generator. */
export const Kind = { message: 0, ack: 1, other: 2, ping: 3, error: 4 } as const
export type KindOfFrame = typeof Kind[keyof typeof Kind]

/** One wire: how a client comes in, posts, and tells by a few bytes what it is given. */
export interface Dialect {
  readonly protocol?: string
  /** What a client says after the upgrade, in turn, each when an answer that begins with `until` came to the one before. */
  readonly entrance: ReadonlyArray<{ readonly say?: (name: string) => string, readonly until: string }>
  readonly wrap: (text: string, id: string) => string
  /** Whether posts carry an id and are acknowledged. */
  readonly acks: boolean
  /** What answers `Kind.ping`. */
  readonly pong?: string
  readonly kind: (bytes: Uint8Array, start: number) => KindOfFrame
}

const room = 'lobby'

export const dialects: Record<DialectName, Dialect> = {
  plain: {
    entrance: [],
    wrap: (text) => text,
    acks: false,
    kind: () => Kind.message
  },
  v1: {
    protocol: 'fastify-chat.v1',
    entrance: [
      { say: (name) => JSON.stringify({ type: 'hello', name }), until: '{"type":"welcome"' },
      { say: () => JSON.stringify({ type: 'join', room }), until: '{"type":"joined"' }
    ],
    wrap: (text, id) => JSON.stringify({ type: 'post', room, id, text }),
    acks: true,
    kind (bytes, start) {
      switch (bytes[start + '{"type":"'.length]) {
        case 0x6d: return Kind.message
        case 0x61: return Kind.ack
        case 0x65: return Kind.error
      }
      return Kind.other
    }
  },
  // Engine.IO 4 over WebSocket, Socket.IO 5: a digit or two for the type of packet.
  'socket.io': {
    entrance: [{ until: '0{' }, { say: () => '40', until: '40' }],
    wrap: (text) => `42${JSON.stringify(['message', text])}`,
    acks: false,
    pong: '3',
    kind (bytes, start) {
      if (bytes[start] === 0x32) return Kind.ping
      return bytes[start] === 0x34 && bytes[start + 1] === 0x32 ? Kind.message : Kind.other
    }
  }
}

import type { FastifyInstance } from 'fastify'
import { InvalidQuery } from '../errors.ts'
import { TEXT, frame } from '../frame.ts'
import { Member } from '../member.ts'
import type { Settings } from '../options.ts'
import { normalizeName, roomName } from '../protocol.ts'
import type { Rooms } from '../rooms.ts'
import { speakPlain } from '../wire/plain.ts'
import { websocketRoute, type RouteContext } from './websocket-route.ts'

export interface ChatQuery {
  readonly room: string
  /** Empty for someone who gives none. */
  readonly name: string
  readonly history: number
  readonly hearsItself: boolean
}

/** Rooms: what one member sends, all of the room get. */
export async function chatRoute (app: FastifyInstance, context: RouteContext & { readonly rooms: Rooms }): Promise<void> {
  const { settings: { chat, limits }, rooms } = context
  if (chat === false) return
  websocketRoute(app, context, {
    path: chat.path,
    payload: limits.chatPayload,
    backlog: limits.backlog,
    parse: (query) => parseQuery(query as Record<string, unknown>, chat),
    serve (connection, { room, name, history, hearsItself }) {
      if (chat.greeting !== false) connection.write(frame(TEXT, chat.greeting), 1)
      speakPlain(connection, new Member(connection, rooms, name), {
        room,
        hearsItself,
        // Half of its backlog: the live entries of the same turn must fit in too.
        history: { limit: history, maxBytes: limits.backlog / 2 }
      })
    }
  })
}

/** @throws InvalidQuery */
function parseQuery (query: Record<string, unknown>, defaults: Exclude<Settings['chat'], false>): ChatQuery {
  const { room = defaults.defaultRoom, name = '', history = '0', self } = query
  if (typeof room !== 'string' || !roomName.test(room)) {
    throw new InvalidQuery('room', 'must be 1 to 64 letters, digits and ._:-')
  }
  const shown = typeof name === 'string' ? name && normalizeName(name) : undefined
  if (shown === undefined) {
    throw new InvalidQuery('name', 'must be 1 to 32 characters, none of them control, bidirectional or zero-width')
  }
  // A schema of the app's own may have made numbers of these.
  if (!/^\d{1,6}$/.test(String(history))) {
    throw new InvalidQuery('history', 'must be a number of messages, such as 20')
  }
  if (self !== undefined && !/^[01]$/.test(String(self))) {
    throw new InvalidQuery('self', 'must be 0 or 1')
  }
  return { room: copy(room), name: copy(shown), history: Number(history), hearsItself: self === undefined ? defaults.includeSender : String(self) === '1' }
}

/** A string of its own: a slice of the request's URL, kept as a room's name, would keep all of the URL. */
function copy (text: string): string {
  return Buffer.from(text).toString()
}

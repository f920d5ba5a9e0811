import type { Test } from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { logRefusedRequests } from '../../src/cli/log.ts'
import { guardLoopback } from '../../src/cli/loopback.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { MAX_REACTIONS } from '../../src/request-bounds.ts'
import { backendWith } from '../support/backend.ts'
import type { ChatApp } from '../support/chat-app.ts'
import { holdRates } from '../support/hold-rates.ts'
import { raw, upgraded, upgradeRequest, type RawClient } from '../support/raw-client.ts'
import type { Message } from '../support/v1-client.ts'
import { open, refused } from '../support/websocket-client.ts'

/** The HTTP response to a refused upgrade. code: of its body. */
export interface Response { readonly status: number, readonly code: string | undefined }

interface RefusalCase {
  readonly options?: FastifyChatOptions
  /** the option that sets the limit, if there is one */
  readonly option?: string
}

/** A way to have the server refuse one upgrade. */
export interface UpgradeCase extends RefusalCase {
  /** as documented; undefined for a response of the app or of its router */
  readonly code: string | undefined
  readonly status: number
  /** whether the refusal is logged with the id of its request: it was routed before it was refused */
  readonly isRouted?: true
  /** message of Fastify's log line, instead of the plugin's line and counter */
  readonly line?: string
  /** Changes the app before it listens. */
  readonly prepare?: (app: ChatApp['app']) => void
  readonly provoke: (t: Test, chat: ChatApp) => Promise<Response>
}

/** A way to have the server answer one request with an error. */
export interface RequestCase extends RefusalCase {
  readonly code: string
  /** whether a backend failed */
  readonly isFailure?: true
  /** Resolves with the error; undefined for a plain client, which receives none. */
  readonly provoke: (t: Test, chat: ChatApp) => Promise<Message<'error'> | undefined>
}

const url = (port: number, path = '/chat') => `ws://127.0.0.1:${port}${path}`

async function response (...args: Parameters<typeof refused>): Promise<Response> {
  const { status, body } = await refused(...args)
  return { status, code: parsed(body) }
}

/** Returns the code in the body of a response. */
function parsed (body: string): string | undefined {
  return body.startsWith('{') ? (JSON.parse(body) as { code?: string }).code : undefined
}

/** Sends bytes over a connection. Resolves with the response, after which the server ends the connection. */
async function answered (client: RawClient, bytes: string): Promise<Response> {
  client.socket.write(bytes)
  await client.ended
  const text = client.received.toString()
  return { status: Number(text.slice(9, 12)), code: parsed(text.slice(text.indexOf('\r\n\r\n') + 4)) }
}

/** Requests an upgrade while another client from the same address is connected. */
async function secondUpgrade (t: Test, { port }: ChatApp): Promise<Response> {
  await upgraded(t, port, '/chat')
  return await response(url(port))
}

const never = () => new Promise<void>(() => {})

export const upgradeCases: Record<string, UpgradeCase> = {
  'a query parameter of another form': {
    code: 'FST_CHAT_INVALID_QUERY', status: 400, isRouted: true, provoke: (_t, { port }) => response(url(port, '/chat?room=%0d%0a'))
  },
  'another version of the handshake': {
    code: 'FST_CHAT_BAD_HANDSHAKE',
    status: 400,
    provoke: async (t, { port }) => await answered(await raw(t, port), upgradeRequest('/chat').replace('Version: 13', 'Version: 8'))
  },
  'a path that can not be decoded': {
    code: 'FST_CHAT_BAD_HANDSHAKE', status: 400, provoke: async (t, { port }) => await answered(await raw(t, port), upgradeRequest('/%ff'))
  },
  'a page of another origin': {
    code: 'FST_CHAT_ORIGIN_REFUSED',
    status: 403,
    option: 'origins',
    isRouted: true,
    provoke: (_t, { port }) => response(url(port), { origin: 'https://evil.example' })
  },
  'a hook of the app that refuses': {
    code: undefined,
    status: 401,
    line: 'request completed',
    options: { routeOptions: { onRequest: async (_request, reply) => reply.code(401).send() } },
    provoke: (_t, { port }) => response(url(port))
  },
  'a path without a route': {
    code: undefined, status: 404, line: 'Route GET:/other not found', provoke: (_t, { port }) => response(url(port, '/other'))
  },
  'a path that no other listener handles': {
    code: 'FST_CHAT_UPGRADE_NOT_HANDLED',
    status: 404,
    options: { limits: { handshakeTimeout: 20 } },
    prepare: (app) => { app.server.on('upgrade', () => {}) },
    provoke: (_t, { port }) => response(url(port, '/other'))
  },
  'a foreign host of a server on loopback': {
    code: 'FST_CHAT_HOST_REFUSED',
    status: 421,
    line: 'request refused',
    prepare: (app) => {
      guardLoopback(app, '127.0.0.1')
      logRefusedRequests(app)
    },
    provoke: (_t, { port }) => response(url(port), { headers: { host: 'evil.example' } })
  },
  'a request that is no upgrade': {
    code: 'FST_CHAT_UPGRADE_REQUIRED',
    status: 426,
    isRouted: true,
    async provoke (_t, { port }) {
      const answer = await fetch(`http://127.0.0.1:${port}/chat`)
      return { status: answer.status, code: parsed(await answer.text()) }
    }
  },
  'one connection too many from an address': {
    code: 'FST_CHAT_TOO_MANY_FROM_ADDRESS',
    status: 429,
    option: 'limits.connectionsPerAddress',
    options: { limits: { connectionsPerAddress: 1 } },
    provoke: secondUpgrade
  },
  'a listener that throws': {
    code: 'FST_CHAT_UPGRADE_FAILED',
    status: 500,
    prepare: (app) => { app.server.on('upgrade', () => { throw new Error('a fault of the app') }) },
    provoke: (_t, { port }) => response(url(port, '/other'))
  },
  'one connection too many': {
    code: 'FST_CHAT_TOO_MANY_CONNECTIONS',
    status: 503,
    option: 'limits.connections',
    options: { limits: { connections: 1 } },
    provoke: secondUpgrade
  },
  'one upgrade too many': {
    code: 'FST_CHAT_TOO_MANY_HANDSHAKES',
    status: 503,
    options: { limits: { handshakeRate: 1, handshakeBurst: 1 } },
    async provoke (t, chat) {
      holdRates(t)
      return await secondUpgrade(t, chat)
    }
  },
  'a hook of the app that never settles': {
    code: 'FST_CHAT_HANDSHAKE_TIMEOUT',
    status: 503,
    option: 'limits.handshakeTimeout',
    options: { limits: { handshakeTimeout: 20 }, routeOptions: { onRequest: never } },
    provoke: (_t, { port }) => response(url(port))
  },
  'a server that is stopping': {
    code: 'FST_CHAT_STOPPING',
    status: 503,
    async provoke (t, { app, port }) {
      const { socket } = await open(t, url(port))
      const client = await raw(t, port)
      // The server waits for this connection, which doesn't answer its close frame.
      socket.pause()
      void app.close()
      return await answered(client, upgradeRequest('/chat'))
    }
  }
}

const post = { type: 'post', room: 'lobby', id: 'a', text: 'x' }
const rejects = (code: string) => backendWith(() => ({ append: () => Promise.reject(Object.assign(new Error('down'), { code })) }))
const postOf = (options: FastifyChatOptions, code: string, more: Omit<RequestCase, 'code' | 'options' | 'provoke'> = {}): RequestCase => ({
  code, options, ...more, provoke: async (_t, { member }) => await (await member({}, 'lobby')).refused(post)
})

/** Has a plain client post. */
async function plainPost (_t: Test, { plain }: ChatApp): Promise<undefined> {
  const { socket } = await plain()
  socket.send('x')
}

const reaction = (position: string) => ({ type: 'react', room: 'lobby', position, id: 'a', reaction: '👍', on: true })

export const requestCases: Record<string, RequestCase> = {
  'a message that is not JSON': { code: 'invalid', provoke: async (_t, { tcp }) => await (await tcp()).refused('{') },
  'an invalid name': { code: 'invalid', provoke: async (_t, { tcp }) => await (await tcp()).refused({ type: 'hello', name: '\u202e' }) },
  'data that the schema rejects': {
    code: 'invalid',
    options: { dataSchema: { type: 'number' } },
    provoke: async (_t, { member }) => await (await member({}, 'lobby')).refused({ ...post, data: 'x' })
  },
  'a request before hello': { code: 'hello', provoke: async (_t, { tcp }) => await (await tcp()).refused({ type: 'leave', room: 'lobby' }) },
  'a room that is not joined': { code: 'not_joined', provoke: async (_t, { member }) => await (await member()).refused({ type: 'typing', room: 'lobby' }) },
  'a room that is joined': { code: 'already_joined', provoke: async (_t, { member }) => await (await member({}, 'lobby')).refused({ type: 'join', room: 'lobby' }) },
  'a connection with many rooms': {
    code: 'too_many_rooms',
    option: 'limits.roomsPerMember',
    options: { limits: { roomsPerMember: 1 } },
    provoke: async (_t, { member }) => await (await member({}, 'lobby')).refused({ type: 'join', room: 'other' })
  },
  'an address with many rooms': {
    code: 'too_many_rooms',
    option: 'limits.roomsPerAddress, limits.rooms',
    options: { limits: { roomsPerAddress: 1 } },
    provoke: async (_t, { member }) => await (await member({}, 'lobby')).refused({ type: 'join', room: 'other' })
  },
  'a server with many rooms': {
    code: 'too_many_rooms',
    option: 'limits.rooms',
    options: { limits: { rooms: 1 } },
    provoke: async (_t, { member }) => await (await member({}, 'lobby')).refused({ type: 'join', room: 'other' })
  },
  'authorize that forbids': postOf({ authorize: ({ action }) => action !== 'post' }, 'forbidden'),
  'prePost that throws': postOf({ prePost: () => { throw new Error('no swearing') } }, 'refused'),
  'a member that is muted': {
    code: 'muted',
    options: { authenticate: () => ({ id: 'ada' }) },
    async provoke (_t, { app, member }) {
      await app.chat.mute('ada', { duration: 1_000_000 })
      return await (await member({}, 'lobby')).refused(post)
    }
  },
  'an id of another post': {
    code: 'reused_id',
    async provoke (_t, { member }) {
      const ada = await member({}, 'lobby')
      await ada.posted('lobby', 'one', { id: 'a' })
      return await ada.refused(post)
    }
  },
  'a repeat that the store has forgotten': {
    code: 'stale_post',
    options: { backend: memory({ historyEntries: 2, dedupWindow: 0 }) },
    async provoke (_t, { member }) {
      const ada = await member()
      const { position: since } = await ada.join('lobby')
      for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await ada.posted('lobby', 'x', { id })
      return await ada.refused({ ...post, since })
    }
  },
  'a change of a message that is not kept': {
    code: 'not_kept',
    provoke: async (_t, { member }) => await (await member({}, 'lobby')).refused(reaction('unknown'))
  },
  'a reaction to a deleted message': {
    code: 'deleted',
    async provoke (_t, { app, member }) {
      const position = await app.chat.publish('lobby', { text: 'one' })
      await app.chat.delete('lobby', position)
      return await (await member({}, 'lobby')).refused(reaction(position))
    }
  },
  'more reactions than a message can have': {
    code: 'too_many_reactions',
    async provoke (_t, { app, member }) {
      const position = await app.chat.publish('lobby', { text: 'one' })
      for (let i = 0; i < MAX_REACTIONS; i++) await app.chat.react('lobby', position, `${i}`, { by: 'bob' })
      return await (await member({}, 'lobby')).refused(reaction(position))
    }
  },
  'more requests than the rate': {
    code: 'rate_limited',
    option: 'limits.messageRate',
    options: { limits: { messageRate: 1, messageBurst: 1 } },
    async provoke (t, { member }) {
      holdRates(t)
      const ada = await member()
      ada.say({ type: 'ping', id: 'a' })
      await ada.expect('pong')
      return await ada.refused({ type: 'ping', id: 'b' })
    }
  },
  'more bytes than the rate': {
    code: 'rate_limited',
    option: 'limits.byteRate',
    options: { limits: { chatPayload: 64, byteRate: 1, byteBurst: 64 } },
    async provoke (t, { member }) {
      holdRates(t)
      const ada = await member()
      const ping = { type: 'ping', id: 'x'.repeat(30) }
      ada.say(ping)
      await ada.expect('pong')
      return await ada.refused(ping)
    }
  },
  'a store that is busy': postOf({ backend: rejects('FST_CHAT_BUSY') }, 'unavailable', { isFailure: true }),
  'a store that fails': postOf({ backend: rejects('ECONNRESET') }, 'unknown', { isFailure: true }),
  'a plain post that prePost refuses': { code: 'refused', options: { prePost: () => { throw new Error('no swearing') } }, provoke: plainPost },
  'a plain post that authorize forbids': { code: 'forbidden', options: { authorize: ({ action }) => action !== 'post' }, provoke: plainPost },
  'a plain post of a member that is muted': {
    code: 'muted',
    options: { authenticate: () => ({ id: 'ada' }) },
    async provoke (t, chat) {
      await chat.app.chat.mute('ada', { duration: 1_000_000 })
      return await plainPost(t, chat)
    }
  }
}

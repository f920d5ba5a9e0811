import { mock } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Bounds } from '../../src/bounds.ts'
import type { FastifyChatOptions } from '../../src/index.ts'
import { backendWith } from '../support/backend.ts'
import type { ChatApp } from '../support/chat-app.ts'
import { clientFrame, closeOf } from '../support/frames.ts'
import { holdRates } from '../support/hold-rates.ts'
import { upgraded, type RawClient } from '../support/raw-client.ts'
import { tick } from '../support/tick.ts'
import { protocol } from '../support/v1-client.ts'
import { open } from '../support/websocket-client.ts'

const KiB = 1024
const [CONTINUATION, TEXT, PING] = [0, 1, 9]

/** The close as the client receives it; 1006 without a reason if it receives no close frame. */
export interface Received { readonly code: number, readonly reason: string }

/** A way to have the server end one connection. */
export interface CloseCase {
  /** its reason in `stats().disconnects`; undefined if it isn't counted */
  readonly label: string | undefined
  /** the option that sets the limit, if there is one */
  readonly option?: string
  readonly options?: FastifyChatOptions
  readonly bounds?: Partial<Bounds>
  /** whether the client has a member */
  readonly isMember?: true
  /** whether the app's code failed, which is logged as an error too */
  readonly isFault?: true
  readonly provoke: (t: Test, chat: ChatApp) => Promise<Received>
}

interface Wire { readonly path: string, readonly headers: Record<string, string>, readonly payload: number }

const plain: Wire = { path: '/chat', headers: {}, payload: 16 * KiB }
const v1: Wire = { path: '/chat', headers: { 'Sec-WebSocket-Protocol': protocol }, payload: 16 * KiB }
const echo: Wire = { path: '/echo', headers: {}, payload: 64 * KiB }

const say = (...messages: object[]) => Buffer.concat(messages.map((message) => clientFrame(TEXT, JSON.stringify(message))))
const times = (count: number, frame: Buffer) => Buffer.concat(Array<Buffer>(count).fill(frame))
const unfinished = clientFrame(TEXT, 'x', { fin: false })

/** Resolves when the server has closed or ended the connection. */
async function received (client: RawClient): Promise<Received> {
  await client.until(() => closeOf(client) !== undefined).catch(() => {})
  client.socket.destroy()
  return closeOf(client) ?? { code: 1006, reason: '' }
}

/** Sends bytes with the upgrade request. */
const sends = (bytes: Buffer, { path, headers }: Wire) => async (t: Test, { port }: ChatApp) =>
  await received(await upgraded(t, port, path, bytes, headers))

/** Connects with timers that the test holds, and lets them pass. */
const waits = (ms: number, { path, headers }: Wire, bytes?: Buffer) => async (t: Test, { app, port }: ChatApp) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const client = await upgraded(t, port, path, bytes, headers)
  while (app.chat.stats().connections === 0) await tick()
  await tick()
  mock.timers.tick(ms)
  const close = await received(client)
  mock.timers.reset()
  return close
}

/** Sends more requests than the server refuses. */
async function floods (t: Test, chat: ChatApp): Promise<Received> {
  holdRates(t)
  return await sends(times(110, say({ type: 'ping', id: 'x' })), v1)(t, chat)
}

/** Connects a client that doesn't read, and posts until it is ended. */
const readsNothing = ({ path, headers }: Wire, bytes?: Buffer) => async (t: Test, { app, port }: ChatApp) => {
  const client = await upgraded(t, port, path, bytes, headers)
  while (app.chat.stats().rooms === 0) await tick()
  client.socket.pause()
  while (app.chat.stats().connections > 0) {
    await app.chat.publish('lobby', { text: 'x'.repeat(60 * KiB) })
    await tick()
  }
  client.socket.destroy()
  return { code: 1006, reason: '' }
}

const hello = say({ type: 'hello' })
const joins = say({ type: 'hello' }, { type: 'join', room: 'lobby' })
const never = () => new Promise<never>(() => {})
const fails = () => { throw new Error('a fault of the app') }
const storeFails = backendWith(() => ({ append: () => Promise.reject(new Error('down')) }))
const nothing = Buffer.alloc(0)

/** Cases of the frames, which are the same on every route. */
function ofFrames (name: string, wire: Wire): Record<string, CloseCase> {
  const on = `on the wire ${name}`
  return {
    [`an unmasked frame ${on}`]: { label: 'protocol', provoke: sends(clientFrame(TEXT, 'x', { masked: false }), wire) },
    [`text that isn't UTF-8 ${on}`]: { label: 'not_text', provoke: sends(clientFrame(TEXT, Buffer.from([0xff])), wire) },
    [`a large message ${on}`]: { label: 'too_big', option: name === 'echo' ? 'limits.echoPayload' : 'limits.chatPayload', provoke: sends(clientFrame(TEXT, 'x'.repeat(wire.payload + 1)), wire) },
    [`many fragments ${on}`]: {
      label: 'too_many_fragments',
      provoke: sends(Buffer.concat([unfinished, times(1_024, clientFrame(CONTINUATION, 'x', { fin: false }))]), wire)
    },
    [`many pings ${on}`]: { label: 'control_flood', provoke: sends(times(100, clientFrame(PING)), wire) },
    [`an unfinished message ${on}`]: { label: 'unfinished_message', bounds: { messageTimeout: 20 }, provoke: sends(unfinished, wire) },
    [`a client that answers no ping ${on}`]: {
      label: 'dead',
      option: 'heartbeatInterval',
      options: { heartbeatInterval: 20 },
      async provoke (t, { port }) {
        const { closed } = await open(t, `ws://127.0.0.1:${port}${wire.path}`, { autoPong: false, ...name === 'v1' && { protocol } })
        return await closed
      }
    },
    [`more unfinished bytes than the process keeps ${on}`]: {
      label: 'receive_budget',
      option: 'limits.receiveBudget',
      options: { limits: { receiveBudget: 136 * KiB, chatPayload: 64 * KiB } },
      async provoke (t, { port }) {
        const part = (length: number) => clientFrame(TEXT, 'x'.repeat(length * KiB), { fin: false })
        const largest = await upgraded(t, port, wire.path, part(63), wire.headers)
        await upgraded(t, port, wire.path, part(40), wire.headers)
        await upgraded(t, port, wire.path, part(40), wire.headers)
        return await received(largest)
      }
    },
    [`app.close() ${on}`]: {
      label: undefined,
      async provoke (t, { app, port }) {
        const client = await upgraded(t, port, wire.path, nothing, wire.headers)
        const closed = app.close()
        const close = await received(client)
        await closed
        return close
      }
    },
    [`app.close() for a client that doesn't answer ${on}`]: {
      label: undefined,
      options: { drainTimeout: 20 },
      async provoke (t, { app, port }) {
        const { socket } = await upgraded(t, port, wire.path, nothing, wire.headers)
        await app.close()
        socket.destroy()
        return { code: 1006, reason: '' }
      }
    },
    [`a client that closes with 1000 ${on}`]: {
      label: undefined,
      async provoke (t, { port }) {
        const { socket, closed } = await open(t, `ws://127.0.0.1:${port}${wire.path}`, name === 'v1' ? { protocol } : {})
        socket.close(1000, 'enough')
        return await closed
      }
    }
  }
}

/** Lets the app end the connection of a member that has joined the lobby. @param joined what the client sends to join it */
function onceJoined (wire: Wire, joined: Buffer, end: (app: FastifyInstance) => Promise<void>): CloseCase['provoke'] {
  return async (t, { app, port }) => {
    const client = await upgraded(t, port, wire.path, joined, wire.headers)
    while ((await app.chat.members('lobby')).count === 0) await tick()
    await end(app)
    return await received(client)
  }
}

/** Cases of the chat on both wires. enters: what the client sends to have a member. */
function ofChat (name: string, wire: Wire, enters: Buffer, joined: Buffer): Record<string, CloseCase> {
  const on = `on the wire ${name}`
  return {
    [`authenticate that rejects ${on}`]: { label: 'unauthenticated', options: { authenticate: () => null }, provoke: sends(enters, wire) },
    [`an authentication that expires ${on}`]: {
      label: 'unauthenticated',
      options: { authenticate: () => ({ id: 'ada', expiresAt: Date.now() }) },
      provoke: sends(enters, wire)
    },
    [`authenticate that throws ${on}`]: { label: 'try_again_later', isFault: true, options: { authenticate: fails }, provoke: sends(enters, wire) },
    [`authenticate that never settles ${on}`]: {
      label: 'try_again_later', option: 'limits.handshakeTimeout', options: { authenticate: never }, provoke: waits(10_000, wire, enters)
    },
    [`authenticate with an invalid result ${on}`]: {
      label: 'internal', isFault: true, options: { authenticate: () => ({ id: '' }) }, provoke: sends(enters, wire)
    },
    [`authorize that throws ${on}`]: { label: 'internal', isFault: true, isMember: true, options: { authorize: fails }, provoke: sends(joined, wire) },
    [`onJoin that throws ${on}`]: { label: 'internal', isFault: true, isMember: true, options: { onJoin: fails }, provoke: sends(joined, wire) },
    [`a kick ${on}`]: {
      label: 'forbidden',
      isMember: true,
      options: { authenticate: () => ({ id: 'ada' }) },
      provoke: onceJoined(wire, joined, async (app) => await app.chat.kick('ada'))
    },
    [`a banned member ${on}`]: {
      label: 'forbidden',
      options: { authenticate: () => ({ id: 'ada' }) },
      async provoke (t, chat) {
        await chat.app.chat.ban('ada', { duration: 1_000_000, reason: '' })
        return await sends(enters, wire)(t, chat)
      }
    },
    [`a client that reads nothing ${on}`]: { label: 'slow_reader', option: 'limits.pendingBytes', isMember: true, provoke: readsNothing(wire, joined) },
    [`clients that read nothing ${on}`]: {
      label: 'total_pending_bytes',
      option: 'limits.totalPendingBytes',
      isMember: true,
      options: { limits: { pendingBytes: Infinity, totalPendingBytes: 1024 * KiB } },
      provoke: readsNothing(wire, joined)
    }
  }
}

export const closeCases: Record<string, CloseCase> = {
  ...ofFrames('plain', plain),
  ...ofFrames('v1', v1),
  ...ofFrames('echo', echo),
  ...ofChat('plain', plain, nothing, nothing),
  ...ofChat('v1', v1, hello, joins),
  'a removed member on the wire plain': {
    label: 'forbidden',
    isMember: true,
    options: { authenticate: () => ({ id: 'ada' }) },
    provoke: onceJoined(plain, nothing, async (app) => await app.chat.removeMember('lobby', 'ada'))
  },
  'compressed text that can not be inflated': {
    label: 'not_text',
    options: { compression: true },
    provoke: sends(clientFrame(TEXT, Buffer.alloc(50, 0xff), { rsv: 4 }), { ...plain, headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } })
  },
  'many invalid messages': { label: 'bad_frame', provoke: sends(times(11, clientFrame(TEXT, 'x')), v1) },
  'many requests': {
    label: 'flood',
    option: 'limits.messageRate',
    options: { limits: { messageRate: 1, messageBurst: 1 } },
    provoke: floods
  },
  'many bytes': {
    label: 'flood',
    option: 'limits.byteRate',
    options: { limits: { chatPayload: 64, messageRate: 10, messageBurst: 1_000, byteRate: 1, byteBurst: 64 } },
    provoke: floods
  },
  'no hello': { label: 'no_hello', option: 'limits.handshakeTimeout', provoke: waits(10_000, v1) },
  'a plain client that may not join': {
    label: 'forbidden', isMember: true, options: { authorize: () => false }, provoke: sends(nothing, plain)
  },
  'a plain client in a full server': {
    label: 'try_again_later',
    option: 'limits.rooms',
    isMember: true,
    options: { limits: { rooms: 1 } },
    async provoke (t, chat) {
      const stop = await chat.app.chat.subscribe('other', () => {})
      t.teardown(stop)
      return await sends(nothing, plain)(t, chat)
    }
  },
  'a plain client from an address with many rooms': {
    label: 'try_again_later',
    option: 'limits.roomsPerAddress, limits.rooms',
    isMember: true,
    options: { limits: { roomsPerAddress: 1 } },
    async provoke (t, chat) {
      await chat.plain('?room=other')
      while (!chat.app.chat.rooms().includes('other')) await tick()
      return await sends(nothing, plain)(t, chat)
    }
  },
  'a plain post that the store rejects': {
    label: 'try_again_later', isMember: true, options: { backend: storeFails }, provoke: sends(clientFrame(TEXT, 'x'), plain)
  },
  'echo.reply that throws': { label: 'internal', isFault: true, options: { echo: { reply: fails } }, provoke: sends(clientFrame(TEXT, 'x'), echo) },
  'echo.reply that returns an object': {
    label: 'internal', isFault: true, options: { echo: { reply: () => ({}) as never } }, provoke: sends(clientFrame(TEXT, 'x'), echo)
  }
}

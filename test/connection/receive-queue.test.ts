import { once } from 'node:events'
import { mock } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import fastifyChat from '../../src/index.ts'
import { bare, build, listen, logged } from '../support/app.ts'
import { backendWith } from '../support/backend.ts'
import { clientFrame, closeOf, serverFrames } from '../support/frames.ts'
import { gate } from '../support/gate.ts'
import { memoryInUse } from '../support/memory.ts'
import { upgraded, type RawClient } from '../support/raw-client.ts'
import { wired } from '../support/server-side.ts'
import { tick } from '../support/tick.ts'
import { serves } from '../support/websocket-client.ts'

const [CONTINUATION, TEXT, BINARY, CLOSE, PING] = [0, 1, 2, 8, 9]
const KiB = 1024
const MiB = 1024 * KiB
const v1 = { 'Sec-WebSocket-Protocol': 'fastify-chat.v1' }

const json = (...messages: object[]) => Buffer.concat(messages.map((message) => clientFrame(TEXT, JSON.stringify(message))))
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)
const numberedFrames = (count: number) => Buffer.concat(numbered(count).map((text) => clientFrame(TEXT, text)))

/** Returns the server's messages, without the greeting and presence. */
function messages ({ received }: RawClient): string[] {
  return serverFrames(received).filter(({ opcode }) => opcode === TEXT).map(({ payload }) => payload.toString())
    .filter((text) => text !== 'connected to WebSocket server' && !text.startsWith('{"type":"presence"'))
}

/** Returns the types of the server's v1 messages. */
const types = (client: RawClient) => messages(client).map((text) => (JSON.parse(text) as { type: string }).type)

t.test('1,600 messages of a plain client in one write are delayed to its rate, and none is lost', async (t) => {
  const port = await listen(await build(t, { limits: { messageRate: 4_000 } }))
  const client = await upgraded(t, port, '/chat')
  client.socket.write(numberedFrames(1_600))
  await client.until(() => messages(client).length === 1_600)
  t.strictSame(messages(client), numbered(1_600))
  t.equal(closeOf(client), undefined)
})

t.test('a plain client that exceeds the default rate is not read from, and not closed', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const { client, wire: { socket } } = await wired(app, () => upgraded(t, port, '/chat'))
  const before = socket.bytesRead
  client.socket.write(numberedFrames(500_000))
  await client.until(() => messages(client).length > 20)
  const read = socket.bytesRead - before
  t.ok(read < 160 * KiB, `${read} bytes were read`)
  await client.until(() => messages(client).length > 25)
  t.equal(socket.bytesRead - before, read)
  t.strictSame(messages(client), numbered(messages(client).length))
  t.equal(closeOf(client), undefined)
  await serves(t, port)
})

t.test('1,600 requests of a v1 client behind a slow hello are answered in order', async (t) => {
  const slow = gate()
  const port = await listen(await build(t, {
    authenticate: async () => { await slow.pass(); return { id: 'ada' } },
    limits: { messageRate: Infinity, byteRate: Infinity }
  }))
  const client = await upgraded(t, port, '/chat', undefined, v1)
  const requests = numbered(400).flatMap((id) => [
    { type: 'join', room: 'tea' }, { type: 'post', room: 'tea', id, text: id }, { type: 'ping', id }, { type: 'leave', room: 'tea' }
  ])
  client.socket.write(json({ type: 'hello' }, ...requests))
  await slow.reached
  slow.open()
  await client.until(() => types(client).filter((type) => type === 'left').length === 400)
  const parsed = messages(client).map((text) => JSON.parse(text) as { type: string, id?: string })
  t.strictSame(parsed.filter(({ type }) => type === 'pong').map(({ id }) => id), numbered(400))
  t.strictSame(parsed.filter(({ type }) => type === 'ack').map(({ id }) => id), numbered(400))
  t.equal(parsed.filter(({ type }) => type === 'joined').length, 400)
  t.equal(closeOf(client), undefined)
})

t.test('1,600 posts of a v1 client behind a slow prePost are stored in order', async (t) => {
  const slow = gate()
  const app = await build(t, { prePost: async (draft) => { await slow.pass(); return draft }, limits: { messageRate: Infinity, byteRate: Infinity } })
  const client = await upgraded(t, await listen(app), '/chat', undefined, v1)
  client.socket.write(json({ type: 'hello' }, { type: 'join', room: 'tea' }, ...numbered(1_600).map((id) => ({ type: 'post', room: 'tea', id, text: id }))))
  await slow.reached
  slow.open()
  await client.until(() => types(client).filter((type) => type === 'ack').length === 1_600)
  const { entries } = await app.chat.history('tea', { limit: 1_000 })
  t.strictSame(entries.map(({ text }) => text), numbered(1_600).slice(-1_000))
})

t.test('5,000 echo messages behind a slow reply are answered in order', async (t) => {
  const slow = gate()
  const port = await listen(await build(t, { echo: { reply: async (message) => { await slow.pass(); return message } } }))
  const client = await upgraded(t, port, '/echo')
  client.socket.write(Buffer.concat([numberedFrames(5_000), clientFrame(PING, 'last')]))
  await slow.reached
  slow.open()
  await client.until(() => serverFrames(client.received).length === 5_001)
  t.strictSame(messages(client), numbered(5_000))
  t.equal(serverFrames(client.received).at(-1)?.payload.toString(), 'last')
})

t.test('thousands of tiny messages that wait on each of 100 connections take little memory', async (t) => {
  const slow = gate()
  t.teardown(() => slow.open())
  const app = await build(t, { prePost: async (draft) => { await slow.pass(); return draft } })
  const port = await listen(app)
  const clients = await Promise.all(Array.from({ length: 100 }, () => wired(app, () => upgraded(t, port, '/chat'))))
  const before = await memoryInUse()
  const frames = Buffer.concat(Array<Buffer>(20_000).fill(clientFrame(TEXT)))
  const read = clients.map(({ wire: { socket } }) => socket.bytesRead)
  for (const { client: { socket } } of clients) socket.write(frames)
  for (const [i, { wire: { socket } }] of clients.entries()) while (socket.bytesRead < read[i]! + 32 * KiB) await tick()
  const held = await memoryInUse() - before
  t.ok(held < 40 * MiB, `${(held / MiB).toFixed(1)} MiB on both sides`)
  t.ok(clients.every(({ client }) => closeOf(client) === undefined))
  await serves(t, port)
})

t.test('messages before a close frame in the same packet are handled', async (t) => {
  const slow = gate()
  const app = await build(t, { prePost: async (draft) => { await slow.pass(); return draft } })
  const client = await upgraded(t, await listen(app), '/chat')
  client.socket.write(Buffer.concat([numberedFrames(10), clientFrame(CLOSE, Buffer.from([3, 232]))]))
  await slow.reached
  slow.open()
  await client.ended
  t.equal(closeOf(client)?.code, 1000)
  t.strictSame((await app.chat.history('lobby', { limit: 100 })).entries.map(({ text }) => text), numbered(10))
})

t.test('a connection that is not read from is read to its end after a close frame of the client', async (t) => {
  const slow = gate()
  const app = await build(t, { echo: { reply: async (message) => { await slow.pass(); return message } } })
  const client = await upgraded(t, await listen(app), '/echo')
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const large = clientFrame(TEXT, 'x'.repeat(20 * KiB))
  client.socket.write(Buffer.concat([large, large, clientFrame(CLOSE, Buffer.from([3, 232]))]))
  await slow.reached
  slow.open()
  await client.until(() => closeOf(client) !== undefined)
  client.socket.end()
  t.match(await logged(app, 'websocket closed'), { code: 1000 }, 'before the timeout of the close')
})

const malformed: ReadonlyArray<[title: string, code: number, frame: Buffer]> = [
  ['reserved bits', 1002, clientFrame(TEXT, 'x', { rsv: 3 })],
  ['a reserved opcode', 1002, clientFrame(3)],
  ['a continuation of nothing', 1002, clientFrame(CONTINUATION, 'x')],
  ['no mask', 1002, clientFrame(PING, '', { masked: false })],
  ['text that is not UTF-8', 1007, clientFrame(TEXT, Buffer.from([0xff]))],
  ['a message above the limit', 1009, clientFrame(BINARY, Buffer.alloc(70 * KiB))]
]

for (const [title, code, frame] of malformed) {
  t.test(`messages before ${title} in one packet are delivered first`, async (t) => {
    const app = await build(t, { echo: { reply: async (message) => message } })
    const port = await listen(app)
    const [echo, plain, client] = await Promise.all([upgraded(t, port, '/echo'), upgraded(t, port, '/chat'), upgraded(t, port, '/chat', undefined, v1)])
    for (const { socket } of [echo, plain]) socket.write(Buffer.concat([numberedFrames(3), frame, numberedFrames(3)]))
    const posts = numbered(3).map((id) => ({ type: 'post', room: 'tea', id, text: id }))
    client.socket.write(Buffer.concat([json({ type: 'hello' }, { type: 'join', room: 'tea' }, ...posts, { type: 'ping', id: 'p' }), frame, json(...posts)]))
    await Promise.all([echo.ended, plain.ended, client.ended])
    for (const each of [echo, plain]) t.strictSame(messages(each), numbered(3))
    t.strictSame(types(client).sort(), ['ack', 'ack', 'ack', 'joined', 'message', 'message', 'message', 'pong', 'welcome'])
    for (const each of [echo, plain, client]) {
      const close = closeOf(each)
      t.equal(close?.code, code)
      t.not(close?.reason, '')
      t.equal(serverFrames(each.received).at(-1)?.opcode, CLOSE)
    }
    t.match(await logged(app, 'websocket closed'), { code, reason: closeOf(echo)!.reason })
  })
}

t.test('a malformed frame behind posts that the store delays is answered after their delivery', async (t) => {
  const slow = gate()
  const backend = backendWith((store) => ({ append: async (...post) => { await slow.pass(); return await store.append(...post) } }))
  const client = await upgraded(t, await listen(await build(t, { backend })), '/chat')
  client.socket.write(Buffer.concat([numberedFrames(5), clientFrame(3)]))
  await slow.reached
  t.equal(closeOf(client), undefined)
  slow.open()
  await client.ended
  t.strictSame(messages(client), numbered(5))
  t.equal(closeOf(client)?.code, 1002)
})

t.test('a malformed frame behind a post that is never stored is answered within 5 s', async (t) => {
  const slow = gate()
  t.teardown(() => slow.open())
  const backend = backendWith((store) => ({ append: async (...post) => { await slow.pass(); return await store.append(...post) } }))
  const app = await build(t, { backend })
  const { client, wire: { socket } } = await wired(app, async () => await upgraded(t, await listen(app), '/chat'))
  await client.until((received) => received.includes('connected'))
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const before = socket.bytesRead
  const bytes = Buffer.concat([clientFrame(TEXT, 'a'), clientFrame(3)])
  client.socket.write(bytes)
  await slow.reached
  while (socket.bytesRead < before + bytes.length) await tick()
  t.equal(closeOf(client), undefined)
  mock.timers.tick(5_000)
  await client.ended
  t.equal(closeOf(client)?.code, 1002)
})

t.test('a malformed frame behind a post and a refused one is answered after both', async (t) => {
  const port = await listen(await build(t, { prePost: (draft) => { if (draft.text === '1') throw new Error('no'); return draft } }))
  const client = await upgraded(t, port, '/chat', undefined, v1)
  const posts = numbered(2).map((id) => ({ type: 'post', room: 'tea', id, text: id }))
  client.socket.write(Buffer.concat([json({ type: 'hello' }, { type: 'join', room: 'tea' }, ...posts), clientFrame(3)]))
  await client.ended
  t.strictSame(types(client).sort(), ['ack', 'error', 'joined', 'message', 'welcome'])
  t.equal(closeOf(client)?.code, 1002)
})

t.test('a malformed frame behind a post to a room that is not joined is answered after the error', async (t) => {
  const client = await upgraded(t, await listen(await build(t)), '/chat', undefined, v1)
  client.socket.write(Buffer.concat([json({ type: 'hello' }, { type: 'post', room: 'tea', id: 'a', text: 'x' }), clientFrame(3)]))
  await client.ended
  t.strictSame(types(client), ['welcome', 'error'])
  t.equal(closeOf(client)?.code, 1002)
})

/** Starts a server whose echo waits at a gate. Resolves with it, a client, and the socket that the app has received of it. */
async function slowEcho (t: Test) {
  const slow = gate()
  const app = bare(t)
  await app.register(fastifyWebsocket)
  await app.register(fastifyChat, { echo: { reply: async (message) => { await slow.pass(); return message } } })
  await app.ready()
  const port = await listen(app)
  const accepted = once(app.websocketServer, 'connection') as Promise<[WebSocket]>
  const client = await upgraded(t, port, '/echo')
  const [socket] = await accepted
  return { slow, client, socket }
}

t.test('an app may resume its socket while messages wait: all are handled, in order', async (t) => {
  const { slow, client, socket } = await slowEcho(t)
  client.socket.write(numberedFrames(10_000))
  await slow.reached
  for (let i = 0; i < 20; i++) {
    socket.resume()
    await tick()
  }
  slow.open()
  await client.until(() => messages(client).length === 10_000)
  t.strictSame(messages(client), numbered(10_000))
})

t.test('a socket that the app has paused is not read from until the app resumes it', async (t) => {
  const { slow, client, socket } = await slowEcho(t)
  client.socket.write(numberedFrames(20_000))
  await slow.reached
  socket.pause()
  slow.open()
  let before = -1
  while (messages(client).length > before) {
    before = messages(client).length
    for (let i = 0; i < 50; i++) await tick()
  }
  t.ok(before < 20_000, `${before} messages were read`)
  socket.resume()
  await client.until(() => messages(client).length === 20_000)
  t.strictSame(messages(client), numbered(20_000))
})

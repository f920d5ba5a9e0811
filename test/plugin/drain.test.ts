import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { build, listen } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { chatClient, fixJitter, next, state } from '../support/chat-client.ts'
import { raw, upgradeRequest } from '../support/raw-client.ts'
import { tick } from '../support/tick.ts'
import { open } from '../support/websocket-client.ts'
import { backendOf } from '../support/backend.ts'

const stopping = { code: 1001, reason: 'the server is stopping' }

t.test('v1 clients receive distinct reconnect times, then 1001; other clients only 1001', async (t) => {
  const { app, tcp, member, injected, plain } = await chat(t)
  const members = [await member({}, 'a'), await member(), await injected()]
  const greeting = await tcp()
  const others = [await plain(), await plain()]
  await app.close()
  const waits = []
  for (const client of [...members, greeting]) {
    waits.push((await client.expect('draining')).reconnectIn)
    t.strictSame(await client.closed, stopping)
    await t.rejects(client.next(), { message: /1001/ }, 'no message follows')
  }
  t.strictSame(waits, [0, 1, 2, 3])
  for (const client of others) {
    t.strictSame(await client.closed, stopping)
    await t.rejects(client.next(), { message: /1001/ }, 'no message precedes the close')
  }
})

t.test('reconnect times of many clients are spread over drainTimeout', async (t) => {
  const { app, injected } = await chat(t, { drainTimeout: 10 })
  const clients = await Promise.all(Array.from({ length: 31 }, injected))
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  await app.close()
  const waits = await Promise.all(clients.map(async (client) => (await client.expect('draining')).reconnectIn))
  t.strictSame(waits.toSorted((a, b) => a - b), waits.map((_, i) => Math.round(i * 10 / 31)))
})

t.test('closing 600 connections takes more than one tick', async (t) => {
  const app = await build(t)
  const turns = new Set<number>()
  let turn = 0
  app.server.on('connection', (socket) => {
    const write = socket.write as (...args: unknown[]) => boolean
    socket.write = (...args: unknown[]) => {
      turns.add(turn)
      return write.apply(socket, args)
    }
  })
  const port = await listen(app)
  const clients = await Promise.all(Array.from({ length: 600 }, () => open(t, `ws://127.0.0.1:${port}/echo`)))
  turns.clear()
  const tick = () => {
    turn++
    if (app.chat.stats().connections > 0) setImmediate(tick)
  }
  tick()
  await app.close()
  for (const { closed } of clients) t.strictSame(await closed, stopping)
  t.ok(turns.size > 1, `${turns.size} ticks`)
})

/** Connects a client that answers nothing, not even a close frame. */
async function silentClient (t: Test, port: number): Promise<Socket> {
  const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(upgradeRequest('/chat'))
  await once(socket, 'data')
  return socket
}

t.test('while draining, upgrades get 503 with Retry-After, and drainTimeout bounds the wait', async (t) => {
  const drainTimeout = 2_000
  const app = await build(t, { drainTimeout })
  const port = await listen(app)
  const mute = await silentClient(t, port)
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const closing = once(mute, 'data')
  const closed = app.close()
  await closing
  const client = await raw(t, port)
  client.socket.write(upgradeRequest('/chat'))
  await client.ended
  const answer = client.received.toString()
  t.match(answer, /^HTTP\/1\.1 503 Service Unavailable\r\n/)
  t.match(answer, /\r\nRetry-After: \d+\r\n/)
  t.match(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))), { statusCode: 503, code: 'FST_CHAT_STOPPING' })
  mock.timers.tick(drainTimeout)
  await closed
})

t.test('a stream that ends at once leaves the other clients all of drainTimeout', async (t) => {
  const drainTimeout = 4_000
  const app = await build(t, { drainTimeout })
  const port = await listen(app)
  const mute = await silentClient(t, port)
  await once(app.chat.createWriteStream('a'), 'ready')
  let isClosed = false
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const closing = once(mute, 'data')
  const closed = app.close().then(() => { isClosed = true })
  await closing
  mock.timers.tick(drainTimeout * 0.6)
  for (let i = 0; i < 10; i++) await tick()
  t.notOk(isClosed)
  mock.timers.tick(drainTimeout)
  await closed
})

/** Starts the chat again on the same port. */
async function serve (t: Test, port: number, options: FastifyChatOptions) {
  const app = await build(t, options)
  await app.listen({ port, host: '127.0.0.1' })
  return app
}

t.test('a client reconnects after the given wait, rejoins its rooms and loses no message', async (t) => {
  const store = new MemoryStore()
  t.teardown(() => store.close())
  const app = await build(t, { backend: backendOf({ store }) })
  const port = await listen(app)
  const clients = [chatClient(t, port), chatClient(t, port), chatClient(t, port)]
  const rooms = []
  for (const client of clients) rooms.push(await client.join('lobby'))
  const heard: string[][] = rooms.map((room) => {
    const texts: string[] = []
    room.on('message', ({ text }) => { texts.push(text!) })
    room.on('joined', ({ messages }) => { texts.push(...messages.map(({ text }) => text!)) })
    return texts
  })
  await rooms[0]!.post('before')
  const lost = clients.map((client) => next(client, 'waiting'))
  const during = rooms.map((room, i) => room.post(`during ${i}`))
  await app.close()
  for (const each of lost) t.match(await each, { code: 1001, reason: 'the server is stopping' })
  const after = rooms.map((room, i) => room.post(`after ${i}`))
  await serve(t, port, { backend: backendOf({ store }) })
  await Promise.all([...during, ...after])
  const all = (await store.read('lobby', { limit: 100, maxBytes: 1_000_000 })).entries.map(({ body }) => body)
  t.equal(all.length, 7)
  t.equal(new Set(all).size, 7, 'each message is stored once')
  for (const client of clients) await state(client, 'online')
  while (heard.some((texts) => texts.length < 7)) await tick()
  for (const texts of heard) t.strictSame(texts, all, 'each message is received once, in order')
})

t.test('the only client at app.close() receives a reconnect time of 0', async (t) => {
  const { app, port } = await chat(t)
  fixJitter(t, 0)
  const client = chatClient(t, port, { minDelay: 1 })
  await state(client, 'online')
  const waiting = next(client, 'waiting')
  await app.close()
  t.match(await waiting, { retryIn: 0 })
})

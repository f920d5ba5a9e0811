import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { ChatClient } from '../../src/client/node.ts'
import { build, listen } from '../support/app.ts'
import { chatClient, next, nextEvent, state } from '../support/chat-client.ts'
import { fakeServer, message, type Answer } from '../support/fake-server.ts'
import { proxy } from '../support/proxy.ts'

/** ms: no heartbeat is sent in a test. */
const heartbeat = 1e9

/** Starts an app behind a proxy, and a client that is online. */
async function connect (t: Test) {
  const app = await build(t)
  const port = await listen(app)
  const network = await proxy(t, port)
  const client = chatClient(t, network.port, { heartbeat })
  const room = await client.join('lobby')
  return { app, port, network, client, room }
}

/** Connects to a fake server, and holds the timers. Resolves with the client and the ids of the pings that have arrived. */
async function connectToFake (t: Test, onPing: (count: number) => ReturnType<Answer>) {
  const pings: string[] = []
  let onArrival = () => {}
  const { port } = await fakeServer(t, ({ type, id }) => {
    if (type !== 'ping') return undefined
    pings.push(id as string)
    onArrival()
    return onPing(pings.length)
  })
  const client = chatClient(t, port, { heartbeat })
  const room = await client.join('lobby')
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const arrived = (count: number) => new Promise<void>((resolve) => {
    onArrival = () => { if (pings.length >= count) resolve() }
    onArrival()
  })
  /** Ends the wait for an answer. The second timer lets the process read what has arrived. */
  const expire = (ms: number) => {
    mock.timers.tick(ms)
    mock.timers.tick(0)
  }
  return { client, room, pings, arrived, expire }
}

t.test('ping resolves with the milliseconds until the answer', async (t) => {
  const { client } = await connect(t)
  for (let i = 0; i < 3; i++) {
    t.ok(await client.ping() > 0)
  }
  t.equal(client.status.state, 'online')
})

t.test('ping rejects with offline unless the client is online', async (t) => {
  const { client, network } = await connect(t)
  network.target = undefined
  const waiting = next(client, 'waiting')
  network.cut()
  await waiting
  await t.rejects(client.ping(), { name: 'ChatError', code: 'offline' })
  const early = chatClient(t, network.port)
  t.equal(early.status.state, 'connecting')
  await t.rejects(early.ping(), { code: 'offline' })
})

t.test('ping rejects with closed when the client is closed', async (t) => {
  const { client, network } = await connect(t)
  network.silence()
  const pending = client.ping()
  client.close()
  await t.rejects(pending, { code: 'closed' })
  await t.rejects(client.ping(), { code: 'closed' })
  t.equal(client.status.state, 'closed')
})

t.test('a ping of a closed client causes no unhandled rejection', async (t) => {
  t.teardown(() => process.off('unhandledRejection', t.error))
  process.on('unhandledRejection', t.error)
  const { client, network } = await connect(t)
  network.silence()
  void client.ping()
  client.close()
  void client.ping()
  await new Promise((resolve) => setImmediate(resolve))
})

t.test('ping rejects with offline when the connection ends', async (t) => {
  const { client, network } = await connect(t)
  network.silence()
  const pending = client.ping()
  network.cut()
  await t.rejects(pending, { code: 'offline' })
})

t.test('a ping on a dead connection ends it, and posts are stored once', async (t) => {
  const { app, client, room, network } = await connect(t)
  const stored = new Promise((resolve) => { app.chat.subscribe('lobby', resolve).catch(t.error) })
  network.silence()
  const posts = [room.post('in doubt')]
  await stored
  network.freeze()
  const waiting = next(client, 'waiting')
  const pong = client.ping()
  posts.push(room.post('meanwhile'))
  await t.rejects(pong, { code: 'offline' })
  t.match(await waiting, { code: 1006, reason: 'no answer to a ping' })
  await Promise.all(posts)
  const { entries } = await app.chat.history('lobby')
  t.same(entries.map(({ text }) => text), ['in doubt', 'meanwhile'])
})

t.test('pings share one answer, and a later ping does not extend the limit', async (t) => {
  const { client, pings, arrived, expire } = await connectToFake(t, () => [])
  const first = client.ping()
  await arrived(1)
  mock.timers.tick(1_500)
  const second = client.ping()
  t.equal(pings.length, 1)
  const waiting = next(client, 'waiting')
  expire(500)
  await Promise.all([t.rejects(first, { code: 'offline' }), t.rejects(second, { code: 'offline' }), waiting])
})

t.test('another message than the answer delays the end of the connection once', async (t) => {
  const { client, room, pings, arrived, expire } = await connectToFake(t, (count) => count === 1 ? [message('lobby', 'p1', 'late')] : [])
  const received = nextEvent(room, 'message')
  const pong = client.ping()
  await received
  expire(2_000)
  await arrived(2)
  t.equal(client.status.state, 'online')
  t.equal(pings[1], pings[0], 'the same ping, repeated')
  const waiting = next(client, 'waiting')
  expire(2_000)
  t.match(await waiting, { reason: 'no answer to a ping' })
  await t.rejects(pong, { code: 'offline' })
})

t.test('only the answer to this ping resolves it', async (t) => {
  const { client, arrived, expire } = await connectToFake(t, (count) => count === 1 ? [{ type: 'pong', id: 'another' }, { type: 'pong' }] : undefined)
  let settled = false
  const pong = client.ping().finally(() => { settled = true })
  await arrived(1)
  // Its answer arrives after the two others.
  await client.join('another')
  t.notOk(settled)
  expire(2_000)
  t.ok(await pong >= 0)
})

t.test('after a ping was answered, the heartbeat still detects a dead connection', async (t) => {
  const app = await build(t)
  const network = await proxy(t, await listen(app))
  const client = chatClient(t, network.port, { heartbeat: 50 })
  await state(client, 'online')
  await client.ping()
  network.freeze()
  t.match(await next(client, 'waiting'), { reason: 'no answer to a ping' })
})

t.test('a client works where the environment has no events', async (t) => {
  t.notOk('addEventListener' in globalThis, 'Node has none')
  const client = new ChatClient('ws://nowhere', { connect: () => Promise.reject(new Error('no network')) })
  await next(client, 'waiting')
  client.close()
})

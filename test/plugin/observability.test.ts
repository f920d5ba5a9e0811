import { channel } from 'node:diagnostics_channel'
import Fastify from 'fastify'
import { Counter, Registry } from 'prom-client'
import t, { type Test } from 'tap'
import fastifyChat, { type DiagnosticsEvents } from '../../src/index.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import { RedisRoster } from '../../src/drivers/redis/roster/roster.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { bare, build, listen, logged, type Line } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { directory } from '../support/directory.ts'
import { clientFrame } from '../support/frames.ts'
import { upgraded } from '../support/raw-client.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { samples } from '../support/metric-samples.ts'
import { wired } from '../support/server-side.ts'
import { backendOf, backendWith } from '../support/backend.ts'
import { tick } from '../support/tick.ts'
import { open, refused } from '../support/websocket-client.ts'

const TEXT = 1

/** Collects the events of a channel until the end of the test. */
function published<Name extends keyof DiagnosticsEvents> (t: Test, name: Name): Array<DiagnosticsEvents[Name]> {
  const events: Array<DiagnosticsEvents[Name]> = []
  const heard = (event: unknown) => { events.push(event as DiagnosticsEvents[Name]) }
  channel(name).subscribe(heard)
  t.teardown(() => channel(name).unsubscribe(heard))
  return events
}

t.test('stats counts connections, members, rooms, posts, deliveries and pending bytes', async (t) => {
  const { app, port, member, plain } = await chat(t, { chat: { greeting: 'hello' } })
  const [ada, bob] = [await member({}, 'lobby', 'tea'), await plain('?room=lobby')]
  const { socket } = await open(t, `ws://127.0.0.1:${port}/echo`)
  socket.send('an echo is no delivery')
  await ada.posted('lobby', 'one')
  await app.chat.publish('lobby', { text: 'two' })
  t.match(await ada.next(), { text: 'two' })
  t.strictSame([await bob.next(), await bob.next()], ['one', 'two'])
  await member({}, 'lobby')
  t.strictSame(app.chat.stats(), {
    connections: 4, members: 3, rooms: 2, posts: 2, changes: 0, deliveries: 6, refusals: {}, disconnects: {}, storeErrors: {}, pendingBytes: 0
  }, 'the two history messages of the last join count as deliveries')
  socket.terminate()
  while (app.chat.stats().connections > 3) await tick()
})

t.test('a repeated post is counted once', async (t) => {
  const { app, member } = await chat(t)
  const ada = await member()
  const { position } = await ada.join('lobby')
  await ada.posted('lobby', 'once', { id: 'i' })
  ada.post('lobby', 'once', { id: 'i', since: position })
  await ada.expect('ack')
  t.match(app.chat.stats(), { posts: 1, deliveries: 1 })
})

t.test('stats().pendingBytes is the bytes that clients have not read, and drops when they leave', async (t) => {
  const room = await chat(t)
  const { wire: { socket } } = await wired(room.app, () => room.plain())
  socket._write = () => {}
  socket._writev = () => {}
  await room.app.chat.publish('lobby', { text: 'x'.repeat(10_000) })
  while (room.app.chat.stats().pendingBytes < 10_000) await tick()
  t.equal(room.app.chat.stats().pendingBytes, socket.writableLength)
  socket.destroy()
  while (room.app.chat.stats().connections > 0) await tick()
  t.equal(room.app.chat.stats().pendingBytes, 0)
})

t.test('a connection that the server closes is published once, and app.close() counts none', async (t) => {
  const closed = published(t, 'fastify-chat:connection.close')
  const { app, port } = await chat(t)
  await upgraded(t, port, '/chat', clientFrame(TEXT, 'x', { masked: false }))
  const line = await logged(app, 'websocket closed')
  t.match(closed, [{ chat: '/', disconnect: 'protocol', code: line['code'], reason: line['reason'] }])
  await app.close()
  t.strictSame(app.chat.stats().disconnects, { protocol: 1 })
})

t.test('a client that closes or resets its connection is not counted in disconnects', async (t) => {
  const { app, port } = await chat(t)
  const client = await open(t, `ws://127.0.0.1:${port}/echo`)
  client.socket.close(1000)
  await client.closed
  const { socket } = await upgraded(t, port, '/chat')
  socket.resetAndDestroy()
  while (app.chat.stats().connections > 0) await tick()
  t.strictSame(app.chat.stats().disconnects, {})
})

t.test('a refusal is published once', async (t) => {
  const events = published(t, 'fastify-chat:refusal')
  const { app, port } = await chat(t)
  await refused(`ws://127.0.0.1:${port}/chat`, { origin: 'https://evil.example' })
  const { message } = await logged(app, 'refused')
  t.strictSame(events, [{ chat: '/', reason: 'FST_CHAT_ORIGIN_REFUSED', message }])
})

t.test("store errors are counted by code for every method; an unknown code counts as 'other'", async (t) => {
  const fails = (code: string) => () => Promise.reject(Object.assign(new Error('no'), { code }))
  const { app } = await chat(t, {
    backend: backendWith(() => ({
      append: fails('FST_CHAT_UNAVAILABLE'), read: fails('FST_CHAT_BUSY'), follow: fails('E_OF_THEIRS'), clear: fails('FST_CHAT_UNKNOWN')
    }))
  })
  await t.rejects(app.chat.publish('a', { text: 'x' }))
  await t.rejects(app.chat.publish('a', { text: 'x' }))
  await t.rejects(app.chat.history('a'))
  await t.rejects(app.chat.subscribe('a', () => {}))
  await t.rejects(app.chat.clear('a'))
  t.strictSame(app.chat.stats().storeErrors, { FST_CHAT_UNAVAILABLE: 2, FST_CHAT_BUSY: 1, other: 1, FST_CHAT_UNKNOWN: 1 })
  t.equal(app.chat.stats().posts, 0)
})

t.test('a reused id is counted as a refusal, not as a store error', async (t) => {
  const { app, member } = await chat(t)
  const ada = await member({}, 'lobby')
  await ada.posted('lobby', 'one', { id: 'i' })
  t.match(await ada.refused({ type: 'post', room: 'lobby', id: 'i', text: 'two' }), { code: 'reused_id' })
  t.match(app.chat.stats(), { refusals: { reused_id: 1 }, storeErrors: {} })
})

/** Returns the number of lines with this message, and the number of entries including suppressed ones. */
function about (lines: readonly Line[], msg: string) {
  const said = lines.filter((line) => line.msg === msg)
  const more = lines.filter((line) => line.msg === `${msg}: further lines suppressed`)
  return { lines: said.length + more.length, all: said.length + more.reduce((sum, { suppressed }) => sum + Number(suppressed), 0) }
}

t.test('a flood of closed connections logs few lines, which account for all of them', async (t) => {
  const { app, port } = await chat(t)
  // Together, because each second may have ten lines.
  await Promise.all(Array.from({ length: 300 }, async () => {
    (await upgraded(t, port, '/chat', clientFrame(TEXT, 'x', { masked: false }))).socket.end()
  }))
  while (app.chat.stats().connections > 0) await tick()
  await app.close()
  const { lines, all } = about(app.lines, 'websocket closed')
  t.ok(lines < 100, `${lines} lines`)
  t.equal(all, 300)
  t.strictSame(app.chat.stats().disconnects, { protocol: 300 })
})

t.test('a flood of refused posts and invalid frames logs few lines, which account for all', async (t) => {
  const { app, plain, member } = await chat(t, { prePost: () => { throw new Error('no\nswearing\u2028') } })
  const [bob, ada] = [await plain(), await member({}, 'lobby')]
  for (let i = 0; i < 300; i++) {
    bob.socket.send('darn')
    await ada.refused({ type: 'post', room: '\u001b[31m', id: 'i', text: 'x' })
    ada.say({ type: 'ping', id: 'a frame that is valid for each that is not' })
    await ada.expect('pong')
  }
  while (app.chat.stats().refusals['refused'] !== 300) await tick()
  await app.close()
  const { lines, all } = about(app.lines, 'refused')
  t.ok(lines < 150, `${lines} lines`)
  t.equal(all, 600)
  for (const { message, room } of app.lines.filter(({ msg }) => msg === 'refused')) t.notMatch(`${String(message)} ${String(room)}`, /[\p{C}\p{Zl}]/u)
})

t.test('connections, joins, leaves and posts are published on diagnostics channels', async (t) => {
  const [opened, closed, joined, left, posts] = ([
    'fastify-chat:connection.open', 'fastify-chat:connection.close', 'fastify-chat:member.join', 'fastify-chat:member.leave', 'fastify-chat:post'
  ] as const).map((name) => published(t, name)) as [
    Array<DiagnosticsEvents['fastify-chat:connection.open']>, Array<DiagnosticsEvents['fastify-chat:connection.close']>,
    object[], object[], Array<DiagnosticsEvents['fastify-chat:post']>
  ]
  const app = bare(t)
  await app.register(async (scope) => { await scope.register(fastifyChat, { prefix: '/b' }) }, { prefix: '/a' })
  const port = await listen(app)
  const { socket, next } = await open(t, `ws://127.0.0.1:${port}/a/b/chat?name=ada`, { headers: {} })
  await next()
  socket.send('hello')
  t.equal(await next(), 'ada: hello')
  socket.close(4000, 'enough')
  await logged(app, 'websocket closed')
  const [{ connection }] = opened as [DiagnosticsEvents['fastify-chat:connection.open']]
  t.match(opened, [{ chat: '/a/b', path: '/chat', protocol: '', address: '127.0.0.1' }])
  t.match(closed, [{ chat: '/a/b', code: 4000, reason: 'enough', disconnect: undefined, duration: Number }])
  t.match([...joined, ...left], Array(2).fill({ chat: '/a/b', room: 'lobby', member: { name: 'ada' } }))
  t.match(posts, [{ chat: '/a/b', room: 'lobby', from: { name: 'ada' }, position: String }])
  t.ok([...closed, ...joined, ...left].every((event) => (event as { connection: object }).connection === connection), 'all events have the same connection')
})

t.test('a metrics registry has the counts of stats and the durations of two chats', async (t) => {
  const metrics = new Registry()
  const room = await chat(t, { metrics })
  const { app } = room
  const other = bare(t)
  await other.register(fastifyChat, { prefix: '/talk', metrics })
  other.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()))
  const scrape = async () => samples((await other.inject('/metrics')).body)

  const [ada] = [await room.member({}, 'lobby'), await room.member({}, 'lobby')]
  await ada.posted('lobby', 'one')
  await ada.refused({ type: 'leave', room: 'tea' })
  await upgraded(t, room.port, '/echo', clientFrame(TEXT, 'x', { masked: false }))
  while (app.chat.stats().connections > 2) await tick()
  await other.chat.publish('lobby', { text: 'nobody hears it' })

  const first = await scrape()
  const { deliveries } = app.chat.stats()
  t.match(first, {
    'fastify_chat_connections{chat="/"}': 2,
    'fastify_chat_members{chat="/"}': 2,
    'fastify_chat_rooms{chat="/"}': 1,
    'fastify_chat_pending_bytes{chat="/"}': 0,
    'fastify_chat_posts_total{chat="/"}': 1,
    'fastify_chat_deliveries_total{chat="/"}': deliveries,
    'fastify_chat_refusals_total{chat="/",reason="not_joined"}': 1,
    'fastify_chat_disconnects_total{chat="/",reason="protocol"}': 1,
    'fastify_chat_append_duration_seconds_count{chat="/"}': 1,
    'fastify_chat_append_duration_seconds_count{chat="/talk"}': 1,
    'fastify_chat_delivery_duration_seconds_count{chat="/"}': 1,
    'fastify_chat_connections{chat="/talk"}': 0,
    'fastify_chat_posts_total{chat="/talk"}': 1
  })
  t.equal(deliveries, 2)
  t.strictSame(await scrape(), first, 'a scrape changes no value')

  await app.close()
  const second = await scrape()
  t.strictSame(Object.keys(second).filter((name) => name.includes('chat="/"')), [], 'a closed chat has no samples')
  t.equal(second['fastify_chat_posts_total{chat="/talk"}'], 1)
  await other.close()
  t.strictSame(metrics.getMetricsAsArray(), [])
})

t.test('a registry with a chat of the same prefix, or a metric of the same name, is rejected', async (t) => {
  const metrics = new Registry()
  const app = await build(t, { metrics })
  await t.rejects(async () => { await bare(t).register(fastifyChat, { metrics }) }, { code: 'FST_CHAT_METRICS_TAKEN', message: /'\/'/ })
  t.ok(samples(await metrics.metrics())['fastify_chat_connections{chat="/"}'] === 0, 'the first chat is still registered')
  await app.close()
  const { length } = metrics.getMetricsAsArray()
  t.equal(length, 0)
  const theirs = new Counter({ name: 'fastify_chat_posts_total', help: 'of theirs', registers: [metrics] })
  await t.rejects(async () => { await bare(t).register(fastifyChat, { metrics }) }, { code: 'FST_CHAT_METRICS_TAKEN', message: /posts_total/ })
  t.strictSame(metrics.getMetricsAsArray(), [theirs])
})

t.test('check rejects while the store or the roster is closed', async (t) => {
  for (const store of [new MemoryStore(), await LmdbStore.open({ path: directory(t) })]) {
    const app = await build(t, { backend: backendOf({ store }) })
    await t.resolves(app.chat.check())
    await store.close()
    await t.rejects(app.chat.check(), { code: 'FST_CHAT_STORE_CLOSED' })
  }
  const roster = new MemoryRoster()
  const app = await build(t, { backend: backendOf({ roster }) })
  await t.resolves(app.chat.check())
  void roster.close()
  await t.rejects(app.chat.check(), { code: 'FST_CHAT_ROSTER_CLOSED' })
})

t.test('check rejects while Redis hangs or is down, and resolves once it is back', { skip }, async (t) => {
  const server = await redisServer(t)
  const [store, roster] = [new RedisStore({ url: server.socket, timeout: 1_000 }), new RedisRoster({ url: server.socket, timeout: 1_000 })]
  t.teardown(async () => await Promise.all([store.close(), roster.close()]))
  const app = await build(t, { backend: backendOf({ store, roster }) })
  await t.resolves(app.chat.check())
  for (const [fault, mend] of [
    [async () => { process.kill(server.pid, 'SIGSTOP') }, async () => { process.kill(server.pid, 'SIGCONT') }],
    [async () => await server.kill(), async () => await server.start()]
  ] as const) {
    await fault()
    await t.rejects(app.chat.check())
    await mend()
    while (await app.chat.check().then(() => false, () => true)) await tick()
  }
})

t.test('a metrics option that is not a registry is rejected', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => { await app.register(fastifyChat, { metrics: {} as Registry }) }, { code: 'FST_CHAT_INVALID_OPTION' })
})

import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { redis } from '../../src/drivers/redis/backend.ts'
import { ConnectionLog } from '../../src/drivers/redis/client/connection-log.ts'
import type { ConnectionOptions } from '../../src/drivers/redis/client/options.ts'
import { RedisRoster } from '../../src/drivers/redis/roster/roster.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { build, logged } from '../support/app.ts'
import { freePort } from '../support/free-port.ts'
import { LogLines } from '../support/log-lines.ts'
import { redisServer, skip, type RedisServer } from '../support/redis-server.ts'
import { says } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'

/** Opens a store and a roster that share a log. */
function open (t: Test, options: ConnectionOptions): { store: RedisStore, roster: RedisRoster, log: LogLines } {
  const log = new LogLines()
  const connectionLog = new ConnectionLog(log)
  const [store, roster] = [new RedisStore({ timeout: 1_000, ...options }, undefined, connectionLog), new RedisRoster({ timeout: 1_000, ...options }, connectionLog)]
  t.teardown(() => Promise.all([store.close(), roster.close()]))
  return { store, roster, log }
}

/** Resolves with how often Redis has rejected SUBSCRIBE, and with the connections that it has accepted. */
async function counts ({ client }: RedisServer): Promise<{ rejected: number, connections: number }> {
  const [stats, commands] = await Promise.all([client.info('stats'), client.info('commandstats')])
  return {
    connections: Number(/^total_connections_received:(\d+)/m.exec(stats)![1]),
    rejected: Number(/^cmdstat_subscribe:.*rejected_calls=(\d+)/m.exec(commands)?.[1] ?? 0)
  }
}

t.test('a Redis that is away, available, lost and available again is logged in one line each', { skip }, async (t) => {
  const server = await redisServer(t, { tcp: true, args: ['--user', 'ada', 'on', '>s3cret', '~*', '&*', '+@all'] })
  await server.kill()
  const address = `127.0.0.1:${server.port}`
  const { store, roster, log } = open(t, { url: `redis://ada:s3cret@${address}` })
  t.match(await log.line(1), { level: 'error', msg: 'Redis is not available', address, reason: `connect ECONNREFUSED ${address}` })
  await t.rejects(store.check(), { code: 'FST_CHAT_UNAVAILABLE', cause: { message: /ECONNREFUSED/ } })
  await server.start()
  t.strictSame(await log.line(2), { level: 'info', msg: 'Redis is available again', address })
  await Promise.all([store.check(), roster.check()])
  await server.kill()
  t.match(await log.line(3), { level: 'error', msg: 'the connection to Redis was lost', address, reason: /./ })
  await server.start()
  t.strictSame(await log.line(4), { level: 'info', msg: 'Redis is available again', address })
  await Promise.all([store.check(), roster.check()])
  await Promise.all([store.close(), roster.close()])
  t.equal(log.lines.length, 4, 'a driver that is closed logs nothing')
})

t.test('a connection that Redis closed and accepted again is logged with both', { skip }, async (t) => {
  const { socket, client } = await redisServer(t)
  const { store, log } = open(t, { url: socket })
  await store.check()
  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  t.match(await log.line(1), { level: 'error', msg: 'the connection to Redis was lost', address: socket, reason: 'the connection was closed' })
  t.match(await log.line(2), { level: 'info', msg: 'Redis is available again', address: socket })
})

t.test('an error names no secret and no content of a command', { skip }, async (t) => {
  const { port, client } = await redisServer(t, { tcp: true })
  await client.call('ACL', 'SETUSER', 'ada', 'on', '>s3cret', '~*', '&*', '+@all')
  const wrong = open(t, { url: `redis://ada:s3crets@127.0.0.1:${port}` })
  t.match(await wrong.log.line(1), { reason: 'WRONGPASS invalid username-password pair or user is disabled.' })
  const error = await wrong.store.check().catch((error: unknown) => error)
  t.match(error, { code: 'FST_CHAT_UNAVAILABLE', cause: { message: /^WRONGPASS/ } })
  t.notMatch(inspect(error, { depth: 9, showHidden: true }), 's3cret')
  const { store } = open(t, { url: `redis://ada:s3cret@127.0.0.1:${port}` })
  await store.check()
  await client.config('SET', 'maxmemory', 1)
  const refused = await store.append('a', says('s3cret')).catch((error: unknown) => error)
  t.match(refused, { code: 'FST_CHAT_UNAVAILABLE', cause: { message: /OOM/ } })
  t.notMatch(inspect(refused, { depth: 9, showHidden: true }), 's3cret')
})

t.test('a missing permission is logged once, by its name', { skip }, async (t) => {
  const server = await redisServer(t, { tcp: true })
  const set = (...permissions: string[]) => server.client.call('ACL', 'SETUSER', 'ada', ...permissions)
  await set('on', '>s3cret', '~*', 'resetchannels', '+@all')
  const { store, roster, log } = open(t, { url: `redis://ada:s3cret@127.0.0.1:${server.port}` })
  const reason = /^the Redis user lacks a permission: .*channel/
  t.match(await log.line(1), { level: 'error', msg: 'Redis rejects what the chat needs', reason })
  await Promise.all([store, roster].map((driver) => t.rejects(driver.check(), { code: 'FST_CHAT_STORE_DENIED', message: reason })))
  await t.rejects(store.follow('a', () => {}), { code: 'FST_CHAT_UNAVAILABLE', cause: { message: /^NOPERM/ } })
  t.equal(log.lines.length, 1)

  await set('allchannels', '-xadd')
  await t.rejects(store.check(), { message: /'xadd'/ })
  await server.client.call('CLIENT', 'KILL', 'TYPE', 'normal')
  while (!log.lines.some(({ reason }) => /'xadd'/.test(reason ?? ''))) await log.line(log.lines.length + 1)
})

t.test('after a revoked subscription, attempts back off on one connection', { skip }, async (t) => {
  const server = await redisServer(t, { tcp: true })
  const set = (...permissions: string[]) => server.client.call('ACL', 'SETUSER', 'ada', ...permissions)
  await set('on', '>s3cret', '~*', '&*', '+@all')
  const { store, roster, log } = open(t, { url: `redis://ada:s3cret@127.0.0.1:${server.port}` })
  const peer = new RedisStore({ url: server.socket })
  t.teardown(() => peer.close())
  const follower = await Follower.of(store, 'a')
  // After the checks that follow the first connection.
  await Promise.all([store.check(), roster.check()])
  const before = await counts(server)
  await set('resetchannels')
  const rejections = async (least: number) => { while ((await counts(server)).rejected < least); }
  await rejections(before.rejected + 7)
  const { connections } = await counts(server)
  // Redis closed the subscriptions of store and roster.
  t.ok(connections - before.connections <= 3, `${connections - before.connections} new connections`)
  t.equal(log.lines.filter(({ msg }) => msg === 'Redis rejects what the chat needs').length, 1)
  await peer.append('a', says('missed'))
  await set('allchannels')
  await follower.has('missed')
})

t.test('a Redis without the database of the url is never used', { skip }, async (t) => {
  const { port, client } = await redisServer(t, { tcp: true })
  const { store, log } = open(t, { url: `redis://127.0.0.1:${port}/99` })
  t.match(await log.line(1), { level: 'error', msg: 'Redis is not available', reason: 'ERR DB index is out of range' })
  await t.rejects(store.append('a', says('x')), { code: 'FST_CHAT_UNAVAILABLE' })
  t.equal(await client.dbsize(), 0)
})

t.test('a backend logs with the logger of the app that opened it', async (t) => {
  const port = await freePort()
  const app = await build(t, { backend: redis({ url: `redis://:s3cret@127.0.0.1:${port}` }) })
  const line = await logged(app, 'Redis is not available')
  t.match(line, { level: 50, address: `127.0.0.1:${port}`, reason: /^connect ECONNREFUSED/ })
})

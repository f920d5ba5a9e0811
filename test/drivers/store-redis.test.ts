import fastifyRedis from '@fastify/redis'
import fastify from 'fastify'
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { RedisStoreOptions } from '../../src/drivers/redis/store/options.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { eventually } from '../support/eventually.ts'
import { full } from '../support/full.ts'
import { redisCluster, redisServer, skip, type RedisServer } from '../support/redis-server.ts'
import type { Test as Runner } from '../../src/contract/runner.ts'
import { storeContract } from '../../src/contract/store.ts'
import { all, bodies, deletion, fill, numbers, says } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'

/** Returns the keys in Redis without those of the index, which is written once a second. */
async function keysOf (server: RedisServer): Promise<string[]> {
  return (await server.client.keys('*')).filter((key) => !/:\{(store|\?.*)\}:/.test(key)).sort()
}

/** Moves each entry of the room 'a' into the past, by as many ms. */
async function age (server: RedisServer, ages: readonly number[]): Promise<void> {
  const log = 'fastify-chat:{a}:log'
  const entries = await server.client.xrange(log, '-', '+')
  await server.client.del(log)
  for (const [i, [id, fields]] of entries.entries()) {
    const [at, offset] = id.split('-')
    await server.client.xadd(log, `${Number(at) - ages[i]!}-${offset}`, ...fields)
  }
}

function offsets (entries: ReadonlyArray<readonly [id: string, fields: string[]]>): Array<string | undefined> {
  return entries.map(([id]) => id.split('-')[1])
}

function open (t: Test, server: RedisServer, options: RedisStoreOptions = {}, pollInterval?: number): RedisStore {
  const store = new RedisStore({ url: server.socket, ...options }, pollInterval)
  t.teardown(() => store.close())
  return store
}

async function cutSubscriptions (masters: readonly Redis[]): Promise<void> {
  await Promise.all(masters.map((master) => master.call('CLIENT', 'KILL', 'TYPE', 'pubsub')))
}

/** Runs the subtests of a suite whose titles match. */
const only = (test: Runner, titles: RegExp): Runner => (title, run) => test(title, (t) => run({
  test: async (title, run) => titles.test(title) && t.test(title, run)
}))

/** Leaves out two of the three loads on read positions. */
const FEWER_LOADS = /^(?!after each of 1,000 (posts|calls in rooms))/

/** Promises that a Cluster may break though one Redis keeps them: between peers, while connections break, and of all rooms. */
const OF_CLUSTERS = /^(?!after each of 1,000).*(peer|connection|disconnected|rooms returns)/

t.test('one Redis', { skip }, async (t) => {
  const { socket, client } = await redisServer(t)
  await storeContract(full(t.test, only(t.test, FEWER_LOADS)), {
    open: (prefix, bounds) => new RedisStore({ url: socket, prefix, ...bounds }),
    disconnect: () => cutSubscriptions([client]),
    capabilities: { durable: true, historyAge: true, shared: true }
  })
})

t.test('a Redis Cluster', { skip }, async (t) => {
  const client = await redisCluster(t, 3)
  await storeContract(full(t.test, only(t.test, OF_CLUSTERS)), {
    open: (prefix, bounds) => new RedisStore({ client, prefix, ...bounds }),
    disconnect: () => cutSubscriptions(client.nodes('master')),
    capabilities: { durable: true, historyAge: true, shared: true }
  })
})

t.test('bytes beyond the in-flight limit are BUSY', { skip }, async (t) => {
  const store = open(t, await redisServer(t), { inFlightBytes: 9_500 })
  const posts = () => Promise.allSettled(Array.from({ length: 4 }, () => store.append('a', says('x'.repeat(300)))))
  for (const times of [1, 2]) {
    const outcomes = (await posts()).map((outcome) => outcome.status === 'fulfilled' ? outcome.value.offset : (outcome.reason as { code: string }).code)
    t.strictSame(outcomes, [3 * times - 2, 3 * times - 1, 3 * times, 'FST_CHAT_BUSY'])
  }
})

t.test('a room keeps its newest entries, up to historyEntries plus a tenth', { skip }, async (t) => {
  const store = open(t, await redisServer(t), { historyEntries: 20 })
  const most = new Set<number>()
  for (let i = 0; i < 100; i++) {
    await fill(store, 'a', 1)
    most.add((await store.read('a', all)).entries.length)
  }
  t.strictSame(Math.max(...most), 22)
  t.strictSame(numbers(await store.read('a', { ...all, limit: 20 })), Array.from({ length: 20 }, (_, i) => 81 + i))
})

t.test('entries older than historyAge are removed while posts go on', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyAge: 1 })
  const [oldest] = await fill(store, 'a', 1)
  await eventually(async () => (await store.read('a', all)).entries.length === 0)
  t.equal(await server.client.xlen('fastify-chat:{a}:log'), 1, 'an unused room keeps them, but returns none')
  await fill(store, 'a', 20)
  t.ok(await server.client.xlen('fastify-chat:{a}:log') <= 20)
  const [first] = await server.client.xrange('fastify-chat:{a}:log', '-', '+', 'COUNT', 1)
  t.not(first?.[0], oldest!.split('-').slice(1).join('-'))
  t.equal((await store.append('a', says('x'))).offset, 22)
})

t.test('a read or a follower removes entries older than historyAge from a room without posts', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyAge: 1 }, 20)
  const log = 'fastify-chat:{a}:log'
  const state = async () => await server.client.hmget('fastify-chat:{a}:room', 'n', 'first', 'bytes')
  await store.append('a', says('x'))
  const [, , bytes] = await state()
  for (const use of ['read', 'follow'] as const) {
    await store.clear('a')
    await store.append('a', says('long'.repeat(500)))
    await store.append('a', says('x'))
    // The newest is alone in its millisecond.
    await age(server, [1_000, 500])
    const follower = use === 'follow' ? await Follower.of(store, 'a') : undefined
    if (follower === undefined) t.strictSame((await store.read('a', all)).entries, [])
    else await eventually(async () => await server.client.xlen(log) <= 1)
    t.strictSame(offsets(await server.client.xrange(log, '-', '+')), ['2'], use)
    t.strictSame(await state(), ['2', '2', bytes], `${use}: the room is charged for what is left`)
    t.equal((await store.append('a', says('x'))).offset, 3, `${use}: the room isn't lost`)
    follower?.feed.stop()
  }
})

t.test('the newest entry older than historyAge stays while the one after it is returned', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyAge: 3_600_000 })
  await fill(store, 'a', 4)
  await age(server, [7_200_000, 7_100_000, 7_000_000, 0])
  t.strictSame(numbers(await store.read('a', all)), [4])
  t.strictSame(offsets(await server.client.xrange('fastify-chat:{a}:log', '-', '+')), ['3', '4'])
})

t.test('a room with old entries is read while Redis rejects writes, or is out of memory', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyAge: 3_600_000 })
  for (const [setting, left] of [['min-replicas-to-write', ['1', '2', '3']], ['maxmemory', ['2', '3']]] as const) {
    await store.clear('a')
    await fill(store, 'a', 3)
    await age(server, [7_200_000, 7_100_000, 0])
    await server.client.config('SET', setting, 1)
    t.strictSame(numbers(await store.read('a', all)), [3], setting)
    t.strictSame(offsets(await server.client.xrange('fastify-chat:{a}:log', '-', '+')), left, setting)
    await server.client.config('SET', setting, 0)
    t.equal((await store.append('a', says('x'))).offset, 4, setting)
  }
})

t.test('a room keeps its newest entries up to historyBytes, and always the last', { skip }, async (t) => {
  const store = open(t, await redisServer(t), { historyBytes: 10_000 })
  await fill(store, 'a', 50, 'é'.repeat(500))
  const page = await store.read('a', all)
  t.strictSame(numbers(page), Array.from({ length: page.entries.length }, (_, i) => 51 - page.entries.length + i))
  t.ok(page.entries.length >= 8 && page.entries.length <= 9, 'bytes, not characters')
  await store.append('a', says('y'.repeat(20_000)))
  t.strictSame(numbers(await store.read('a', all)), [51])
})

t.test('a room keeps at most about ten times as many keys as entries', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyEntries: 5 })
  for (let i = 1; i <= 200; i++) await store.append('a', says('x', { key: `k${i}` }))
  t.ok(await server.client.llen('fastify-chat:{a}:order') <= 60)
  t.equal(await server.client.llen('fastify-chat:{a}:order') + 10, await server.client.hlen('fastify-chat:{a}:room'))
  t.equal(await store.find('a', 'k1'), undefined)
  t.equal((await store.find('a', 'k195'))?.offset, 195)
})

t.test("a deleted entry's content is removed from Redis", { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const kept = async () => (await server.client.dumpBuffer('fastify-chat:{a}:log')).includes('secret')
  await fill(store, 'a', 2)
  const [position] = await fill(store, 'a', 1, 'secret')
  await fill(store, 'a', 1)
  t.equal(await kept(), true)
  await store.amend('a', position!, deletion)
  t.strictSame(bodies(await store.read('a', all)), ['x', 'x', '', 'x'])
  await eventually(async () => !await kept())
  t.strictSame(bodies(await store.read('a', all)), ['x', 'x', '', 'x'])
  await store.clear('a')
  t.strictSame(await keysOf(server), ['fastify-chat:{a}:room'])
})

t.test('a read that is no use leaves the last use of a room, and a lost room, as they are', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyAge: 60_000 })
  const unused = { ...all, use: false }
  const lastUse = async (room: string) => {
    const used = async () => await server.client.zscore('fastify-chat:{store}:used', room)
    await eventually(async () => await used() !== null)
    return await used()
  }
  await fill(store, 'a', 3)
  const used = await lastUse('a')
  t.strictSame(bodies(await store.read('a', unused)), ['x', 'x', 'x'])
  await fill(store, 'b', 1)
  await lastUse('b')
  t.equal(await lastUse('a'), used)
  await age(server, [120_000, 110_000, 0])
  await server.client.del('fastify-chat:{a}:room')
  const keys = await keysOf(server)
  t.match(await store.read('a', unused), { entries: [], complete: true, more: false, head: { offset: 0 } })
  t.strictSame(await keysOf(server), keys)
  t.equal(await server.client.xlen('fastify-chat:{a}:log'), 3)
})

t.test('all keys have the prefix and expire', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { prefix: 'mine', roomTtl: 7_200_000 })
  await store.append('a', says('x', { key: 'k' }))
  await store.append('b', says('x'))
  await store.read('c', all)
  await store.check()
  const ttls: Record<string, number> = {}
  for (const key of await keysOf(server)) ttls[key] = Math.ceil(await server.client.pttl(key) / 3_600_000)
  t.strictSame(ttls, {
    'mine:{a}:room': 2,
    'mine:{a}:log': 2,
    'mine:{a}:order': 2,
    'mine:{b}:room': 2,
    'mine:{b}:log': 2,
    'mine:{c}:room': 1
  })
})

t.test('with roomTtl: Infinity, keys expire after 100 years', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { roomTtl: Infinity })
  await store.append('a', says('x'))
  await store.append('a', says('x', { key: 'k' }))
  const keys = await keysOf(server)
  t.equal(keys.length, 3)
  for (const key of keys) t.ok(await server.client.pttl(key) > 99 * 365 * 24 * 3_600_000, key)
  await eventually(async () => await server.client.exists('fastify-chat:{store}:used') !== 0)
  t.equal(await server.client.zcard('fastify-chat:{store}:used'), 1)
})

t.test("a room's keys expire without posts or followers, and stay while it has some", { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { roomTtl: 3_000 }, 20)
  const follower = await Follower.of(store, 'followed')
  await fill(store, 'followed', 1)
  await fill(store, 'left', 1)
  await eventually(async () => (await server.client.exists('fastify-chat:{left}:room', 'fastify-chat:{left}:log')) === 0)
  const { position } = (await store.read('followed', all)).head
  await eventually(async () => (await server.client.pttl('fastify-chat:{followed}:log')) >= 2_500)
  await store.append('followed', says('end'))
  await follower.has('end')
  t.strictSame(follower.numbers, [1, 2])
  t.equal((await store.read('followed', { ...all, after: position })).complete, true)
})

const [hour, minute] = [3_600_000, 60_000]

/** Sets the ttl of the room 'a', as if its last renewal had been long ago. */
async function makeOld (server: RedisServer, ms: number): Promise<void> {
  const keys = await keysOf(server)
  for (const key of keys) await server.client.pexpire(key, ms)
  await server.client.hset('fastify-chat:{a}:room', 'renewed', Date.now() - 20 * hour)
}

/** Resolves with the ttl of each key in hours, rounded up. */
async function hoursOf (server: RedisServer): Promise<number[]> {
  return await Promise.all((await keysOf(server)).map(async (key) => Math.ceil(await server.client.pttl(key) / hour)))
}

const position = async (store: RedisStore) => (await store.read('a', { ...all, use: false })).head.position
const uses: Record<string, (store: RedisStore, server: RedisServer) => Promise<unknown>> = {
  'a read': async (store) => await store.read('a', all),
  'a resume': async (store) => await store.read('a', { ...all, after: await position(store) }),
  'a read of older entries': async (store) => await store.read('a', { ...all, before: await position(store) }),
  'a read of one entry': async (store) => await store.get('a', await position(store)),
  'the first follower': async (store) => await store.follow('a', () => {}),
  'another follower': async (store, server) => {
    await store.follow('a', () => {})
    await makeOld(server, minute)
    await store.follow('a', () => {})
  }
}
for (const [title, use] of Object.entries(uses)) {
  t.test(`${title} renews the ttl of a room, with and without entries`, { skip }, async (t) => {
    const server = await redisServer(t)
    const store = open(t, server, { roomTtl: 24 * hour }, 100 * hour)
    await store.read('a', all)
    await makeOld(server, minute)
    await use(store, server)
    t.strictSame(await hoursOf(server), [1], 'an empty room is kept for an hour')
    t.ok(await server.client.pttl('fastify-chat:{a}:room') > minute)
    await store.append('a', says('x', { key: 'k', hash: 'h' }))
    await makeOld(server, minute)
    await use(store, server)
    t.strictSame(await hoursOf(server), [24, 24, 24])
    await makeOld(server, minute)
    await server.client.hset('fastify-chat:{a}:room', 'renewed', Date.now() - 2 * hour)
    await use(store, server)
    if (title !== 'another follower') t.strictSame(await hoursOf(server), [1, 1, 1], 'not before a tenth of the ttl has passed')
  })
}

t.test('a read that is no use of a room, and a count of unread entries, leave its ttl', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  await store.append('a', says('x', { key: 'k', hash: 'h' }))
  await makeOld(server, minute)
  const { head } = await store.read('a', { ...all, use: false })
  await store.read('a', { ...all, use: false, after: head.position })
  await store.read('a', { limit: 0, maxBytes: 0, use: false, readPosition: head.position })
  for (const key of await keysOf(server)) t.ok(await server.client.pttl(key) <= minute)
})

t.test('a read of a Redis that is full renews the ttl, and one that rejects writes only reads', { skip }, async (t) => {
  const server = await redisServer(t, { args: ['--maxmemory-policy', 'noeviction'] })
  const store = open(t, server, { roomTtl: 24 * hour })
  await store.append('a', says('x', { key: 'k', hash: 'h' }))
  await makeOld(server, minute)
  await server.client.config('SET', 'min-replicas-to-write', 1)
  t.strictSame(bodies(await store.read('a', all)), ['x'])
  t.strictSame(await hoursOf(server), [1, 1, 1])
  await server.client.config('SET', 'min-replicas-to-write', 0)
  await server.client.config('SET', 'maxmemory', 1)
  t.strictSame(bodies(await store.read('a', all)), ['x'])
  t.strictSame(await hoursOf(server), [24, 24, 24])
})

t.test('a room is subscribed to while it has a follower on this node', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const subscribed = async () => Number((await server.client.pubsub('NUMSUB', 'fastify-chat:{a}:entries'))[1])
  const followers = await Promise.all([Follower.of(store, 'a'), Follower.of(store, 'a')])
  t.equal(await subscribed(), 1)
  followers[0]!.feed.stop()
  await fill(store, 'a', 1)
  await followers[1]!.until(() => followers[1]!.entries.length === 1)
  t.equal(await subscribed(), 1)
  followers[1]!.feed.stop()
  await eventually(async () => await subscribed() === 0)
  const again = await Follower.of(store, 'a')
  await fill(store, 'a', 1)
  await again.until(() => again.entries.length === 1)
})

t.test("an app's client selects the Redis and stays open", { skip }, async (t) => {
  const server = await redisServer(t)
  const app = fastify()
  await app.register(fastifyRedis, { path: server.socket, keyPrefix: 'app:', lazyConnect: false })
  const store = new RedisStore({ client: app.redis })
  await store.append('a', says('x'))
  await store.close()
  t.equal(await app.redis.set('mine', 1), 'OK')
  const clients = async () => (await server.client.client('LIST') as string).trim().split('\n').length
  await eventually(async () => await clients() <= 2)
  t.strictSame(await keysOf(server), ['app:mine', 'fastify-chat:{a}:log', 'fastify-chat:{a}:room'])
  const other = new RedisStore({ client: app.redis })
  await app.close()
  t.equal((await other.append('a', says('x'))).offset, 2, 'also when the app closes it first')
  await other.close()
})

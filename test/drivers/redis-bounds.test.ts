import t, { type Test } from 'tap'
import { resolveOptions, type RedisStoreOptions } from '../../src/drivers/redis/store/options.ts'
import { RoomIndex } from '../../src/drivers/redis/store/room-index.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { RedisClient } from '../../src/drivers/redis/client/client.ts'
import { eventually } from '../support/eventually.ts'
import { redisCluster, redisServer, skip, type RedisServer } from '../support/redis-server.ts'
import { tick } from '../support/tick.ts'
import { all, bodies, fill, reauthorization, says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'

const large = 'x'.repeat(15_900)

function open (t: Test, server: RedisServer, options: RedisStoreOptions = {}): RedisStore {
  const store = new RedisStore({ url: server.socket, ...options })
  t.teardown(() => store.close())
  return store
}

async function memory (server: RedisServer): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await server.client.info('memory'))![1])
}

async function charged (server: RedisServer, room: string): Promise<number> {
  return Number(await server.client.zscore('fastify-chat:{store}:bytes', room) ?? 0)
}

/** Counts the reads that run at once. */
function countReads (t: Test): { running: number, most: number } {
  const reads = { running: 0, most: 0 }
  const { run } = RedisClient.prototype
  t.intercept(RedisClient.prototype, 'run', {
    value: async function (this: RedisClient, ...args: Parameters<typeof run>) {
      if (args[0].name !== 'fastifyChatRead') return await run.apply(this, args)
      reads.most = Math.max(reads.most, ++reads.running)
      return await run.apply(this, args).finally(() => { reads.running-- })
    }
  })
  return reads
}

/** Bytes per room by which the hash tables of Redis, which double in size, distort the measurement of a few hundred rooms. */
const TABLES = 128

t.test("a room's charge is one to two times the memory that Redis uses for it", { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  await fill(store, 'warm', 1)
  const shapes: Record<string, { rooms: number, posts: number, body: string, keys?: boolean }> = {
    // So many that a buffer of a connection, of 16 KiB, doesn't matter.
    'one small entry': { rooms: 1_000, posts: 1, body: 'x' },
    'one large entry': { rooms: 100, posts: 1, body: large, keys: true },
    'small entries': { rooms: 5, posts: 900, body: 'x'.repeat(64) },
    'entries that JSON writes longer': { rooms: 5, posts: 200, body: '\u0000'.repeat(300) },
    'entries with ids': { rooms: 5, posts: 900, body: 'x'.repeat(20), keys: true },
    'large entries': { rooms: 5, posts: 100, body: 'x'.repeat(9_000), keys: true },
    'entries over half a block': { rooms: 5, posts: 200, body: 'x'.repeat(2_100) }
  }
  for (const [title, { rooms, posts, body, keys = false }] of Object.entries(shapes)) {
    const before = await memory(server)
    for (let room = 0; room < rooms; room++) {
      await Promise.all(Array.from({ length: posts }, (_, i) => store.append(`${title} ${room}`, says(body, {
        from: { id: 'x'.repeat(22), name: 'someone' }, ...keys && { key: `${'x'.repeat(22)} ${`${i}`.padStart(32, '0')}`, hash: '1234567890' }
      }))))
    }
    await eventually(async () => await charged(server, `${title} ${rooms - 1}`) !== 0)
    const taken = (await memory(server) - before) / rooms
    const charge = await charged(server, `${title} 0`)
    t.ok(charge + TABLES >= taken && charge <= 2 * taken, `${title}: ${Math.round(taken)} used, ${charge} charged`)
  }
})

t.test("a room's charge covers the memory that Redis uses for it, even with a long name", { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  await fill(store, 'warm', 1)
  await eventually(async () => await charged(server, 'warm') !== 0)
  for (const [posts, most] of [[0, 3], [1, 2]] as const) {
    const name = (room: number) => `${posts} ${'long'.repeat(63)} ${room}`
    const before = await memory(server)
    for (let room = 0; room < 500; room++) {
      await store.read(name(room), all)
      for (let post = 0; post < posts; post++) await store.append(name(room), says('x', { key: 'k', hash: 'h' }))
    }
    await eventually(async () => await charged(server, name(499)) !== 0)
    const taken = (await memory(server) - before) / 500
    const charge = await charged(server, name(0))
    t.ok(charge + TABLES >= taken && charge <= most * taken, `${posts} entries: ${Math.round(taken)} used, ${charge} charged`)
  }
})

for (const kind of ['one Redis', 'a Cluster']) {
  t.test(`beyond storeBytes the least recently used unfollowed rooms are evicted: ${kind}`, { skip }, async (t) => {
    const server = kind === 'one Redis' ? await redisServer(t) : undefined
    const client = server?.client ?? await redisCluster(t, 3)
    const stores = [1, 2].map(() => new RedisStore({ client, storeBytes: 1024 * 1024 }))
    t.teardown(() => Promise.all(stores.map((store) => store.close())))
    const [store, peer] = stores as [RedisStore, RedisStore]
    const isKept = async (room: string) => await client.exists(`fastify-chat:{${room}}:room`) === 1
    const follower = await Follower.of(peer, 'followed')
    await fill(store, 'followed', 1)
    await fill(store, 'first', 1)
    const { head } = await store.read('first', all)
    for (let i = 0; i < 200; i++) await fill(store, `room${i}`, 1, large)
    await eventually(async () => !await isKept('first'))
    await eventually(async () => Number(await client.zscore('fastify-chat:{store}:bytes', '')) >= -1024 * 1024)
    t.equal(await isKept('room199'), true)
    t.equal(await isKept('followed'), true)
    t.equal((await store.read('first', { ...all, after: head.position })).complete, false, 'a reader of the evicted room receives complete: false')
    await fill(store, 'followed', 1, 'end')
    await follower.has('end')
    t.strictSame(bodies(follower), ['x', 'end'])
    t.ok(follower.pages.every(({ complete }) => complete))
  })
}

t.test('if all rooms are followed, those with the most history lose its older half', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { storeBytes: 1024 * 1024 })
  const followers = await Promise.all(['heavy', 'light'].map((room) => Follower.of(store, room)))
  for (const room of ['heavy', 'light']) await fill(store, room, 1)
  await fill(store, 'heavy', 100, large)
  await eventually(async () => await server.client.xlen('fastify-chat:{heavy}:log') <= 60)
  t.equal(await server.client.xlen('fastify-chat:{light}:log'), 1)
  for (const [i, room] of ['heavy', 'light'].entries()) {
    await fill(store, room, 1, 'end')
    await followers[i]!.has('end')
    t.ok(followers[i]!.pages.every(({ complete }) => complete), `followers of '${room}' miss no entry`)
    t.equal((await store.append(room, says('x', { key: 'k', hash: 'h' }))).again, false)
    t.equal((await store.append(room, says('x', { key: 'k', hash: 'h' }))).again, true)
  }
})

for (const [title, options] of Object.entries({
  'with its limit from maxmemory': {},
  'with storeBytes above maxmemory': { storeBytes: 1024 * 1024 * 1024 }
})) {
  t.test(`a Redis flooded with new rooms stays usable for other rooms, ${title}`, { skip }, async (t) => {
    const maxMemory = 8 * 1024 * 1024
    const server = await redisServer(t, { args: ['--maxmemory', String(maxMemory), '--maxmemory-policy', 'noeviction'] })
    const [store, flooder] = [open(t, server, options), open(t, server, options)]
    const follower = await Follower.of(store, 'used')
    const load = { posted: 0, enough: 3 * maxMemory }
    const flood = async (poster: number) => {
      for (let i = 0; load.posted < load.enough; i++) {
        await flooder.append(`flood${poster}.${i}`, says(large)).then(() => { load.posted += large.length }, (error: Error & { code: string }) => {
          if (error.code !== 'FST_CHAT_UNAVAILABLE') throw error
        })
      }
    }
    const floods = Promise.all(Array.from({ length: 20 }, (_, poster) => flood(poster)))
    // No room is evicted in the first seconds of a connection.
    while (load.posted < 2 * maxMemory) await store.append('used', says('x')).catch(() => {})
    let count = 0
    while (load.posted < load.enough) {
      await store.append('used', says(`${++count}`))
      await store.append(`new${count}`, says('x'))
    }
    await floods
    await store.append('used', says('end'))
    await follower.has('end')
    t.strictSame(bodies(follower).filter((body) => body !== 'x'), [...Array.from({ length: count }, (_, i) => `${i + 1}`), 'end'])
    t.ok(follower.pages.every(({ complete }) => complete))
    await t.resolves(store.check())
  })
}

t.test('a Redis that is full when a node starts accepts posts at once', { skip }, async (t) => {
  const server = await redisServer(t)
  const before = open(t, server)
  for (let i = 0; i < 200; i++) await fill(before, `room${i}`, 1, large)
  await eventually(async () => await charged(server, 'room199') !== 0)
  await before.close()
  await server.client.config('SET', 'maxmemory', await memory(server))
  const store = open(t, server)
  await t.resolves(store.append('new', says('x')))
  await t.resolves(store.read('room199', all))
})

t.test('reads beyond readBytes wait until there is memory for their pages', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { readBytes: 300_000 })
  for (let i = 0; i < 20; i++) await fill(store, `room${i}`, 3, large)
  const reads = countReads(t)
  const query = { limit: 10, maxBytes: 16_384 }
  const pages = await Promise.all(Array.from({ length: 200 }, (_, i) => store.read(`room${i % 20}`, query)))
  t.ok(pages.every(({ entries }) => entries.length === 1))
  t.equal(reads.most, 2)
  t.equal((await store.read('room0', all)).entries.length, 3, 'a single read larger than readBytes is answered')
})

t.test('single entries are read at once, however large historyBytes is', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const positions = await fill(store, 'a', 50, large)
  const reads = countReads(t)
  const entries = await Promise.all(positions.map((position) => store.get('a', position)))
  t.strictSame(entries.map((entry) => entry?.position), positions)
  t.equal(reads.most, 50)
})

t.test('reads that wait for an unresponsive Redis are refused', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { readBytes: 1, timeout: 200 })
  await store.append('a', says('x'))
  process.kill(server.pid, 'SIGSTOP')
  t.teardown(() => process.kill(server.pid, 'SIGCONT'))
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => store.read('a', all)))
  t.ok(outcomes.every((outcome) => outcome.status === 'rejected' && (outcome.reason as { code: string }).code === 'FST_CHAT_UNAVAILABLE'))
  process.kill(server.pid, 'SIGCONT')
  // While Redis is known to be away, a check rejects without a turn of the event loop.
  while (await store.check().then(() => false, () => true)) await tick()
  t.strictSame(bodies(await store.read('a', all)), ['x'])
})

for (const [title, lose] of Object.entries({
  'in a full Redis': async (server: RedisServer) => { await server.client.config('SET', 'maxmemory', await memory(server)) },
  'beyond storeBytes': async () => {}
})) {
  t.test(`rooms whose index was lost are evicted like others: ${title}`, { skip }, async (t) => {
    const server = await redisServer(t)
    const store = open(t, server, { prefix: 'a*[b]', storeBytes: 2 * 1024 * 1024 })
    for (let i = 0; i < 100; i++) await fill(store, `room${i}`, 1, large)
    const index = ['used', 'bytes'].map((rest) => `a*[b]:{store}:${rest}`)
    const isIndexed = async (room: string) => await server.client.zscore(index[0]!, room) !== null
    await eventually(() => isIndexed('room99'))
    await server.client.del(index)
    await lose(server)
    await t.resolves(store.append('new', says(large)))
    await t.resolves(store.append('newer', says(large)))
    await eventually(() => isIndexed('room99'))
    for (let i = 0; i < 50; i++) await fill(store, `other${i}`, 1, large)
    await eventually(async () => await server.client.exists('a*[b]:{room0}:room') !== 1)
    t.equal(await server.client.exists('a*[b]:{new}:room'), 1)
  })
}

t.test('a room that was read since its last post is found again with its last use', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  await fill(store, 'a', 1)
  const month = 31 * 24 * 3_600_000
  const [id] = (await server.client.xrange('fastify-chat:{a}:log', '-', '+'))[0]!
  const at = Number(id.split('-')[0]) - month
  await server.client.hset('fastify-chat:{a}:room', 'born', at, 'at', at, 'renewed', at)
  await store.read('a', all)
  await eventually(async () => await charged(server, 'a') > 0)
  await server.client.del('fastify-chat:{store}:used', 'fastify-chat:{store}:bytes')
  await fill(store, 'b', 1)
  await eventually(async () => await charged(server, 'a') > 0)
  t.ok(Date.now() - Number(await server.client.zscore('fastify-chat:{store}:used', 'a')) < 60_000)
})

t.test('the index charges a cleared room as an empty one, and no room that is gone', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  await fill(store, 'a', 10, large)
  await store.read('empty', all)
  await eventually(async () => await charged(server, 'a') > 10 * large.length && await charged(server, 'empty') > 0)
  await store.clear('a')
  await eventually(async () => await charged(server, 'a') < 2_000)
  t.ok(await charged(server, 'a') > 0)
  await server.client.del('fastify-chat:{empty}:room')
  await store.clear('empty')
  await eventually(async () => await charged(server, 'empty') === 0)
  t.equal(await charged(server, ''), -await charged(server, 'a'))
})

/** Moves the last uses of all rooms in the index into the past. */
async function ageIndex (server: RedisServer, ms: number): Promise<void> {
  for (const key of ['used', 'empty'].map((rest) => `fastify-chat:{store}:${rest}`)) {
    for (const room of await server.client.zrange(key, 0, '-1')) await server.client.zincrby(key, -ms, room)
  }
}

t.test('an empty room is charged until it expires, a room with entries longer', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  for (const room of ['read', 'posted', 'later']) await store.read(room, all)
  await store.control('controlled', reauthorization)
  await store.append('posted', says('x'))
  const rooms = ['read', 'controlled', 'posted', 'later']
  const charges = async () => await Promise.all(rooms.map(async (room) => await charged(server, room) > 0))
  await eventually(async () => !(await charges()).includes(false))
  await store.append('later', says('x'))
  await eventually(async () => await server.client.zscore('fastify-chat:{store}:empty', 'later') === null)
  await ageIndex(server, 3_500_000)
  await store.read('other', all)
  await eventually(async () => await charged(server, 'other') > 0)
  t.strictSame(await charges(), [true, true, true, true])
  await ageIndex(server, 200_000)
  await store.read('another', all)
  await eventually(async () => await charged(server, 'another') > 0)
  t.strictSame(await charges(), [false, false, true, true])
  const sum = await Promise.all(['posted', 'later', 'other', 'another'].map(async (room) => await charged(server, room)))
  t.equal(await charged(server, ''), -sum.reduce((a, b) => a + b))
})

t.test('a room with a first post by another node is charged as one with entries', { skip }, async (t) => {
  const server = await redisServer(t)
  const client = new RedisClient({ url: server.socket })
  t.teardown(() => client.close())
  const index = new RoomIndex(client, 'x', resolveOptions({}).room)
  // A node writes its read of an empty room after another one has written the first post.
  await index.update([['late', 5_000, false]], Infinity)
  await index.update([['late', 1_800, true], ['evicted', 1_800, true]], Infinity)
  // A version without this set writes the first post.
  await index.update([['earlier', 1_800, true]], Infinity)
  await server.client.zincrby('fastify-chat:{store}:used', 1, 'earlier')
  // An eviction found an empty room in use.
  await ageIndex(server, 3_500_000)
  await index.update([['evicted', 1_800]], Infinity)
  await ageIndex(server, 3_500_000)
  await index.update([], Infinity)
  const charges = async () => await Promise.all(['late', 'earlier', 'evicted'].map(async (room) => await charged(server, room)))
  t.strictSame(await charges(), [1_800, 1_800, 1_800])
  t.strictSame(await server.client.zrange('fastify-chat:{store}:empty', 0, '-1'), ['evicted'])
  await ageIndex(server, 200_000)
  await index.update([], Infinity)
  t.strictSame(await charges(), [1_800, 1_800, 0])
})

t.test('many empty rooms that expired leave the index with its next updates', { skip }, async (t) => {
  const server = await redisServer(t)
  const client = new RedisClient({ url: server.socket })
  t.teardown(() => client.close())
  const index = new RoomIndex(client, 'x', resolveOptions({}).room)
  for (let i = 0; i < 5; i++) await index.update(upTo(50).map((j) => [`${i}.${j}`, 1_800, true] as const), Infinity)
  await ageIndex(server, 3_700_000)
  const { rooms: before } = await index.update([], Infinity)
  t.ok(before < 250)
  await index.update([], Infinity)
  t.match(await index.update([], Infinity), { rooms: 0, total: 0 })
  t.equal(await server.client.exists('fastify-chat:{store}:empty'), 0)
})

t.test('a probe that Redis rejects no longer counts towards inFlight', { skip }, async (t) => {
  const server = await redisServer(t)
  const client = new RedisClient({ url: server.socket, inFlight: 1 })
  t.teardown(() => client.close())
  const key = client.key('a', 'text')
  await client.command('SET', key, '')
  await t.rejects(client.probe('HGET', key, ''), { message: /^WRONGTYPE/ })
  t.equal(await client.command('GET', key), '')
})

import { readFileSync, readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import fastify from 'fastify'
import type { Cluster, Redis } from 'ioredis'
import { open as openLmdb } from 'lmdb'
import t, { type Test } from 'tap'
import type { Backend, OpenBackend } from '../../src/backend.ts'
import { bodies, deletion, says } from '../../src/contract/store/entries.ts'
import { lmdb } from '../../src/drivers/lmdb/backend.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { redis } from '../../src/drivers/redis/backend.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { directory } from '../support/directory.ts'
import { eventually } from '../support/eventually.ts'
import { proxy } from '../support/proxy.ts'
import { redisCluster, redisServer, skip } from '../support/redis-server.ts'
import { tick } from '../support/tick.ts'

const all = { limit: 1_000, maxBytes: 1_000_000 }
const member = { id: 'ada', name: 'ada' }

async function opened (t: Test, backend: Backend): Promise<OpenBackend> {
  const open = await backend.open(fastify())
  t.teardown(() => open.close())
  return open
}

t.test('a wrong option is rejected by name when the backend is made', async (t) => {
  const history = { historyEntries: [0, 1.5, '1', NaN], historyBytes: [0, -1, null], historyAge: [0, null], dedupWindow: [-1, Infinity] }
  const bounds = { ...history, storeBytes: [0, -1, null, '1'], grace: [-1, Infinity] }
  const factories: Array<[name: string, make: (options: object) => Backend, wrong: Record<string, unknown[]>]> = [
    ['memory', (options) => memory(options), { ...bounds, roomTtl: [0, null], rooms: [1], coalesce: [1], listed: [1], histories: [1] }],
    ['lmdb', (options) => lmdb({ path: 'data', ...options }), {
      ...bounds,
      path: [undefined, '', 1],
      roomTtl: [0, -1, null],
      inFlight: [0],
      inFlightBytes: [0],
      cacheBytes: [0, '1'],
      verify: [1, null],
      commitTimeout: [1],
      histories: [1]
    }],
    ['redis', (options) => redis(options), {
      ...bounds,
      roomTtl: [0, -1, null],
      inFlight: [0, null],
      inFlightBytes: [0],
      readBytes: [0, '1'],
      timeout: [0, Infinity],
      prefix: [1, 'a{b}'],
      url: [1, ''],
      client: ['redis://127.0.0.1', null, {}],
      lease: [0, 2 ** 31],
      lookInterval: [1],
      histories: [1]
    }]
  ]
  for (const [factory, make, wrong] of factories) {
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        t.throws(() => make({ [name]: value }), { code: 'FST_CHAT_INVALID_OPTION', message: new RegExp(`'${name}'`) }, `${factory}, ${name}: ${String(value)}`)
      }
    }
    t.throws(() => make({ storeBytes: 2 ** 20 }), {
      code: 'FST_CHAT_INVALID_OPTION',
      message: "fastify-chat: option 'storeBytes' is 1048576, too little for historyBytes, which is 4194304: raise the one or lower the other"
    }, `${factory}: one room can take more than all of them`)
    t.doesNotThrow(() => make({ roomTtl: Infinity }), `${factory}: rooms are kept for ever`)
    t.doesNotThrow(() => make({ storeBytes: 2 ** 20, historyBytes: Infinity }), `${factory}: a bound that is switched off contradicts nothing`)
  }
  t.throws(() => (lmdb as (options?: object) => Backend)(), { code: 'FST_CHAT_INVALID_OPTION', message: /'path'/ })
})

t.test('a directory of another format is rejected with both numbers, and stays as it is', async (t) => {
  for (const [number, found] of [[1, 1], [5, 5], [undefined, 0]] as const) {
    const path = directory(t)
    const backend = lmdb({ path })
    const before = await backend.open(fastify())
    await before.store.append('a', says('kept'))
    await before.close()
    const change = async (to: number | undefined) => {
      const root = openLmdb({ path, noSubdir: false })
      const format = root.openDB<number, string>('format', { encoding: 'json' })
      if (to === undefined) await format.remove('number')
      else await format.put('number', to)
      await root.close()
    }
    await change(number)
    for (let i = 0; i < 2; i++) {
      await t.rejects(backend.open(fastify()), {
        code: 'FST_CHAT_STORE_FORMAT',
        message: new RegExp(`^the data in '.*' has format ${found}, but this version reads and writes format 4`)
      })
    }
    await change(4)
    const { store } = await opened(t, backend)
    t.strictSame(bodies(await store.read('a', all)), ['kept'])
  }
})

t.test("another app's environment is rejected, and stays as it is", async (t) => {
  for (const names of [['rooms'], ['rooms', 'owner'], ['owner', 'format']]) {
    const path = directory(t)
    const root = openLmdb({ path, noSubdir: false })
    for (const name of names) await root.openDB(name, { encoding: 'json', useVersions: true }).put('key', 'of the app')
    await root.close()
    const data = () => readFileSync(join(path, 'data.mdb'))
    const before = data()
    await t.rejects(lmdb({ path }).open(fastify()), {
      code: 'FST_CHAT_STORE_FORMAT',
      message: `the data in '${realpathSync(path)}' has format 0, but this version reads and writes format 4: use the version that wrote it, or another place`
    })
    t.ok(data().equals(before), names.join())
    t.strictSame(readdirSync(path).sort(), ['data.mdb', 'lock.mdb'])
  }
})

t.test('an environment that a crash left without its first entry is used', async (t) => {
  const path = directory(t)
  const root = openLmdb({ path, noSubdir: false })
  root.openDB('format', { encoding: 'json' })
  await root.close()
  const { store } = await opened(t, lmdb({ path }))
  await store.append('a', says('kept'))
  t.strictSame(bodies(await store.read('a', all)), ['kept'])
})

t.test('Redis', { skip }, async (t) => {
  const server = await redisServer(t)
  const url = server.socket
  const other = { code: 'FST_CHAT_STORE_FORMAT', message: /^the data in Redis under the prefix 'chat\d*' has format 2, but this version reads and writes format 1/ }

  /** Stores a message. Resolves when the index of rooms and the number are written. There is no event for it, so it polls. */
  async function numbered ({ store }: OpenBackend, prefix: string, { client }: { client: Redis | Cluster } = server): Promise<void> {
    await store.append('a', says('kept'))
    await eventually(async () => await client.exists(`${prefix}:{store}:used`) !== 0)
  }

  t.test('data of another format is rejected with both numbers, and stays as it is', async (t) => {
    const backend = redis({ url, prefix: 'chat1' })
    await numbered(await opened(t, backend), 'chat1')
    t.equal(await server.client.get('chat1:{store}:format'), '1')
    await server.client.set('chat1:{store}:format', '2')
    await t.rejects(backend.open(fastify()), other)
    t.equal(await server.client.get('chat1:{store}:format'), '2')
    const beside = await opened(t, redis({ url, prefix: 'another' }))
    await t.resolves(beside.store.check(), 'another prefix is other data')
  })

  t.test('data without a number has format 0', async (t) => {
    const backend = redis({ url, prefix: 'chat2' })
    const before = await backend.open(fastify())
    await numbered(before, 'chat2')
    await before.close()
    await server.client.del('chat2:{store}:format')
    await t.rejects(backend.open(fastify()), { code: 'FST_CHAT_STORE_FORMAT', message: /has format 0/ })
  })

  t.test('the number is written again after the data was lost', async (t) => {
    const backend = redis({ url, prefix: 'chat3' })
    const before = await opened(t, backend)
    await numbered(before, 'chat3')
    await server.client.flushall()
    await numbered(before, 'chat3')
    await t.resolves(opened(t, backend))
  })

  t.test('a backend opens without Redis, and rejects all calls when it comes with another format', async (t) => {
    const network = await proxy(t, 0)
    network.target = undefined
    const { store, roster } = await opened(t, redis({ url: `redis://127.0.0.1:${network.port}`, prefix: 'chat', timeout: 500 }))
    await t.rejects(store.check(), { code: 'FST_CHAT_UNAVAILABLE' })
    await t.rejects(roster.check(), { code: 'FST_CHAT_UNAVAILABLE' })

    const late = await redisServer(t, { tcp: true })
    await late.client.set('chat:{store}:format', '2')
    network.target = late.port!
    const rejection = async (call: () => Promise<unknown>): Promise<unknown> => {
      for (;;) {
        const error = await call().then(() => undefined, (error: unknown) => error)
        if ((error as { code?: string } | undefined)?.code !== 'FST_CHAT_UNAVAILABLE') return error
        await tick()
      }
    }
    const calls: Record<string, () => Promise<unknown>> = {
      'store.check': () => store.check(),
      append: () => store.append('a', says('x')),
      find: () => store.find('a', 'key'),
      read: () => store.read('a', all),
      follow: () => store.follow('a', () => {}),
      get: () => store.get('a', 'e-1-1'),
      amend: () => store.amend('a', 'e-1-1', deletion),
      clear: () => store.clear('a'),
      'roster.check': () => roster.check(),
      enter: () => roster.enter('a', 'connection', member),
      leave: () => roster.leave('a', 'connection'),
      watch: () => roster.watch('a', () => {}),
      listen: () => roster.listen('a', () => {}),
      restrict: () => roster.restrict('ada', { kind: 'ban', duration: 1_000, reason: '' }),
      restrictions: () => roster.restrictions(['ada'])
    }
    for (const [name, call] of Object.entries(calls)) t.match(await rejection(call), other, name)
    t.strictSame(await late.client.keys('*'), ['chat:{store}:format'], 'nothing was written')
  })

  t.test('after a disconnect the data is checked again', async (t) => {
    const store = new RedisStore({ url, prefix: 'chat4' })
    t.teardown(() => store.close())
    await store.append('a', says('x'))
    await server.client.set('chat4:{store}:format', '2')
    await server.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    for (;;) {
      const error = await store.append('a', says('x')).then(() => undefined, (error: unknown) => error) as { code?: string } | undefined
      if (error?.code === 'FST_CHAT_STORE_FORMAT') break
      await tick()
    }
    t.pass('it is rejected')
  })

  t.test('a user whose rights end at the prefix, and a Cluster', async (t) => {
    await server.client.call('ACL', 'SETUSER', 'ada', 'on', '>secret', '~fastify-chat:*', '&fastify-chat:*', '+@all', '-@admin', '-@dangerous')
    const cluster = await redisCluster(t, 2)
    for (const [backend, client] of [[redis({ url: `${url}?username=ada&password=secret` }), server.client], [redis({ client: cluster }), cluster]] as const) {
      const before = await backend.open(fastify())
      await numbered(before, 'fastify-chat', { client })
      await before.close()
      const { store } = await opened(t, backend)
      t.strictSame(bodies(await store.read('a', all)), ['kept'])
    }
  })
})

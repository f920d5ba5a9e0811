import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import fastifyChat, { memory, type Backend, type Chat, type OpenBackend } from '../../src/index.ts'
import { lmdb } from '../../src/drivers/lmdb/backend.ts'
import { redis } from '../../src/drivers/redis/backend.ts'
import { directory } from '../support/directory.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { gate } from '../support/gate.ts'

/** An own backend that counts its opens and closes. Messages stay in memory between a close and the next open. */
function counting ({ opening, closing }: { opening?: () => Promise<void>, closing?: () => Promise<void> } = {}) {
  const calls: string[] = []
  const backend: Backend = {
    async open (app) {
      calls.push('open')
      await opening?.()
      const { close, ...open } = await memory().open(app)
      return {
        ...open,
        async close () {
          calls.push('close')
          await closing?.()
          await close()
          calls.push('closed')
        }
      }
    }
  }
  return { backend, calls }
}

/** Returns an app, closed with the test, and its register call. */
function server (t: Test, backend: Backend, prefix = '') {
  const app = Fastify()
  t.teardown(() => app.close())
  return { app, registered: register(app, backend, prefix) }
}

/** Registers a chat in a scope of its own. Resolves with the chat. */
async function register (app: FastifyInstance, backend: Backend, prefix = ''): Promise<Chat> {
  let chat!: Chat
  await app.register(async (scope) => {
    await scope.register(fastifyChat, { backend })
    chat = scope.chat
  }, { prefix })
  return chat
}

async function history (chat: Chat): Promise<unknown[]> {
  return (await chat.history('lobby')).entries.map(({ text }) => text)
}

const kinds: Array<[name: string, keeps: boolean, skipped: string | false, make: (t: Test) => Backend | Promise<Backend>]> = [
  ['memory', false, false, () => memory()],
  ['lmdb', true, false, (t) => lmdb({ path: directory(t) })],
  ['redis', true, skip, async (t) => redis({ url: (await redisServer(t)).socket })],
  ['an own backend', false, false, () => counting().backend]
]

for (const [name, keeps, skipped, make] of kinds) {
  t.test(`${name}: chats of two apps share a backend, which is closed with the last and opened again`, { skip: skipped }, async (t) => {
    const backend = await make(t)
    const [one, other] = [server(t, backend), server(t, backend)]
    const [first, second] = await Promise.all([one.registered, other.registered])
    await first.publish('lobby', { text: 'hello' })
    t.strictSame(await history(second), ['hello'], 'they share rooms')
    await one.app.close()
    t.strictSame(await history(second), ['hello'], 'it is open while one uses it')
    await other.app.close()
    const later = server(t, backend)
    t.strictSame(await history(await later.registered), keeps ? ['hello'] : [])
    await t.resolves((await later.registered).check())
  })

  t.test(`${name}: siblings share a backend`, { skip: skipped }, async (t) => {
    const backend = await make(t)
    const { app, registered } = server(t, backend, '/red')
    const red = await registered
    const blue = await register(app, backend, '/blue')
    await red.publish('lobby', { text: 'hello' })
    t.strictSame(await history(blue), ['hello'])
  })
}

t.test('chats that are registered at once open a backend once', async (t) => {
  const started = gate()
  const { backend, calls } = counting({ opening: () => started.pass() })
  const servers = [server(t, backend), server(t, backend), server(t, backend)]
  await started.reached
  started.open()
  await Promise.all(servers.map(({ registered }) => registered))
  t.strictSame(calls, ['open'])
  await Promise.all(servers.map(({ app }) => app.close()))
  t.strictSame(calls, ['open', 'close', 'closed'])
})

t.test('a chat that is registered during a close waits for its end', async (t) => {
  const ended = gate()
  const { backend, calls } = counting({ closing: () => ended.pass() })
  const before = server(t, backend)
  await before.registered
  const closed = before.app.close()
  await ended.reached
  const later = server(t, backend)
  t.strictSame(calls, ['open', 'close'])
  ended.open()
  await Promise.all([closed, later.registered])
  t.strictSame(calls, ['open', 'close', 'closed', 'open'])
})

t.test('a chat whose register fails after the open releases the backend', async (t) => {
  const { backend, calls } = counting()
  const app = Fastify()
  t.teardown(() => app.close())
  app.get('/chat', () => 'taken')
  await t.rejects(async () => { await app.register(fastifyChat, { backend }) }, { code: 'FST_CHAT_PATH_TAKEN' })
  t.strictSame(calls, ['open', 'close', 'closed'])
  await app.close()
  t.strictSame(calls, ['open', 'close', 'closed'], 'it is closed once')
})

t.test('register rejects with the error of open, and a later register opens again', async (t) => {
  let isBroken = true
  const broken = Object.assign(new Error('broken'), { code: 'BROKEN' })
  const { backend, calls } = counting({ opening: async () => { if (isBroken) throw broken } })
  const [one, other] = [server(t, backend), server(t, backend)]
  await Promise.all([one, other].map(async ({ registered }) => await t.rejects(registered, broken)))
  t.strictSame(calls, ['open'])
  isBroken = false
  await server(t, backend).registered
  t.strictSame(calls, ['open', 'open'])
})

t.test('a directory in use is rejected at register', async (t) => {
  const path = directory(t)
  await server(t, lmdb({ path })).registered
  await t.rejects(server(t, lmdb({ path })).registered, { code: 'FST_CHAT_STORE_IN_USE' }, 'another object is another backend')
})

t.test('a close that fails rejects app.close(), and the backend can be opened again', async (t) => {
  let fails = true
  const { backend, calls } = counting({ closing: async () => { if (fails) throw new Error('stuck') } })
  const app = Fastify()
  await register(app, backend)
  await t.rejects(app.close(), { message: 'stuck' })
  fails = false
  await server(t, backend).registered
  t.strictSame(calls, ['open', 'close', 'open'])
})

t.test('what an own backend opens is checked by name', async (t) => {
  const works = await memory().open(Fastify())
  t.teardown(() => works.close())
  const wrong: Array<[name: string, opened: unknown]> = [
    ['backend.store', undefined],
    ['backend.store', null],
    ['backend.store', { ...works, store: {} }],
    ['backend.roster', { ...works, roster: undefined }],
    ['backend.maxPayload', { ...works, maxPayload: -1 }],
    ['backend.close', { ...works, close: undefined }]
  ]
  for (const [name, opened] of wrong) {
    const backend = { open: async () => opened as OpenBackend }
    await t.rejects(server(t, backend).registered, { code: 'FST_CHAT_INVALID_OPTION', message: new RegExp(`'${name}'`) }, name)
  }
})

t.test("the result of an own backend is closed if it isn't an OpenBackend", async (t) => {
  const { roster, store } = await memory().open(Fastify())
  for (const closing of [async () => {}, async () => { throw new Error('stuck') }, () => { throw new Error('stuck') }]) {
    let closed = 0
    const opened = { roster, store: { ...store, find: undefined }, close () { closed++; return closing() } }
    const backend = { open: async () => opened as unknown as OpenBackend }
    for (const times of [1, 2]) {
      await t.rejects(server(t, backend).registered, { code: 'FST_CHAT_INVALID_OPTION', message: /'backend\.store'/ })
      t.equal(closed, times)
    }
  }
})

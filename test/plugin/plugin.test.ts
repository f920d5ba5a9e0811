import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { connect } from '../../src/testing.ts'
import { works } from '../support/app-checks.ts'
import { bare, build, listen } from '../support/app.ts'
import { open } from '../support/websocket-client.ts'
import { backendOf } from '../support/backend.ts'

const quiet: FastifyChatOptions = { chat: { greeting: false } }

t.test('register', async (t) => {
  t.test('one register adds echo, chat, a page and app.chat', async (t) => {
    const app = await build(t)
    t.ok(app.hasDecorator('chat'))
    const port = await listen(app)
    await works(t, port)
    t.equal((await app.inject('/demo/')).statusCode, 200)
  })

  t.test('echo, chat and the page can be switched off or moved', async (t) => {
    const status = async (options: FastifyChatOptions, url: string) => (await (await build(t, options)).inject(url)).statusCode
    t.equal(await status({ echo: false }, '/echo'), 404)
    t.equal(await status({ chat: false }, '/chat'), 404)
    t.equal(await status({ echo: { path: '/ws/echo' } }, '/ws/echo'), 426)
    t.equal(await status({ echo: { path: '/ws/echo' } }, '/echo'), 404)
    t.equal(await status({ chat: { path: '/' } }, '/'), 426)
    await t.resolves(build(t, { chat: false, echo: false, page: false }))
  })

  for (const [prefix, given] of [['/live', '/live'], ['/live', '/live/'], ['/live', 'live'], ['', ''], ['', '/']] as const) {
    t.test(`the prefix '${given}' applies to echo, chat and the page`, async (t) => {
      const app = bare(t)
      await app.register(fastifyChat, { prefix: given })
      const port = await listen(app)
      await works(t, port, prefix)
      t.equal((await app.inject(`${prefix}/demo/`)).statusCode, 200)
      if (prefix !== '') for (const url of ['/chat', '/echo', '/demo/']) t.equal((await app.inject(url)).statusCode, 404)
    })
  }

  t.test('a prefix is appended to the prefix of the scope', async (t) => {
    const app = bare(t)
    await app.register(async (scope) => { await scope.register(fastifyChat, { prefix: '/live' }) }, { prefix: '/v1' })
    await works(t, await listen(app), '/v1/live')
  })

  t.test("logLevel and logSerializers apply to the plugin's routes only", async (t) => {
    const app = bare(t)
    await app.register(fastifyChat, {
      logLevel: 'error',
      logSerializers: { err: (error: Error) => `serialized ${error.message}` },
      echo: { reply: () => { throw new Error('boom') } }
    })
    app.get('/other', async () => 'other')
    await app.inject('/other')
    await app.inject('/demo/')
    const { send, closed } = await connect(app, '/echo')
    send('hi')
    t.match(await closed, { code: 1011 })
    const logs = app.lines.filter(({ reqId }) => reqId !== undefined)
    t.strictSame([...new Set(logs.filter(({ level }) => level < 50).map(({ reqId }) => reqId))].length, 1, 'only one request is logged below error')
    t.match(logs.find(({ level }) => level === 50), { err: 'serialized boom' })
  })

  t.test('app.chat is visible in its scope and in inner scopes, not outside', async (t) => {
    const app = bare(t)
    await app.register(async (scope) => {
      await scope.register(fastifyChat)
      await scope.register(async (inner) => { t.equal(inner.chat, scope.chat) })
    })
    t.notOk(app.hasDecorator('chat'))
  })

  t.test('a second register is rejected where app.chat is visible', async (t) => {
    const second: Array<[where: string, register: (app: FastifyInstance) => Promise<void>]> = [
      ['in the same scope', async (app) => { await app.register(fastifyChat) }],
      ['with a prefix of its own', async (app) => { await app.register(fastifyChat, { prefix: '/other' }) }],
      ['in a scope within', async (app) => { await app.register(async (scope) => { await scope.register(fastifyChat) }, { prefix: '/other' }) }]
    ]
    for (const [where, register] of second) {
      const app = await build(t)
      await t.rejects(register(app), { code: 'FST_CHAT_ALREADY_REGISTERED', message: /sibling scope.*prefix/ }, where)
    }
  })

  t.test('a store passed as an option stays open when the app closes', async (t) => {
    const store = new MemoryStore()
    t.teardown(() => store.close())
    const app = await build(t, { backend: backendOf({ store }) })
    await app.chat.publish('lobby', { text: 'kept' })
    await app.close()
    t.match(await store.read('lobby', { limit: 1, maxBytes: 1_000 }), { entries: [{ body: 'kept' }] })
  })
})

t.test('two chats in one app', async (t) => {
  /** Registers two siblings, each with a prefix, in an app with or without its own `@fastify/websocket`. */
  async function siblings (t: Test, own: boolean, options: FastifyChatOptions = quiet) {
    const app = bare(t)
    if (own) await app.register(fastifyWebsocket)
    const scopes: FastifyInstance[] = []
    for (const prefix of ['/red', '/blue']) {
      await app.register(async (scope) => {
        await scope.register(fastifyChat, options)
        scopes.push(scope)
      }, { prefix })
    }
    return { app, scopes }
  }

  for (const own of [false, true]) {
    const where = own ? "with the app's own @fastify/websocket" : 'without another @fastify/websocket'

    t.test(`siblings are chats with separate rooms, over TCP, ${where}`, async (t) => {
      const { app, scopes } = await siblings(t, own)
      const port = await listen(app)
      const [red, blue, red2, blue2] = await Promise.all(['red', 'blue', 'red', 'blue'].map(
        (colour) => open(t, `ws://127.0.0.1:${port}/${colour}/chat?room=hall`)))
      red!.socket.send('to red')
      t.equal(await red2!.next(), 'to red')
      t.equal(await red!.next(), 'to red')
      await scopes[1]!.chat.publish('hall', { text: 'to blue' })
      for (const client of [blue!, blue2!]) t.equal(await client.next(), 'to blue', 'the first message that it receives')
      for (const { chat } of scopes) t.strictSame(chat.rooms(), ['hall'])
      const echo = await open(t, `ws://127.0.0.1:${port}/blue/echo`)
      echo.socket.send('hi')
      t.equal(await echo.next(), 'hi')
      t.notOk(app.lines.some(({ level }) => level >= 40), 'no warnings')

      const clients = [red!, blue!, red2!, blue2!, echo]
      await app.close()
      for (const { closed } of clients) t.match(await closed, { code: 1001 })
    })

    t.test(`siblings are separate chats, injected, ${where}`, async (t) => {
      const { app, scopes } = await siblings(t, own)
      await app.ready()
      for (const [i, colour] of ['red', 'blue'].entries()) {
        const [one, other] = [await connect(scopes[i]!, `/${colour}/chat`), await connect(scopes[i]!, `/${colour}/chat`)]
        one.send(`to ${colour}`)
        t.equal(await other.next(), `to ${colour}`)
        await t.rejects(connect(scopes[i]!, `/${colour}/chat?room=`), { message: /400/ })
        await t.rejects(connect(scopes[i]!, '/nowhere'), { message: /404/ })
      }
      const crossed = await connect(scopes[0]!, '/blue/echo')
      crossed.send('hi')
      t.equal(await crossed.next(), 'hi')
      t.notOk(app.lines.some(({ level, msg }) => level >= 40 && msg !== 'refused'), 'no warnings')
      await app.close()
      t.match(await crossed.closed, { code: 1001 })
    })
  }

  t.test('siblings that share a backend share their rooms', async (t) => {
    const { app } = await siblings(t, false, { ...quiet, backend: memory() })
    const port = await listen(app)
    const red = await open(t, `ws://127.0.0.1:${port}/red/chat`)
    const blue = await open(t, `ws://127.0.0.1:${port}/blue/chat`)
    blue.socket.send('hello')
    t.equal(await red.next(), 'hello')
  })

  t.test('a chat in a scope and a later one at the root are two chats', async (t) => {
    const app = bare(t)
    await app.register(async (scope) => { await scope.register(fastifyChat) }, { prefix: '/inner' })
    await app.register(fastifyChat)
    const port = await listen(app)
    await works(t, port)
    await works(t, port, '/inner')
    t.notOk(app.lines.some(({ level }) => level >= 40))
  })

  t.test('chats for different hosts are two chats', async (t) => {
    const app = bare(t)
    for (const host of ['red.example', 'blue.example']) {
      await app.register(async (scope) => {
        await scope.register(fastifyChat, { page: false, chat: { greeting: host }, routeOptions: { constraints: { host } } })
      })
    }
    const port = await listen(app)
    for (const host of ['red.example', 'blue.example']) {
      t.equal(await (await open(t, `ws://127.0.0.1:${port}/chat`, { headers: { host } })).next(), host)
    }
  })
})

t.test('apps with other settings', async (t) => {
  const apps: Array<[what: string, make: (t: Test) => FastifyInstance]> = [
    ['without a logger', (t) => closing(t, Fastify({ logger: false }))],
    ['without request logging', (t) => bare(t, { disableRequestLogging: true })],
    ['that trusts its proxy', (t) => bare(t, { trustProxy: true })],
    ['with a validator compiler of its own', (t) => {
      const app = bare(t)
      app.setValidatorCompiler(({ schema }) => { throw new Error(`unknown schema ${JSON.stringify(schema)}`) })
      app.setSerializerCompiler(({ schema }) => { throw new Error(`unknown schema ${JSON.stringify(schema)}`) })
      return app
    }],
    ['whose query parser returns objects without a prototype', (t) => bare(t, { routerOptions: { querystringParser: (text) => Object.assign(Object.create(null), Object.fromEntries(new URLSearchParams(text))) as Record<string, string> } })],
    ['with a server of its own', (t) => bare(t, { serverFactory: (handler) => createServer(handler as RequestListener) })],
    ['without a pluginTimeout', (t) => bare(t, { pluginTimeout: 0 })],
    ['with rewriteUrl', (t) => bare(t, { rewriteUrl: ({ url }) => url!.replace(/^\/base/, '') })],
    ['with hooks for responses', (t) => {
      const app = bare(t)
      for (const hook of ['onSend', 'onResponse', 'preSerialization'] as const) app.addHook(hook as 'onResponse', async () => {})
      return app
    }]
  ]
  for (const [what, make] of apps) {
    t.test(what, async (t) => {
      const app = make(t)
      await app.register(fastifyChat)
      const port = await listen(app)
      await works(t, port)
      t.equal((await app.inject('/demo/config.json')).statusCode, 200)
      t.equal((await app.inject('/chat')).statusCode, 426)
      const { next } = await connect(app, '/chat')
      t.equal(await next(), 'connected to WebSocket server')
    })
  }

  t.test('listening on localhost, at each of its addresses', async (t) => {
    const app = await build(t)
    await app.listen({ port: 0, host: 'localhost' })
    for (const { address, family, port } of app.addresses() as AddressInfo[]) {
      const { socket, next, closed } = await open(t, `ws://${family === 'IPv6' ? `[${address}]` : address}:${port}/echo`)
      socket.send(address)
      t.equal(await next(), address)
      socket.close()
      await closed
    }
  })

  t.test('with HTTP/2 and allowHTTP1: HTTP/1.1 upgrades work, and HTTP/2 requests get 426', async (t) => {
    const dir = t.testdir({})
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=localhost'], { stdio: 'ignore' })
    const app = closing(t, Fastify({ http2: true, https: { allowHTTP1: true, key: readFileSync(key), cert: readFileSync(cert) } }) as unknown as FastifyInstance)
    const warnings: Error[] = []
    const warned = (warning: Error) => warnings.push(warning)
    process.on('warning', warned)
    t.teardown(() => process.off('warning', warned))
    await app.register(fastifyChat)
    const port = await listen(app)

    const { socket, next, closed } = await open(t, `wss://127.0.0.1:${port}/echo`, { rejectUnauthorized: false })
    socket.send('hi')
    t.equal(await next(), 'hi')

    const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
    t.teardown(() => session.destroy())
    const stream = session.request({ ':path': '/chat' })
    const [headers] = await once(stream, 'response') as [Record<string, unknown>]
    t.equal(headers[':status'], 426)
    t.equal(headers['connection'], undefined)
    t.equal(headers['upgrade'], undefined)
    stream.resume()
    await once(stream, 'close')
    session.close()
    await once(session, 'close')
    t.strictSame(warnings, [])

    await app.close()
    t.match(await closed, { code: 1001 })
  })

  t.test('with a register that is not awaited', async (t) => {
    const app = bare(t)
    app.register(fastifyChat)
    await works(t, await listen(app))
  })
})

function closing (t: Test, app: FastifyInstance): FastifyInstance {
  t.teardown(() => app.close())
  return app
}

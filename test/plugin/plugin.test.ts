import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type HTTPMethods, type onRequestAsyncHookHandler, type preHandlerAsyncHookHandler } from 'fastify'
import t, { type Test } from 'tap'
import fastifyChat, { MemoryStore, type FastifyChatOptions } from '../../src/index.ts'
import { connect } from '../../src/testing.ts'
import { bare, build, clientFrame, listen, logged, open, raw, refused, upgradeRequest } from '../support/helper.ts'

const quiet: FastifyChatOptions = { chat: { greeting: false } }

/** Returns a function that resolves when all sockets of the server are closed. Call it before the first connects. */
function emptied (app: FastifyInstance): () => Promise<void> {
  const closed: Array<Promise<unknown>> = []
  app.server.on('connection', (socket) => closed.push(once(socket, 'close')))
  return async () => { await Promise.all(closed) }
}

/** Asserts that the echo and the chat of an app work over TCP. */
async function works (t: Test, port: number, prefix = ''): Promise<void> {
  const echo = await open(t, `ws://127.0.0.1:${port}${prefix}/echo`)
  echo.socket.send('to the echo')
  t.equal(await echo.next(), 'to the echo')
  const chat = await open(t, `ws://127.0.0.1:${port}${prefix}/chat`)
  t.equal(await chat.next(), 'connected to WebSocket server')
  chat.socket.send('to the chat')
  t.equal(await chat.next(), 'to the chat')
  for (const { socket, closed } of [echo, chat]) {
    socket.close()
    await closed
  }
}

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
    const app = await build(t, { store })
    await app.chat.publish('lobby', { text: 'kept' })
    await app.close()
    t.match(await store.read('lobby', { limit: 1, maxBytes: 1_000 }), { entries: [{ body: 'kept' }] })
  })
})

t.test('path conflicts', async (t) => {
  const taken: Array<[path: string, option: string, options?: FastifyChatOptions & { prefix?: string }]> = [
    ['/chat', 'chat.path'],
    ['/echo', 'echo.path'],
    ['/demo', 'page'],
    ['/demo/', 'page'],
    ['/demo/index.html', 'page'],
    ['/demo/style.css', 'page'],
    ['/demo/config.json', 'page'],
    ['/', 'page', { page: '/' }],
    ['/rooms', 'chat.path', { chat: { path: '/rooms' } }],
    ['/live/chat', 'chat.path', { prefix: '/live' }],
    ['/live/demo/', 'page', { prefix: '/live/' }],
    ['/demo/', 'page', { routeOptions: { constraints: { host: 'example.com' } } }]
  ]
  for (const [path, option, options = {}] of taken) {
    const error = { code: 'FST_CHAT_PATH_TAKEN', message: `fastify-chat: the path '${path}' is taken by another route: move one of them, ours with the option '${option}'` }
    for (const method of ['GET', 'HEAD', ['POST', 'GET']] as Array<HTTPMethods | HTTPMethods[]>) {
      const own = { method, url: path, exposeHeadRoute: false, handler: async () => 'own' }
      t.test(`${String(method)} ${path} before the plugin is rejected, with ${JSON.stringify(options)}`, async (t) => {
        const app = bare(t)
        app.route(own)
        await t.rejects(async () => { await app.register(fastifyChat, options) }, error)
      })

      t.test(`${String(method)} ${path} after the plugin is rejected, with ${JSON.stringify(options)}`, async (t) => {
        const app = await build(t, options)
        t.throws(() => app.route(own), error)
      })
    }
  }

  t.test('a route of a scope, added after the plugin, is rejected', async (t) => {
    const app = await build(t)
    await t.rejects(async () => { await app.register(async (scope) => { scope.get('/', async () => 'own') }, { prefix: '/chat' }) }, { code: 'FST_CHAT_PATH_TAKEN' })
  })

  t.test("two conflicting paths of the plugin's own are rejected", async (t) => {
    for (const [options, path] of [
      [{ chat: { path: '/ws' }, echo: { path: '/ws' } }, '/ws'],
      [{ chat: { path: '/demo/' } }, '/demo/'],
      [{ echo: { path: '/demo/config.json' } }, '/demo/config.json'],
      [{ chat: { path: '/' }, page: '/' as const }, '/']
    ] as Array<[FastifyChatOptions, string]>) {
      await t.rejects(build(t, options), { code: 'FST_CHAT_PATH_TAKEN', message: new RegExp(`'${path}'`) }, path)
    }
  })

  t.test('routes of another method, host or shape do not conflict', async (t) => {
    const add = (app: FastifyInstance) => {
      for (const url of ['/chat', '/echo', '/demo/']) {
        for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'] as const) app.route({ method, url, handler: async () => method })
        app.get(url, { constraints: { host: 'other.example' } }, async () => 'other host')
      }
      app.get('/:page', async () => 'by parameter')
      app.get('/demo/*', async () => 'by wildcard')
    }
    for (const order of ['before', 'after']) {
      const app = bare(t)
      if (order === 'before') add(app)
      await app.register(fastifyChat)
      if (order === 'after') add(app)
      t.equal((await app.inject('/chat')).statusCode, 426)
      t.equal((await app.inject('/demo/')).headers['content-type'], 'text/html; charset=utf-8')
      t.equal((await app.inject({ method: 'POST', url: '/chat' })).body, 'POST')
      t.equal((await app.inject({ url: '/chat', headers: { host: 'other.example' } })).body, 'other host')
      t.equal((await app.inject('/nowhere')).body, 'by parameter')
      t.equal((await app.inject('/demo/nowhere')).body, 'by wildcard')
    }
  })

  t.test("routes do not conflict if the plugin's routes are for another host", async (t) => {
    const options = { page: false, routeOptions: { constraints: { host: 'chat.example' } } } as const
    const app = bare(t)
    app.get('/chat', async () => 'own')
    await app.register(fastifyChat, options)
    app.get('/echo', async () => 'own')
    const port = await listen(app)
    for (const path of ['/chat', '/echo']) {
      t.equal((await app.inject(path)).body, 'own')
      t.equal((await app.inject({ url: path, headers: { host: 'chat.example' } })).statusCode, 426)
    }
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/echo`, { headers: { host: 'chat.example' } })
    socket.send('hi')
    t.equal(await next(), 'hi')
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

  t.test('siblings that share a store share their rooms', async (t) => {
    const store = new MemoryStore()
    t.teardown(() => store.close())
    const { app } = await siblings(t, false, { ...quiet, store })
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

t.test('plain HTTP', async (t) => {
  t.test('GET and HEAD get 426 with the WebSocket URL to use', async (t) => {
    for (const exposeHeadRoutes of [true, false]) {
      const app = bare(t, { exposeHeadRoutes })
      await app.register(fastifyChat)
      const port = await listen(app)
      for (const path of ['/chat', '/echo', '/chat?room=not%20valid']) {
        for (const method of ['GET', 'HEAD']) {
          const response = await fetch(`http://127.0.0.1:${port}${path}`, { method })
          t.equal(response.status, 426, `${method} ${path}`)
          t.equal(response.headers.get('upgrade'), 'websocket')
          t.match(response.headers.get('connection'), /\bupgrade\b/i)
          if (method === 'HEAD') continue
          t.match(await response.json(), {
            code: 'FST_CHAT_UPGRADE_REQUIRED',
            message: `this is a WebSocket endpoint: connect with new WebSocket('ws://127.0.0.1:${port}${path}'); ` +
              'if that is what you did, a proxy on the way dropped the Upgrade header'
          })
        }
      }
    }
  })

  t.test('the URL is wss if the app is reached by https', async (t) => {
    const app = bare(t, { trustProxy: true })
    await app.register(fastifyChat)
    const { message } = (await app.inject({ url: '/chat', headers: { host: 'in', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'example.com' } })).json<{ message: string }>()
    t.match(message, "new WebSocket('wss://example.com/chat')")
  })

  t.test("the app's own error handler formats the error", async (t) => {
    const app = bare(t)
    app.setErrorHandler((error: { code?: string }, _request, reply) => reply.code(400).send(`own: ${error.code}`))
    await app.register(fastifyChat)
    t.equal((await app.inject('/chat')).body, 'own: FST_CHAT_UPGRADE_REQUIRED')
  })
})

t.test('an invalid query is refused with 400 and a code, and the socket is closed', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const gone = emptied(app)
  for (const query of [
    'room=', 'room=two%20words', 'room=%2Fetc', 'room=' + 'a'.repeat(65), 'room=a&room=b', 'room=l%C3%B6bby', 'room=lobby%0A',
    'name=%20', 'name=a&name=b', 'name=' + 'a'.repeat(33), 'name=%E2%80%AEevil', 'name=a%00', 'name=a%E2%80%8Bb', 'name=%0A',
    'history=', 'history=-1', 'history=1.5', 'history=all', 'history=1e3', 'history=1000000', 'history=1&history=2',
    'self=', 'self=2', 'self=false', 'self=0&self=1'
  ]) {
    const { status, body } = await refused(`ws://127.0.0.1:${port}/chat?${query}`)
    t.equal(status, 400, query)
    t.match(JSON.parse(body), { code: 'FST_CHAT_INVALID_QUERY', message: `query parameter '${query.split('=')[0]}' must be` }, query)
  }
  await gone()
})

t.test('a valid query is accepted', async (t) => {
  const app = await build(t)
  for (const query of [
    'room=' + 'a'.repeat(64), 'room=A.b_c:d-1', 'name=', 'name=ada%20lovelace', 'name=%E2%82%AC', 'name=' + '%F0%9F%98%80'.repeat(32),
    'history=0', 'history=999999', 'self=0', 'self=1', 'unknown=1', 'room=a%3Ab&name=x&history=5&self=0'
  ]) {
    const { close } = await connect(app, `/chat?${query}`)
    await close()
    t.pass(query)
  }
})

t.test('hooks before the upgrade', async (t) => {
  type Refuse = onRequestAsyncHookHandler & preHandlerAsyncHookHandler
  const refuse: Refuse = async (request, reply) => {
    await new Promise(setImmediate)
    if (request.headers.authorization === undefined) return reply.code(401).send({ who: 'are you?' })
  }
  const fail: Refuse = async () => { throw Object.assign(new Error('not today'), { statusCode: 418 }) }

  const hooks = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const
  const apps: Array<[what: string, status: number, app: (t: Test) => Promise<FastifyInstance>]> = []
  for (const [status, hook] of [[401, refuse], [418, fail]] as const) {
    for (const name of hooks) {
      apps.push([`${name} of the app, added before`, status, async (t) => {
        const app = bare(t)
        app.addHook(name as 'onRequest', hook)
        await app.register(fastifyChat)
        return app
      }], [`${name} of the app, added after`, status, async (t) => {
        const app = await build(t)
        app.addHook(name as 'onRequest', hook)
        return app
      }], [`${name} of the app, between its own @fastify/websocket and the plugin`, status, async (t) => {
        const app = bare(t)
        await app.register(fastifyWebsocket)
        app.addHook(name as 'onRequest', hook)
        await app.register(fastifyChat)
        return app
      }], [`${name} of the app, in a scope around the plugin`, status, async (t) => {
        const app = bare(t)
        await app.register(async (scope) => {
          scope.addHook(name as 'onRequest', hook)
          await scope.register(fastifyChat)
        })
        return app
      }])
      if (name === 'preParsing') continue
      apps.push(
        [`${name} in routeOptions`, status, (t) => build(t, { routeOptions: { [name]: hook } })],
        [`${name} in an array in routeOptions`, status, (t) => build(t, { routeOptions: { [name]: [async () => {}, hook] } })])
    }
  }

  for (const [what, status, make] of apps) {
    t.test(`${what}: an upgrade is refused with ${status}, and no socket stays open`, async (t) => {
      const app = await make(t)
      const port = await listen(app)
      const gone = emptied(app)
      for (const path of ['/chat', '/echo']) {
        const answer = await refused(`ws://127.0.0.1:${port}${path}`)
        t.equal(answer.status, status)
        t.match(JSON.parse(answer.body), status === 401 ? { who: 'are you?' } : { message: 'not today' })

        const eager = await raw(t, port)
        eager.socket.write(Buffer.concat([Buffer.from(upgradeRequest(path)), clientFrame(1, 'sent too early')]))
        const answered = await eager.until((received) => received.includes('\r\n\r\n'))
        t.match(answered.toString(), new RegExp(`^HTTP/1\\.1 ${status} `))
        await eager.ended
      }
      await gone()
      t.equal(await promisify(app.server.getConnections.bind(app.server))(), 0)
      await t.resolves(app.close())
    })
  }

  t.test('a refused client that sent much early data still receives the response', async (t) => {
    const app = await build(t, { routeOptions: { onRequest: refuse } })
    const port = await listen(app)
    const client = await raw(t, port)
    client.socket.write(Buffer.concat([Buffer.from(upgradeRequest('/chat')), Buffer.alloc(4 * 1024 * 1024)]))
    await client.until((received) => received.includes('are you?'))
    t.match(client.received.toString(), /^HTTP\/1\.1 401 /)
  })

  t.test('an upgrade that the hooks accept is connected', async (t) => {
    const app = await build(t, { routeOptions: { onRequest: refuse } })
    const port = await listen(app)
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/echo`, { headers: { authorization: 'me' } })
    socket.send('hi')
    t.equal(await next(), 'hi')
  })

  t.test('the hooks run for plain requests too', async (t) => {
    const app = await build(t, { routeOptions: { preHandler: refuse } })
    t.equal((await app.inject('/chat')).statusCode, 401)
    t.equal((await app.inject('/demo/')).statusCode, 200, 'they do not run for the page')
  })

  t.test('config and schema of routeOptions apply to both routes', async (t) => {
    const app = await build(t, {
      routeOptions: {
        config: { realm: 'ws' } as object,
        schema: { querystring: { type: 'object', required: ['token'], properties: { token: { type: 'string' } } } },
        onRequest: async (request, reply) => { reply.header('x-realm', (request.routeOptions.config as unknown as { realm: string }).realm) }
      }
    })
    for (const path of ['/chat', '/echo']) {
      const { headers, statusCode } = await app.inject(path)
      t.match({ ...headers, statusCode }, { 'x-realm': 'ws', statusCode: 400 })
      await t.rejects(connect(app, path), { message: /400/ })
      await (await connect(app, `${path}?token=a`)).close()
    }
  })

  t.test("query parameters that the app's schema coerces to numbers are accepted", async (t) => {
    const app = await build(t, {
      chat: { greeting: false },
      routeOptions: { schema: { querystring: { type: 'object', properties: { history: { type: 'integer' }, self: { type: 'integer' } } } } }
    })
    await app.ready()
    await app.chat.publish('lobby', { text: 'before' })
    const deaf = await connect(app, '/chat?history=1&self=0')
    t.equal(await deaf.next(), 'before')
    const hearing = await connect(app, '/chat?history=1&self=1')
    t.equal(await hearing.next(), 'before')
    deaf.send('from the deaf one')
    t.equal(await hearing.next(), 'from the deaf one')
    hearing.send('from the other')
    for (const { next } of [hearing, deaf]) t.equal(await next(), 'from the other')
  })

  t.test('an upgrade of an unknown path gets 404, and no socket stays open', async (t) => {
    const app = await build(t)
    const port = await listen(app)
    const gone = emptied(app)
    t.equal((await refused(`ws://127.0.0.1:${port}/nowhere`)).status, 404)
    await gone()
  })

  t.test("handshakeTimeout ends an upgrade that hangs, or is answered outside the plugin's scope", async (t) => {
    const app = bare(t)
    await app.register(async (scope) => {
      await scope.register(fastifyChat, { limits: { handshakeTimeout: 50 } as never, routeOptions: { onRequest: () => new Promise(() => {}) } })
    }, { prefix: '/in' })
    await app.register(async (scope) => {
      scope.get('/refused', { onRequest: async (_request, reply) => reply.code(401).send('no') }, async () => '')
    }, { prefix: '/out' })
    const port = await listen(app)
    const gone = emptied(app)
    for (const [path, status] of [['/in/chat', 503], ['/nowhere', 404], ['/out/refused', 401]] as const) {
      t.equal((await refused(`ws://127.0.0.1:${port}${path}`)).status, status, path)
    }
    await gone()
    await t.resolves(app.close())
  })
})

t.test("an app's own @fastify/websocket", async (t) => {
  const MiB = 1024 * 1024
  type Own = Parameters<typeof fastifyWebsocket>[1]

  /** Registers it at the root with these options, a route `/own` that echoes, and then the plugin. */
  async function beside (t: Test, own: Own, options: FastifyChatOptions = {}) {
    const app = bare(t)
    await app.register(fastifyWebsocket, own)
    app.get('/own', { websocket: true }, (socket) => { socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })) })
    await app.register(fastifyChat, options)
    const port = await listen(app)
    return { app, port, url: `ws://127.0.0.1:${port}` }
  }

  t.test("its maxPayload applies to its own routes, and the plugin's limits to the plugin's", async (t) => {
    const { url } = await beside(t, { options: { maxPayload: MiB } })
    const own = await open(t, `${url}/own`)
    own.socket.send('a'.repeat(MiB))
    t.equal((await own.next()).length, MiB)

    for (const [path, limit] of [['/chat', 16 * 1024], ['/echo', 64 * 1024]] as const) {
      const fits = await open(t, url + path)
      if (path === '/chat') await fits.next()
      fits.socket.send('a'.repeat(limit))
      t.equal((await fits.next()).length, limit)
      fits.socket.send('a'.repeat(limit + 1))
      t.match(await fits.closed, { code: 1009 }, path)
    }
    own.socket.send('a'.repeat(MiB))
    t.equal((await own.next()).length, MiB, 'its limit is unchanged afterwards')
    own.socket.send('a'.repeat(MiB + 1))
    t.match(await own.closed, { code: 1009 })
  })

  t.test("its smaller maxPayload does not apply to the plugin's routes", async (t) => {
    const { url } = await beside(t, { options: { maxPayload: 10 } })
    const echo = await open(t, `${url}/echo`)
    echo.socket.send('a'.repeat(1_000))
    t.equal((await echo.next()).length, 1_000)
    const own = await open(t, `${url}/own`)
    own.socket.send('a'.repeat(11))
    t.match(await own.closed, { code: 1009 })
  })

  t.test('its errorHandler is called for its own connections only', async (t) => {
    const heard: string[] = []
    const { url } = await beside(t, { options: { maxPayload: 10 }, errorHandler: (_error, socket, request) => { heard.push(request.url); socket.terminate() } })
    const ours = await open(t, `${url}/echo`)
    ours.socket.send('a'.repeat(64 * 1024 + 1))
    t.match(await ours.closed, { code: 1009 })
    const own = await open(t, `${url}/own`)
    own.socket.send('a'.repeat(11))
    await own.closed
    t.strictSame(heard, ['/own'])
  })

  for (const [how, verifyClient] of [
    ['at once', ({ req }: { req: { headers: Record<string, unknown> } }) => req.headers['x-key'] === 'right'],
    ['later', ({ req }: { req: { headers: Record<string, unknown> } }, answer: (verified: boolean, code?: number, message?: string) => void) => {
      setImmediate(() => answer(req.headers['x-key'] === 'right', 402, 'pay'))
    }]
  ] as const) {
    t.test(`a verifyClient that answers ${how} runs for all routes, and the plugin keeps its settings`, async (t) => {
      const { app, url } = await beside(t, { options: { verifyClient, maxPayload: MiB, perMessageDeflate: true } as never })
      const gone = emptied(app)
      const headers = { 'x-key': 'right' }
      for (const path of ['/own', '/echo', '/chat']) t.equal((await refused(url + path)).status, how === 'later' ? 402 : 401, path)
      await gone()

      const [own, echo, own2] = await Promise.all(['/own', '/echo', '/own'].map((path) => open(t, url + path, { headers })))
      for (const { socket, next } of [own!, own2!]) {
        t.equal(socket.extensions, 'permessage-deflate')
        socket.send('a'.repeat(MiB))
        t.equal((await next()).length, MiB)
      }
      t.equal(echo!.socket.extensions, '')
      echo!.socket.send('a'.repeat(64 * 1024 + 1))
      t.match(await echo!.closed, { code: 1009 })
    })
  }

  t.test('its subprotocols and compression are negotiated on its own routes only', async (t) => {
    const { port } = await beside(t, { options: { perMessageDeflate: true, handleProtocols: () => 'own.v1' } })
    for (const path of ['/own', '/echo', '/chat']) {
      const client = await raw(t, port)
      client.socket.write(upgradeRequest(path, { 'Sec-WebSocket-Protocol': 'first, own.v1', 'Sec-WebSocket-Extensions': 'permessage-deflate' }))
      const answer = (await client.until((received) => received.includes('\r\n\r\n'))).toString()
      t.match(answer, /^HTTP\/1\.1 101 /)
      if (path === '/own') {
        t.match(answer, /Sec-WebSocket-Protocol: own\.v1/)
        t.match(answer, /Sec-WebSocket-Extensions: permessage-deflate/)
      } else {
        t.notMatch(answer, /Sec-WebSocket-(Protocol|Extensions)/, path)
      }
    }
  })

  t.test("its relaxed settings don't apply to the plugin: pings are answered, text must be UTF-8", async (t) => {
    const { url, port } = await beside(t, { options: { autoPong: false, skipUTF8Validation: true } as object })
    const { socket, next } = await open(t, `${url}/echo`)
    let answered = false
    socket.on('pong', () => { answered = true })
    socket.ping()
    socket.send('after the ping')
    await next()
    t.ok(answered)

    const client = await raw(t, port)
    client.socket.write(Buffer.concat([Buffer.from(upgradeRequest('/echo')), clientFrame(1, Buffer.from([0xff]))]))
    const answer = await client.until((received) => received.length > received.indexOf('\r\n\r\n') + 4 && received.includes('\r\n\r\n'))
    t.match(answer.subarray(answer.indexOf('\r\n\r\n') + 4).toString('hex'), /^88..03ef/, 'a close frame with 1007')
  })

  t.test('with clientTracking: false the plugin still closes its own clients', async (t) => {
    const { app, port, url } = await beside(t, { options: { clientTracking: false } })
    await works(t, port)
    const { closed } = await open(t, `${url}/echo`)
    await app.close()
    t.match(await closed, { code: 1001 })
  })

  t.test("app.close() closes its clients without a code, and the plugin's with 1001", async (t) => {
    const { app, url } = await beside(t, {})
    const own = await open(t, `${url}/own`)
    const ours = await Promise.all(['/chat', '/echo'].map((path) => open(t, url + path)))
    await app.close()
    t.match(await own.closed, { code: 1005 })
    for (const { closed } of ours) t.match(await closed, { code: 1001 })
  })

  t.test('its own preClose hook closes its own clients only', async (t) => {
    const { app, url } = await beside(t, {
      preClose (done) {
        for (const client of (this as unknown as FastifyInstance).websocketServer.clients) client.close(4000, 'own goodbye')
        ;(this as unknown as FastifyInstance).websocketServer.close(() => done())
      }
    })
    const own = await open(t, `${url}/own`)
    const ours = await open(t, `${url}/echo`)
    await app.close()
    t.match(await own.closed, { code: 4000 })
    t.match(await ours.closed, { code: 1001 })
  })

  t.test('handshakeTimeout does not end its own upgraded connection', async (t) => {
    const { url } = await beside(t, {}, {
      limits: { handshakeTimeout: 50 } as never,
      routeOptions: { onRequest: () => new Promise(() => {}) }
    })
    const { socket, next } = await open(t, `${url}/own`)
    t.equal((await refused(`${url}/chat`)).status, 503, 'a later upgrade has timed out')
    socket.send('still here')
    t.equal(await next(), 'still here')
  })

  t.test('registered at the root after a chat in a scope, it works without a warning', async (t) => {
    const app = bare(t)
    await app.register(async (scope) => { await scope.register(fastifyChat) }, { prefix: '/in' })
    await app.register(fastifyWebsocket)
    const port = await listen(app)
    t.strictSame(app.lines.filter(({ level }) => level >= 40), [])
    await works(t, port, '/in')
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

t.test('app.chat', async (t) => {
  t.test('publishes from an HTTP route to the members of a room', async (t) => {
    const app = await build(t, quiet)
    app.post('/announce', async () => ({ position: await app.chat.publish('hall', { text: 'dinner!', from: { id: 'kitchen', name: 'cook' } }) }))
    const member = await connect(app, '/chat?room=hall')
    const elsewhere = await connect(app, '/chat?room=attic')
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/announce' })
    t.equal(statusCode, 200)
    t.match(JSON.parse(body), { position: String })
    t.equal(await member.next(), 'cook: dinner!')
    await app.chat.publish('attic', { text: 'only here' })
    t.equal(await elsewhere.next(), 'only here')
  })

  t.test('lists the rooms that have members', async (t) => {
    const app = await build(t, quiet)
    t.strictSame(app.chat.rooms(), [])
    await app.chat.publish('empty', { text: 'nobody hears' })
    const member = await connect(app, '/chat?room=hall')
    await app.chat.publish('hall', { text: 'joined?' })
    await member.next()
    t.strictSame(app.chat.rooms(), ['hall'])
    await member.close()
    await logged(app, 'websocket closed')
    t.strictSame(app.chat.rooms(), [])
  })

  t.test('rejects once the app is closed', async (t) => {
    const app = await build(t)
    await app.ready()
    await app.close()
    await t.rejects(app.chat.publish('lobby', { text: 'too late' }), { code: 'FST_CHAT_STORE_CLOSED' })
  })
})

t.test('the log', async (t) => {
  t.test('has one info line per connection, at its end, with code, reason and counts', async (t) => {
    const app = await build(t)
    const port = await listen(app)
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/chat?name=ada`)
    await next()
    socket.send('hello')
    t.equal(await next(), 'ada: hello')
    socket.close(4000, 'enough')
    const line = await logged(app, 'websocket closed')
    t.match(line, {
      level: 30,
      reqId: 'req-1',
      code: 4000,
      reason: 'enough',
      duration: Number,
      received: { messages: 1, bytes: 5 },
      sent: { messages: 2, bytes: (2 + 'connected to WebSocket server'.length) + (2 + 'ada: hello'.length) }
    })
    t.ok(Number.isInteger(line['duration']))
    t.equal(app.lines.filter(({ reqId, level }) => reqId === 'req-1' && level === 30).length, 2, 'the other line is the incoming request')
  })

  t.test('has the close code that the server sent', async (t) => {
    const app = await build(t)
    const { closed } = await connect(app, '/echo')
    await app.close()
    await closed
    t.match(await logged(app, 'websocket closed'), { code: 1001, reason: 'the server is stopping' })
  })

  t.test('has every received message at debug level only', async (t) => {
    const app = await build(t, quiet)
    const chat = await connect(app, '/chat?room=hall')
    chat.send('hello')
    await chat.next()
    chat.send(Buffer.alloc(7))
    await chat.next()
    const echo = await connect(app, '/echo')
    echo.send('echo')
    await echo.next()
    t.match(app.lines.filter(({ msg }) => msg === 'received'), [
      { level: 20, room: 'hall', text: 'hello' },
      { level: 20, room: 'hall', bytes: 7 },
      { level: 20, text: 'echo' }
    ])
    t.notOk(app.lines.some(({ level, ...line }) => level > 20 && /hello/.test(JSON.stringify(line))))
  })

  t.test('has an error line for a handler that throws, which closes the connection with 1011', async (t) => {
    const app = await build(t, { echo: { reply: (message) => { if (message === 'bad') throw new Error('boom'); return message } } })
    const [bad, good] = [await connect(app, '/echo'), await connect(app, '/echo')]
    bad.send('bad')
    t.match(await bad.closed, { code: 1011 })
    good.send('good')
    t.equal(await good.next(), 'good')
    t.match(app.lines.find(({ level }) => level === 50), { reqId: 'req-1', err: { message: 'boom' } })
  })
})

function closing (t: Test, app: FastifyInstance): FastifyInstance {
  t.teardown(() => app.close())
  return app
}

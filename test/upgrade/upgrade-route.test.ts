import { promisify } from 'node:util'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance, onRequestAsyncHookHandler, preHandlerAsyncHookHandler } from 'fastify'
import t, { type Test } from 'tap'
import fastifyChat from '../../src/index.ts'
import { connect } from '../../src/testing.ts'
import { emptied } from '../support/app-checks.ts'
import { bare, build, listen } from '../support/app.ts'
import { clientFrame } from '../support/frames.ts'
import { raw, upgradeRequest } from '../support/raw-client.ts'
import { tick } from '../support/tick.ts'
import { open, refused } from '../support/websocket-client.ts'

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
              'if you did, a proxy removed the Upgrade header'
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

t.test('hooks before the upgrade', async (t) => {
  type Refuse = onRequestAsyncHookHandler & preHandlerAsyncHookHandler
  const refuse: Refuse = async (request, reply) => {
    await tick()
    if (request.headers.authorization === undefined) return reply.code(401).send({ who: 'are you?' })
  }
  const fail: Refuse = async () => { throw Object.assign(new Error('not today'), { statusCode: 418 }) }

  const hooks = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const
  const apps: Array<[what: string, status: number, app: (t: Test) => Promise<FastifyInstance>]> = []
  for (const [status, hook] of [[401, refuse], [418, fail]] as const) {
    for (const name of hooks) {
      apps.push([`${name} added before the plugin`, status, async (t) => {
        const app = bare(t)
        app.addHook(name as 'onRequest', hook)
        await app.register(fastifyChat)
        return app
      }], [`${name} added after the plugin`, status, async (t) => {
        const app = await build(t)
        app.addHook(name as 'onRequest', hook)
        return app
      }], [`${name} added between @fastify/websocket and the plugin`, status, async (t) => {
        const app = bare(t)
        await app.register(fastifyWebsocket)
        app.addHook(name as 'onRequest', hook)
        await app.register(fastifyChat)
        return app
      }], [`${name} added in a scope around the plugin`, status, async (t) => {
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
    t.test(`${what} ends an upgrade with ${status}`, async (t) => {
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

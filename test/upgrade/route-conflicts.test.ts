import type { FastifyInstance, HTTPMethods } from 'fastify'
import t from 'tap'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { bare, build, listen } from '../support/app.ts'
import { open } from '../support/websocket-client.ts'

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
    const error = { code: 'FST_CHAT_PATH_TAKEN', message: `fastify-chat: another route already has the path '${path}': change that route, or the option '${option}'` }
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

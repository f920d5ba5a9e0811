import { once } from 'node:events'
import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { WebSocketServer } from 'ws'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { pluginWith } from '../../src/plugin.ts'
import { connect } from '../../src/testing.ts'
import { bare, listen, logged } from '../support/app.ts'
import { clientFrame, serverFrames, wholeFrames } from '../support/frames.ts'
import { raw, upgraded, upgradeRequest } from '../support/raw-client.ts'
import { tick } from '../support/tick.ts'
import { open, refused } from '../support/websocket-client.ts'

const [CONTINUATION, TEXT, BINARY] = [0, 1, 2]

type App = ReturnType<typeof bare>

/** A timeout for upgrades that must end immediately. The test itself would time out before it. */
const late = { limits: { handshakeTimeout: 2 ** 30 } }
const soon = { limits: { handshakeTimeout: 50 } }

async function echoes (t: Test, url: string, sent = 'hello', answer = sent): Promise<void> {
  const { socket, next, closed } = await open(t, url)
  socket.send(sent)
  t.equal(String(await next()), answer, url)
  socket.close(1000)
  t.match(await closed, { code: 1000 })
}

/** Asserts that the plugin has left nothing on the server. */
function isRestored (t: Test, { server }: FastifyInstance, listeners = 0): void {
  t.notOk(Object.hasOwn(server, 'emit'), 'emit is inherited again')
  t.equal(server.listenerCount('upgrade'), listeners)
}

interface Other { add (app: App): unknown, readonly path: string, readonly listens: number }

/** Other upgrade handlers, each of which echoes `own: …` on a path. */
const others: Record<string, Other> = {
  'a ws server with a path': {
    path: '/ws',
    listens: 1,
    add ({ server }) {
      const own = new WebSocketServer({ server, path: '/ws' })
      own.on('connection', (client) => client.on('message', (data) => client.send(`own: ${data.toString()}`)))
    }
  },
  'a listener that ends other upgrades (Socket.IO)': {
    path: '/socket.io/?EIO=4&transport=websocket',
    listens: 1,
    add ({ server }) {
      const own = new WebSocketServer({ noServer: true })
      server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        if (!request.url!.startsWith('/socket.io/')) setImmediate(() => socket.end())
        else own.handleUpgrade(request, socket, head, (client) => client.on('message', (data) => client.send(`own: ${data.toString()}`)))
      })
    }
  },
  'a listener that routes all upgrades (@fastify/http-proxy)': {
    path: '/proxied',
    listens: 1,
    add (app) {
      const own = new WebSocketServer({ noServer: true })
      const heads = new WeakMap<IncomingMessage, Buffer>()
      app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        heads.set(request, head)
        const response = new ServerResponse(request)
        // Throws if another listener has assigned a response to the socket.
        response.assignSocket(socket as never)
        app.routing(request, response)
      })
      app.get('/proxied', async ({ raw }, reply) => {
        await tick()
        reply.hijack()
        own.handleUpgrade(raw, raw.socket, heads.get(raw)!, (client) => client.on('message', (data) => client.send(`own: ${data.toString()}`)))
      })
    }
  },
  '@fastify/websocket': {
    path: '/own',
    listens: 0,
    async add (app) {
      await app.register(fastifyWebsocket)
      app.get('/own', { websocket: true }, (client) => { client.on('message', (data: Buffer) => client.send(`own: ${data.toString()}`)) })
    }
  },
  '@fastify/websocket in a scope': {
    path: '/scope/own',
    listens: 0,
    add: (app) => app.register(async (scope) => { await others['@fastify/websocket']!.add(scope as never) }, { prefix: '/scope' })
  },
  'a `websocket: true` route in a plain scope': {
    path: '/own',
    listens: 0,
    async add (app) {
      if (!app.hasDecorator('chat')) await app.register(fastifyWebsocket)
      app.register(async (scope) => {
        scope.get('/own', { websocket: true }, (client) => { client.on('message', (data: Buffer) => client.send(`own: ${data.toString()}`)) })
      })
    }
  }
}

for (const [title, { add, path, listens }] of Object.entries(others)) {
  for (const order of ['before', 'after']) {
    t.test(`${title}, ${order} the plugin: both work`, async (t) => {
      const app = bare(t)
      if (order === 'before') await add(app)
      await app.register(fastifyChat, late)
      if (order === 'after') await add(app)
      const port = await listen(app)
      const url = `ws://127.0.0.1:${port}`
      for (let i = 0; i < 2; i++) {
        await echoes(t, `${url}/echo`)
        await echoes(t, url + path, 'hello', 'own: hello')
        const member = await open(t, `${url}/chat`)
        t.equal(await member.next(), 'connected to WebSocket server')
      }
      const injected = await connect(app, '/echo')
      injected.send('injected')
      t.equal(await injected.next(), 'injected')
      t.strictSame(app.lines.filter(({ level }) => level >= 40), [])
      await app.close()
      isRestored(t, app, listens)
    })
  }
}

t.test("other listeners receive all upgrades except those of the plugin's routes", async (t) => {
  const app = bare(t)
  const received: Record<string, string[]> = { before: [], after: [] }
  const listener = (list: string[]) => (request: IncomingMessage, socket: Duplex) => { list.push(request.url!); socket.end('HTTP/1.1 418 Teapot\r\n\r\n') }
  app.server.on('upgrade', listener(received['before']!))
  await app.register(fastifyChat, { ...late, limits: { ...late.limits, connections: 1 } })
  app.server.prependListener('upgrade', listener(received['after']!))
  const port = await listen(app)
  await open(t, `ws://127.0.0.1:${port}/chat`)
  for (const [path, status] of [['/chat', 503], ['/echo?room=x', 503], ['/other', 418]] as const) {
    t.equal((await refused(`ws://127.0.0.1:${port}${path}`)).status, status)
  }
  t.strictSame(received, { before: ['/other'], after: ['/other'] })
})

t.test('a listener that throws ends its upgrade with 500, not the process', async (t) => {
  const app = bare(t)
  app.server.on('upgrade', () => { throw new Error('boom') })
  await app.register(fastifyChat, late)
  const port = await listen(app)
  const { status, body } = await refused(`ws://127.0.0.1:${port}/other`)
  t.equal(status, 500)
  t.match(JSON.parse(body), { code: 'FST_CHAT_UPGRADE_FAILED' })
  t.match(await logged(app, 'refused'), { reason: 'FST_CHAT_UPGRADE_FAILED', message: /boom/ })
  await echoes(t, `ws://127.0.0.1:${port}/echo`)
})

t.test('two listeners that route the same upgrade do not end the process: the first answers', async (t) => {
  const app = bare(t)
  await app.register(fastifyWebsocket)
  await others['a listener that routes all upgrades (@fastify/http-proxy)']!.add(app)
  await app.register(fastifyChat, late)
  const port = await listen(app)
  t.equal((await refused(`ws://127.0.0.1:${port}/nowhere`)).status, 404)
  t.match(await logged(app, 'refused'), { reason: 'FST_CHAT_UPGRADE_FAILED' })
  await echoes(t, `ws://127.0.0.1:${port}/echo`)
})

t.test('an upgrade that no other listener handles gets 404 after the handshake timeout', async (t) => {
  const app = bare(t)
  app.server.on('upgrade', () => {})
  await app.register(fastifyChat, soon)
  const port = await listen(app)
  const { status, body } = await refused(`ws://127.0.0.1:${port}/other`)
  t.equal(status, 404)
  t.match(JSON.parse(body), { code: 'FST_CHAT_UPGRADE_NOT_HANDLED' })
  t.equal(app.chat.stats().refusals['FST_CHAT_UPGRADE_NOT_HANDLED'], 1)
})

t.test('unhandled upgrades beyond handshakes end the oldest ones with 503', async (t) => {
  const app = bare(t)
  app.server.on('upgrade', () => {})
  await app.register(pluginWith({ handshakes: 3 }), late)
  const port = await listen(app)
  const clients = []
  for (let i = 0; i < 5; i++) {
    const seen = once(app.server, 'upgrade')
    const client = await raw(t, port)
    client.socket.write(upgradeRequest('/other'))
    await seen
    clients.push(client)
  }
  await Promise.all(clients.slice(0, 2).map(({ ended }) => ended))
  for (const { received } of clients.slice(0, 2)) t.match(received.toString(), /^HTTP\/1\.1 503 /)
  for (const { received } of clients.slice(2)) t.equal(received.length, 0)
  await app.close()
  for (const { ended } of clients) await ended
})

t.test('an upgrade of another listener is served while the app closes', async (t) => {
  const app = bare(t)
  others['a ws server with a path']!.add(app)
  await app.register(fastifyChat, late)
  let go!: () => void
  let begun!: () => void
  const closing = new Promise<void>((resolve) => { begun = resolve })
  app.addHook('preClose', () => { begun(); return new Promise<void>((resolve) => { go = resolve }) })
  const port = await listen(app)
  const closed = app.close()
  await closing
  await echoes(t, `ws://127.0.0.1:${port}/ws`, 'hello', 'own: hello')
  t.equal((await refused(`ws://127.0.0.1:${port}/echo`)).status, 503)
  go()
  await closed
  isRestored(t, app, 1)
})

t.test('without other listeners an upgrade of another path is answered as a request', async (t) => {
  const app = bare(t)
  app.get('/plain', async () => 'plain')
  await app.register(fastifyChat, late)
  app.setNotFoundHandler((_request, reply) => reply.code(404).send('ours alone'))
  const port = await listen(app)
  for (const [path, headers, answer] of [
    ['/plain', { Upgrade: 'h2c' }, /^HTTP\/1\.1 200 OK\r\n[^]*plain/],
    ['/plain', {}, /^HTTP\/1\.1 200 OK\r\n[^]*plain/],
    ['/nowhere', {}, /^HTTP\/1\.1 404 [^]*ours alone/],
    ['/plain', { 'Content-Length': '3' }, /^HTTP\/1\.1 400 [^]*FST_CHAT_BAD_HANDSHAKE/]
  ] as const) {
    const client = await raw(t, port)
    client.socket.write(upgradeRequest(path, headers))
    await client.ended
    t.match(client.received.toString(), answer)
  }
  const head = await raw(t, port)
  head.socket.write(upgradeRequest('/chat').replace('GET', 'HEAD'))
  await head.ended
  t.match(head.received.toString(), /^HTTP\/1\.1 426 /)
})

const routed: Record<string, { app?: FastifyServerOptions, register?: FastifyChatOptions & { prefix?: string }, set?: (app: App) => unknown, paths: string[], headers?: Record<string, string> }> = {
  'with ignoreTrailingSlash': { app: { routerOptions: { ignoreTrailingSlash: true } }, paths: ['/echo', '/echo/'] },
  'without case sensitivity': { app: { routerOptions: { caseSensitive: false } }, paths: ['/echo', '/EcHo'] },
  'with ignoreDuplicateSlashes': { app: { routerOptions: { ignoreDuplicateSlashes: true } }, paths: ['/echo', '//echo'] },
  'with semicolons before the query': { app: { routerOptions: { useSemicolonDelimiter: true } as object }, paths: ['/echo;a=b'] },
  'by a prefix with a parameter': { register: { prefix: '/:tenant' }, paths: ['/a/echo', '/b%20c/echo?d'] },
  'in percent-encoding': { paths: ['/%65cho'] },
  'in absolute form': { paths: ['http://localhost/echo'] },
  'by a constraint of the app': {
    app: { routerOptions: { constraints: { shard: shard() } } },
    register: { routeOptions: { constraints: { shard: 'a' } } },
    headers: { shard: 'a' },
    paths: ['/echo']
  },
  'by a constraint that the app adds': {
    set: (app) => app.addConstraintStrategy(shard()),
    register: { routeOptions: { constraints: { shard: 'a' } } },
    headers: { shard: 'a' },
    paths: ['/echo']
  },
  'by rewriteUrl': { app: { rewriteUrl: ({ url }: IncomingMessage) => url!.replace('/base', '') } as FastifyServerOptions, paths: ['/base/echo', '/echo'] }
}

function shard () {
  const routes = new Map<unknown, never>()
  return {
    name: 'shard',
    storage: () => ({ get: (value: unknown) => routes.get(value) ?? null, set: (value: unknown, route: never) => { routes.set(value, route) } }),
    deriveConstraint: ({ headers }: { headers: Record<string, unknown> }) => headers['shard'],
    mustMatchWhenDerived: false
  } as never
}

for (const [title, { app: options = {}, register = {}, set, paths, headers }] of Object.entries(routed)) {
  t.test(`the plugin, not another listener, handles an upgrade routed to it ${title}`, async (t) => {
    const app = bare(t, options)
    await set?.(app)
    await app.register(fastifyChat, { ...late, ...register })
    app.server.on('upgrade', ({ url }: IncomingMessage, socket: Duplex) => { t.fail(`another listener received ${url}`); socket.destroy() })
    const port = await listen(app)
    for (const path of paths) {
      const client = await raw(t, port)
      client.socket.write(upgradeRequest(path, headers))
      await client.until((received) => received.includes('\r\n\r\n'))
      t.match(client.received.toString(), /^HTTP\/1\.1 101 /, path)
      client.socket.destroy()
    }
  })
}

t.test('the plugin does not handle a path that the router assigns to another route', async (t) => {
  const app = bare(t)
  await app.register(fastifyWebsocket)
  app.get('/admin/echo', { websocket: true }, (client) => { client.on('message', (data: Buffer) => client.send(`own: ${data.toString()}`)) })
  await app.register(fastifyChat, { ...late, prefix: '/:tenant' } as FastifyChatOptions)
  const port = await listen(app)
  await echoes(t, `ws://127.0.0.1:${port}/admin/echo`, 'hello', 'own: hello')
  await echoes(t, `ws://127.0.0.1:${port}/other/echo`)
})

t.test('several chats on one server share an upgrade listener, removed with the last chat', async (t) => {
  const app = bare(t)
  for (const prefix of ['/a', '/b', '/c']) await app.register(async (scope) => { await scope.register(fastifyChat, late) }, { prefix })
  const port = await listen(app)
  for (const prefix of ['/a', '/b', '/c']) await echoes(t, `ws://127.0.0.1:${port}${prefix}/echo`)
  t.equal(app.server.listenerCount('upgrade'), 1)
  await app.close()
  isRestored(t, app)
})

t.test('apps that share a server can close one after the other', async (t) => {
  const first = bare(t)
  await first.register(fastifyChat, { ...late, prefix: '/first' } as FastifyChatOptions)
  const port = await listen(first)
  const second = bare(t, { serverFactory: () => first.server as never })
  await second.register(fastifyChat, { ...late, prefix: '/second' } as FastifyChatOptions)
  await second.ready()
  await echoes(t, `ws://127.0.0.1:${port}/first/echo`)
  await echoes(t, `ws://127.0.0.1:${port}/second/echo`)
  await first.close()
  await second.close()
  isRestored(t, first)
})

t.test('without @fastify/websocket a ready app has injectWS and websocketServer', async (t) => {
  const app = bare(t)
  await app.register(fastifyChat, late)
  await app.ready()
  t.type(app.websocketServer, 'object')
  const socket = await app.injectWS('/echo', {}, { onInit: (client) => client.on('message', (data: Buffer) => client.close(4000, data.toString())) })
  socket.send('hello')
  const [code] = await once(socket, 'close') as [number]
  t.equal(code, 4000)
  await app.close()
  await t.rejects(app.injectWS('/echo'), { message: /503/ })
})

t.test('websocket: true routes work in every scope without another @fastify/websocket', async (t) => {
  const app = bare(t)
  const route = (scope: FastifyInstance, path: string) => scope.get(path, { websocket: true }, (client) => {
    client.on('message', (data: Buffer) => client.send(`own: ${data.toString()}`))
  })
  await app.register(fastifyChat, late)
  let early!: FastifyInstance
  await app.register(async (scope) => { early = scope; route(scope, '/early') })
  route(app, '/root')
  await app.register(async (scope) => { route(scope, '/later'); scope.register(async (inner) => { route(inner, '/inner') }) })
  app.get('/plain', async ({ ws }) => `upgraded: ${ws}`)
  const port = await listen(app)
  for (const path of ['/early', '/root', '/later', '/inner']) {
    await echoes(t, `ws://127.0.0.1:${port}${path}`, 'hello', 'own: hello')
    const { send, next } = await connect(early, path)
    send('injected')
    t.equal(String(await next()), 'own: injected')
  }
  await echoes(t, `ws://127.0.0.1:${port}/echo`)
  t.equal((await app.inject('/early')).statusCode, 404)
  t.equal((await app.inject('/plain')).body, 'upgraded: false')
  await app.close()
  isRestored(t, app)
})

t.test("request.ws is true in the app's hooks on the plugin's routes", async (t) => {
  for (const own of [true, false]) {
    const app = bare(t)
    const seen: unknown[] = []
    if (own) await app.register(fastifyWebsocket)
    await app.register(fastifyChat, late)
    app.addHook('onRequest', async ({ ws }) => { seen.push(ws) })
    await connect(app, '/echo')
    t.strictSame(seen, [true])
  }
})

t.test("the sockets of websocketServer's connection event emit what their clients send", async (t) => {
  const app = bare(t)
  await app.register(fastifyWebsocket)
  await app.register(fastifyChat)
  await app.ready()
  const received: unknown[] = []
  app.websocketServer.on('connection', (socket) => {
    for (const event of ['message', 'ping', 'pong'] as const) socket.on(event, (data: Buffer) => received.push([event, data.toString()]))
  })
  const port = await listen(app)
  const client = await open(t, `ws://127.0.0.1:${port}/echo`)
  client.socket.pong('one')
  client.socket.ping('two')
  client.socket.pong('three')
  client.socket.send('four')
  await client.next()
  t.strictSame(received, [['pong', 'one'], ['ping', 'two'], ['pong', 'three'], ['message', 'four']])
})

t.test("an app's listener receives binary messages as the binaryType of its socket says", async (t) => {
  for (const [binaryType, type] of [['nodebuffer', 'Buffer'], ['arraybuffer', 'ArrayBuffer'], ['fragments', 'Array']] as const) {
    const app = bare(t)
    await app.register(fastifyWebsocket)
    await app.register(fastifyChat)
    await app.ready()
    const port = await listen(app)
    const seen: Array<[type: string, content: string, isBinary: boolean]> = []
    app.websocketServer.on('connection', (socket) => {
      socket.binaryType = binaryType
      socket.on('message', (data, isBinary) => seen.push([data.constructor.name, Buffer.concat([data].flat().map((part) => Buffer.from(part as Buffer))).toString(), isBinary]))
    })
    for (let connections = 0; connections < 2; connections++) {
      seen.length = 0
      const client = await upgraded(t, port, '/echo')
      client.socket.write(Buffer.concat([
        clientFrame(BINARY, 'whole'), clientFrame(BINARY, 'frag', { fin: false }), clientFrame(CONTINUATION, 'ments'), clientFrame(TEXT, 'text')
      ]))
      await client.until((received) => serverFrames(received).length === 3)
      t.strictSame(wholeFrames(client.received).map(({ payload }) => payload.toString()), ['whole', 'fragments', 'text'])
      t.strictSame(seen, [[type, 'whole', true], [type, 'fragments', true], ['Buffer', 'text', false]])
    }
  }
})

t.test("the 101 of the plugin has headers that the app adds in websocketServer's headers event", async (t) => {
  const app = bare(t)
  await app.register(fastifyWebsocket)
  app.websocketServer.on('headers', (headers: string[]) => headers.push('X-Own: 1'))
  await app.register(fastifyChat, late)
  const client = await raw(t, await listen(app))
  client.socket.write(upgradeRequest('/echo'))
  t.match((await client.until((received) => received.includes('\r\n\r\n'))).toString(), /X-Own: 1/)
})

t.test('two @fastify/websocket on one server log a warning at start', async (t) => {
  const app = bare(t)
  for (const prefix of ['/a', '/b']) await app.register(async (scope) => { await scope.register(fastifyWebsocket) }, { prefix })
  await app.register(fastifyChat)
  await app.ready()
  t.match(app.lines.filter(({ level }) => level >= 40), [{ msg: /@fastify\/websocket is registered more than once/ }])
})

import { once } from 'node:events'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import fastifyChat from '../../src/index.ts'
import { connect, type RefusedUpgrade, type TestConnection } from '../../src/testing.ts'
import { bare, build } from '../support/app.ts'
import { tick } from '../support/tick.ts'

/** A logger with a method that Fastify's doesn't have. */
interface AuditLogger extends FastifyBaseLogger { audit (): void }

const ignore = () => {}
const silent: AuditLogger = {
  level: 'silent', fatal: ignore, error: ignore, warn: ignore, info: ignore, debug: ignore, trace: ignore, silent: ignore, audit: ignore, child: () => silent
}

/** Returns an app with its own WebSocket route, `/own`. */
async function withRoute (t: Test, handler: (socket: WebSocket, app: FastifyInstance) => void): Promise<FastifyInstance> {
  const app = bare(t)
  await app.register(fastifyWebsocket)
  app.get('/own', { websocket: true }, (socket) => handler(socket, app))
  return app
}

t.test('connect() needs no port and makes the app ready', async (t) => {
  const app = await build(t)
  const { next } = await connect(app, '/chat')
  t.equal(await next(), 'connected to WebSocket server')
  t.equal(app.server.listening, false)
})

t.test('messages sent before next() is called are not lost', async (t) => {
  const app = await withRoute(t, (socket) => {
    for (let i = 0; i < 100; i++) socket.send(`message ${i}`)
  })
  const { next } = await connect(app, '/own')
  await tick()
  for (let i = 0; i < 100; i++) t.equal(await next(), `message ${i}`)
})

t.test('next() resolves with text as a string and binary as a Buffer', async (t) => {
  const { next, send } = await connect(await build(t), '/echo')
  send('grüße')
  send(Buffer.from([0, 255]))
  send(new Uint8Array([1, 2]))
  send('')
  t.equal(await next(), 'grüße')
  t.strictSame(await next(), Buffer.from([0, 255]))
  t.strictSame(await next(), Buffer.from([1, 2]))
  t.equal(await next(), '')
})

t.test('pending next() calls resolve in order as messages arrive', async (t) => {
  const { next, send } = await connect(await build(t), '/echo')
  const asked = Promise.all([next(), next(), next()])
  for (const text of ['a', 'b', 'c']) send(text)
  t.strictSame(await asked, ['a', 'b', 'c'])
})

t.test('the path may have a query', async (t) => {
  const app = await build(t, { chat: { greeting: false } })
  const ada = await connect(app, '/chat?room=hall&name=ada')
  const grace = await connect(app, '/chat?room=hall&self=0')
  ada.send('hello')
  t.equal(await grace.next(), 'ada: hello')
})

t.test('headers, protocol and remoteAddress are those of the request', async (t) => {
  const app = await build(t)
  const seen: unknown[] = []
  app.addHook('onRequest', async ({ ip, headers }) => {
    seen.push({ ip, host: headers.host, cookie: headers.cookie, protocol: headers['sec-websocket-protocol'] })
  })
  await connect(app, '/echo')
  await connect(app, '/echo', { protocol: 'one, two', headers: { cookie: 'session=1', host: 'example.com' }, remoteAddress: '203.0.113.9' })
  t.strictSame(seen, [
    { ip: '127.0.0.1', host: 'localhost', cookie: undefined, protocol: undefined },
    { ip: '203.0.113.9', host: 'example.com', cookie: 'session=1', protocol: 'one, two' }
  ])
})

t.test('with trustProxy request.ip is the address that the proxy forwards', async (t) => {
  const app = bare(t, { trustProxy: '10.0.0.1' })
  await app.register(fastifyWebsocket)
  app.get('/ip', { websocket: true }, (socket, request) => socket.send(request.ip))
  const ip = async (remoteAddress: string) =>
    await (await connect(app, '/ip', { remoteAddress, headers: { 'x-forwarded-for': '203.0.113.9' } })).next()
  t.equal(await ip('10.0.0.1'), '203.0.113.9')
  t.equal(await ip('10.0.0.2'), '10.0.0.2')
})

t.test("connect() rejects with the server's reason for a refusal, and the app still closes", async (t) => {
  const app = await build(t, {
    routeOptions: { onRequest: async (request, reply) => request.headers['x-token'] === 'wrong' ? reply.code(401).send('no') : undefined }
  })
  app.get('/empty', async (_request, reply) => reply.code(402).send())
  const cases: Array<[path: string, headers: Record<string, string>, status: number, code: string | undefined, message: string]> = [
    ['/nowhere', {}, 404, undefined, 'Route GET:/nowhere not found'],
    ['/empty', {}, 402, undefined, 'Payment Required'],
    ['/chat?room=two%20words', {}, 400, 'FST_CHAT_INVALID_QUERY', "query parameter 'room' must be 1 to 64 letters, digits and ._:-"],
    ['/chat', { origin: 'https://evil.example' }, 403, 'FST_CHAT_ORIGIN_REFUSED', "connections from the origin 'https://evil.example' to the host 'localhost' are not allowed: allow the origin in the option 'origins', or let the proxy keep the Host header"],
    ['/chat', { 'x-token': 'wrong' }, 401, undefined, 'no']
  ]
  for (const [path, headers, status, code, message] of cases) {
    const error = await connect(app, path, { headers }).catch((error: unknown) => error)
    t.match(error, { code: 'FST_CHAT_UPGRADE_REFUSED', statusCode: status, message: `the upgrade was refused with ${status}: ${message}` }, path)
    t.strictSame((error as RefusedUpgrade).response, { status, code, message })
  }
  await t.resolves(app.close())
})

t.test('connect() takes apps with a logger of their own and with HTTP/2', async (t) => {
  const logging = Fastify({ loggerInstance: silent })
  t.teardown(() => logging.close())
  await logging.register(fastifyChat)
  t.equal(await (await connect(logging, '/chat')).next(), 'connected to WebSocket server')
  const secure = Fastify({ http2: true, https: { allowHTTP1: true } })
  t.teardown(() => secure.close())
  await secure.register(fastifyChat)
  t.equal(await (await connect(secure, '/chat')).next(), 'connected to WebSocket server')
})

t.test('close() resolves with the code and reason', async (t) => {
  const app = await build(t)
  const connection = await connect(app, '/echo')
  t.strictSame(await connection.close(4000, 'enough'), { code: 4000, reason: 'enough' })
  t.equal(connection.socket.readyState, WebSocket.CLOSED)
  t.strictSame(await connection.close(), { code: 4000, reason: 'enough' }, 'a second call resolves with the same')
})

t.test('close() without a code resolves with 1005', async (t) => {
  const { close } = await connect(await build(t), '/echo')
  t.match(await close(), { code: 1005, reason: '' })
})

t.test("closed resolves with the server's code and reason", async (t) => {
  const ends: Array<[how: string, end: (socket: WebSocket) => void, code: number, reason: string]> = [
    ['with a code', (socket) => socket.close(4001, 'not you'), 4001, 'not you'],
    ['without one', (socket) => socket.close(), 1005, ''],
    ['abruptly', (socket) => socket.terminate(), 1006, '']
  ]
  for (const [how, end, code, reason] of ends) {
    const app = await withRoute(t, (socket) => { socket.on('message', () => end(socket)) })
    const { send, closed } = await connect(app, '/own')
    send('end it')
    t.strictSame(await closed, { code, reason }, how)
  }
})

t.test('closed resolves if the server closes at once', async (t) => {
  const app = await withRoute(t, (socket) => {
    socket.send('goodbye')
    socket.close(4001, 'not you')
  })
  const { next, closed, close } = await connect(app, '/own')
  t.strictSame(await closed, { code: 4001, reason: 'not you' })
  t.equal(await next(), 'goodbye', 'an earlier message is still available')
  t.strictSame(await close(), { code: 4001, reason: 'not you' })
})

t.test('next() rejects when the connection has ended, whether it was pending or not', async (t) => {
  const app = await withRoute(t, (socket) => { socket.on('message', () => socket.close(4001, 'not you')) })
  const { next, send, closed } = await connect(app, '/own')
  const waiting = [next(), next()]
  send('end it')
  for (const each of waiting) await t.rejects(each, { message: 'the connection ended with code 4001 not you' })
  await closed
  await t.rejects(next(), { message: 'the connection ended with code 4001 not you' })
})

t.test('app.close() closes the connection with 1001', async (t) => {
  const app = await build(t)
  const { closed } = await connect(app, '/echo')
  await app.close()
  t.match(await closed, { code: 1001 })
})

t.test('connect() works in an app with an onTimeout hook, which needs a socket of the request', async (t) => {
  const app = await build(t)
  app.addHook('onTimeout', async () => {})
  const { next } = await connect(app, '/chat')
  t.equal(await next(), 'connected to WebSocket server')
})

t.test('connect() works with a scope of a ready app', async (t) => {
  const app = bare(t)
  let scope: FastifyInstance
  await app.register(async (inner) => {
    scope = inner
    await inner.register(fastifyChat)
  }, { prefix: '/in' })
  await app.ready()
  const { next } = await connect(scope!, '/in/chat')
  t.equal(await next(), 'connected to WebSocket server')
})

t.test('connect() rejects if the app does not start', async (t) => {
  const app = await build(t)
  app.addHook('onReady', async () => { throw new Error('no database') })
  await t.rejects(connect(app, '/chat'), { message: 'no database' })
})

t.test("the server's side closes with the connection, so that the process can exit", async (t) => {
  const ends: Array<(client: TestConnection, server: WebSocket) => void> = [
    (client) => { void client.close(4000) },
    (_client, server) => server.close(4000),
    (_client, server) => server.terminate()
  ]
  for (const end of ends) {
    const app = bare(t)
    await app.register(fastifyWebsocket, { options: { closeTimeout: 2 ** 31 - 1 } as object })
    let serverSocket: WebSocket
    app.get('/own', { websocket: true }, (socket) => { serverSocket = socket })
    const client = await connect(app, '/own')
    const closed = once(serverSocket!, 'close')
    end(client, serverSocket!)
    await client.closed
    await t.resolves(closed)
  }
})

t.test('invalid arguments reject and open no connection', async (t) => {
  const app = await build(t)
  const loose = connect as unknown as (...args: unknown[]) => Promise<TestConnection>
  const wrong: unknown[][] = [
    [undefined], [7], [''], ['chat'], ['/chat', null], ['/chat', 'fastify-chat.v1'], ['/chat', ['fastify-chat.v1']], ['/chat', { subprotocol: 'x' }],
    ['/chat', { protocol: 7 }], ['/chat', { protocol: ['x'] }], ['/chat', { remoteAddress: 7 }], ['/chat', { headers: 'x' }], ['/chat', { headers: { cookie: 7 } }]
  ]
  for (const args of wrong) await t.rejects(loose(app, ...args), { code: 'FST_CHAT_INVALID_ARGUMENT' }, JSON.stringify(args))
  t.equal(app.chat.stats().connections, 0)
  const { send, next, socket } = await connect(app, '/echo')
  for (const message of [undefined, null, 7, {}, ['x']] as never[]) t.throws(() => send(message), { code: 'FST_CHAT_INVALID_ARGUMENT' }, JSON.stringify(message))
  send('x')
  t.equal(await next(), 'x')
  socket.terminate()
})

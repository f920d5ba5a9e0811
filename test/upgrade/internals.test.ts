import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { PassThrough, type Duplex } from 'node:stream'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer, type ServerOptions } from 'ws'
import {
  appKey, appOptions, assignResponse, byteInterceptor, detachResponse, interceptUpgrades, markUpgrades, onNextUpgrade, provideWebsocket, requestAddress, responseUnderWay,
  restoreHandler, routerOptions, startReading, stopReading, verifyClientOf, websocketDispatchers, type UpgradeArguments
} from '../../src/upgrade/internals/index.ts'
import { bare, listen } from '../support/app.ts'
import { clientFrame } from '../support/frames.ts'
import { collectGarbage } from '../support/memory.ts'
import { upgraded, type RawClient } from '../support/raw-client.ts'
import { tick } from '../support/tick.ts'
import { open } from '../support/websocket-client.ts'

t.test("appOptions returns the app's options, also from a scope", async (t) => {
  const rewriteUrl = ({ url }: IncomingMessage) => url!
  const app = bare(t, { rewriteUrl, trustProxy: ['10.0.0.1'] })
  await app.register(async (scope) => {
    t.match(appOptions(scope), { rewriteUrl, trustProxy: ['10.0.0.1'] })
  })
  await app.ready()
})

t.test("routerOptions returns the settings of the app's router", async (t) => {
  t.match(routerOptions(bare(t, { routerOptions: { ignoreTrailingSlash: true, caseSensitive: false } })), { ignoreTrailingSlash: true, caseSensitive: false })
  t.match(routerOptions(bare(t, { routerOptions: { ignoreDuplicateSlashes: true, maxParamLength: 7 } })), { ignoreDuplicateSlashes: true, maxParamLength: 7 })
})

for (const [title, trustProxy] of Object.entries({
  'no proxy': false, 'all proxies': true, 'a named proxy': '192.0.2.1', 'a network': ['192.0.2.0/24'], 'a function': (_address: string, hop: number) => hop === 0, 'a number': 1
})) {
  t.test(`requestAddress returns request.ip of an app that trusts ${title}`, async (t) => {
    const app: FastifyInstance = Fastify({ trustProxy } as FastifyServerOptions)
    t.teardown(() => app.close())
    app.get('/', async ({ ip, raw }) => ({ ip, ours: requestAddress(app, raw) }))
    const { ip, ours } = (await app.inject({ url: '/', remoteAddress: '192.0.2.1', headers: { 'x-forwarded-for': '203.0.113.1, 203.0.113.2' } })).json<Record<string, string>>()
    t.type(ip, 'string')
    t.equal(ours, ip)
  })
}

t.test('requestAddress returns undefined for a request without a socket', async (t) => {
  for (const trustProxy of [true, false]) t.equal(requestAddress(bare(t, { trustProxy }), { headers: {} } as IncomingMessage), undefined)
})

t.test('appKey is the same in all scopes of an app, and differs between apps', async (t) => {
  const app = bare(t)
  await app.register(async (scope) => { t.equal(appKey(scope), appKey(app)) })
  t.not(appKey(bare(t)), appKey(app))
})

t.test('a response is assigned to a socket, written to it, and detached', async (t) => {
  const socket = new PassThrough()
  const request = { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 } as IncomingMessage
  t.equal(responseUnderWay(socket), undefined)
  const response = assignResponse(request, socket)
  t.equal(responseUnderWay(socket), response)
  t.throws(() => assignResponse(request, socket), 'a socket has one response')
  response.writeHead(101)
  response.end()
  t.match(String(socket.read()), /^HTTP\/1\.1 101 /)
  detachResponse(response, socket)
  t.equal(responseUnderWay(socket), undefined)
  t.equal(response.socket, null)
  for (const event of ['close', 'drain']) t.equal(socket.listeners(event).filter(({ name }) => name.startsWith('onServerResponse')).length, 0, event)
})

t.test('websocketDispatchers counts every @fastify/websocket of a server', async (t) => {
  const app = bare(t)
  await app.register(async (scope) => { await scope.register(fastifyWebsocket) })
  await app.register(async (scope) => { await scope.register(fastifyWebsocket) })
  await app.ready()
  t.equal(websocketDispatchers(app.server), 2)
})

t.test('an HTTP response destroys its socket if request.ws stays true; markUpgrades resets it', async (t) => {
  for (const mark of [true, false]) {
    const app = bare(t)
    await app.register(fastifyWebsocket)
    if (mark) markUpgrades(app, () => true)
    let socket: Duplex | undefined
    onNextUpgrade(app.server, (upgrade) => { socket = upgrade })
    const responded = new Promise<unknown[]>((resolve) => {
      // Runs after the hook of @fastify/websocket.
      app.addHook('onResponse', async (request) => resolve([request.ws, socket!.destroyed]))
    })
    app.addHook('preHandler', async (request, reply) => {
      t.equal(request.ws, true)
      return reply.code(403).send()
    })
    app.get('/', { websocket: true }, () => t.fail('upgraded'))
    await app.ready()
    app.injectWS('/').catch(() => {})
    t.strictSame(await responded, mark ? [false, false] : [true, true])
    socket!.destroy()
  }
})

t.test('@fastify/websocket replaces the handler of every route, and restoreHandler undoes it', async (t) => {
  for (const restored of [true, false]) {
    const app = bare(t)
    await app.register(fastifyWebsocket)
    const handler = async () => 'own'
    app.addHook('onRoute', (route) => {
      t.not(route.handler, handler)
      if (restored) restoreHandler(route, handler)
    })
    app.get('/', handler)
    await app.ready()
    const upgraded = app.injectWS('/')
    if (restored) await t.rejects(upgraded, { message: /200/ })
    else {
      (await upgraded).terminate()
      // The server's end of an injected connection doesn't notice it. Its close would wait for 30 s.
      for (const socket of app.websocketServer.clients) socket.terminate()
    }
  }
})

t.test("verifyClientOf returns the verifyClient of the app's @fastify/websocket", async (t) => {
  t.equal(verifyClientOf(bare(t)), undefined)
  for (const verifyClient of [undefined, () => true]) {
    const app = bare(t)
    await app.register(fastifyWebsocket, { options: { ...verifyClient && { verifyClient } } })
    t.equal(verifyClientOf(app), verifyClient)
  }
})

t.test('provideWebsocket registers @fastify/websocket synchronously for a websocket: true route', async (t) => {
  const app = bare(t)
  const added: string[] = []
  const handlers: Array<(...args: UpgradeArguments) => void> = []
  await provideWebsocket(app, (path, _constraints, handle) => { added.push(path); handlers.push(handle) })
  t.notOk(app.hasDecorator('websocketServer'))
  app.get('/own', { websocket: true }, (socket: WebSocket) => { socket.on('message', (data: Buffer) => socket.send(data.toString())) })
  t.ok(app.hasDecorator('websocketServer'))
  t.strictSame(added, ['/own'])
  app.server.on('upgrade', (...args) => handlers[0]!(...args))
  const port = await listen(app)
  t.equal(app.server.listenerCount('upgrade'), 1, 'its own listener is on another emitter')
  for (const connect of [() => open(t, `ws://127.0.0.1:${port}/own`).then(({ socket }) => socket), () => app.injectWS('/own') as unknown as Promise<WebSocket>]) {
    const socket = await connect()
    const echoed = once(socket, 'message')
    socket.send('hi')
    t.equal(String((await echoed)[0]), 'hi')
    socket.terminate()
  }
})

t.test('interceptUpgrades', async (t) => {
  t.test('hides upgrades from the listeners or passes them on, and affects no other event', async (t) => {
    const server = createServer()
    const received: unknown[] = []
    server.on('upgrade', (request) => received.push(request))
    server.on('other', (...args) => received.push(args))
    let hide = true
    const restore = interceptUpgrades(server, (_request, _socket, _head, pass) => { if (!hide) pass() })
    server.emit('upgrade', 1)
    t.equal(server.emit('other', 2, 3), true)
    t.equal(server.emit('nobody'), false)
    hide = false
    server.emit('upgrade', 4)
    t.strictSame(received, [[2, 3], 4])
    restore()
  })

  t.test("restores the server's emit", async (t) => {
    const server = createServer()
    interceptUpgrades(server, () => t.fail('intercepted'))()
    t.notOk(Object.hasOwn(server, 'emit'))
    t.equal(server.listenerCount('upgrade'), 0)
    t.equal(server.emit('upgrade'), false)
  })

  t.test("calls the server's own emit, and restores it", async (t) => {
    const server = new EventEmitter()
    const emitted: unknown[] = []
    const own = function (...args: unknown[]) { emitted.push(args); return true }
    server.emit = own
    const restore = interceptUpgrades(server, (_request, _socket, _head, pass) => pass())
    server.emit('upgrade', 1)
    t.strictSame(emitted.at(-1), ['upgrade', 1])
    restore()
    t.equal(server.emit, own)
  })

  t.test('passes upgrades on after it is restored, if another emit wraps it', async (t) => {
    const server = new EventEmitter()
    const restore = interceptUpgrades(server, () => t.fail('intercepted'))
    const { emit } = server
    server.emit = function (...args) { return Reflect.apply(emit, this, args) }
    restore()
    server.on('upgrade', () => t.pass('received'))
    server.emit('upgrade')
    t.plan(1)
  })
})

t.test('onNextUpgrade reports the socket of the next upgrade only, intercepted or not', async (t) => {
  for (const intercepted of [true, false]) {
    const server = new EventEmitter()
    if (intercepted) interceptUpgrades(server, () => {})
    const seen: unknown[] = []
    onNextUpgrade(server, (socket) => seen.push(socket))
    server.emit('upgrade', {}, 'first')
    server.emit('upgrade', {}, 'second')
    onNextUpgrade(server, (socket) => seen.push(socket))()
    server.emit('upgrade', {}, 'third')
    t.strictSame(seen, ['first'])
  }
})

t.test("stopReading leaves a client's bytes in the kernel until startReading", async (t) => {
  const server = createTcpServer()
  t.teardown(() => server.close())
  const accepted = once(server, 'connection') as Promise<[Socket]>
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = connect(server.address() as { port: number })
  t.teardown(() => client.destroy())
  const [socket] = await accepted
  const received: Buffer[] = []
  socket.on('data', (chunk) => received.push(chunk))
  client.write('first')
  await once(socket, 'data')

  stopReading(socket)
  stopReading(socket)
  await new Promise((resolve) => client.write('second', resolve))
  // The bytes have arrived, because bytes that another connection sent later were read.
  const later = once(server, 'connection') as Promise<[Socket]>
  const other = connect(server.address() as { port: number })
  t.teardown(() => other.destroy())
  other.write('later')
  await once((await later)[0], 'data')
  t.equal(Buffer.concat(received).toString(), 'first')

  startReading(socket)
  startReading(socket)
  await once(socket, 'data')
  t.equal(Buffer.concat(received).toString(), 'firstsecond')
})

t.test('stopReading and startReading do nothing to an injected stream and a closed socket', async (t) => {
  const stream = new PassThrough()
  const closed = connect({ port: 1, host: '127.0.0.1' }).on('error', () => {}).destroy()
  for (const each of [stream, closed]) {
    stopReading(each)
    startReading(each)
  }
  t.equal(stream.isPaused(), false)
})

/** Starts a server of `ws`. Returns a function that connects a client and resolves with it and the server's socket. */
function wsServer (t: Test, options: ServerOptions = {}): () => Promise<{ client: RawClient, socket: WebSocket }> {
  const server = new WebSocketServer({ port: 0, ...options })
  t.teardown(() => server.close())
  return () => wsConnection(t, server)
}

async function wsConnection (t: Test, server: WebSocketServer): Promise<{ client: RawClient, socket: WebSocket }> {
  const accepted = once(server, 'connection') as Promise<[WebSocket]>
  const client = await upgraded(t, (server.address() as { port: number }).port, '/')
  const [socket] = await accepted
  return { client, socket }
}

t.test("byteInterceptor passes a client's bytes to the reader, and the messages that it parses", async (t) => {
  const { client, socket } = await wsServer(t)()
  const read: Buffer[] = []
  const messages: string[] = []
  const errors: Error[] = []
  const reads = new EventEmitter()
  const parser = byteInterceptor()(socket, {
    read: (chunk) => { read.push(chunk); reads.emit('read') },
    received: ({ data }) => { messages.push(data.toString()) },
    end: () => t.fail('a receiver that is destroyed has no end')
  })
  socket.on('message', () => t.fail('ws emits no message'))
  socket.on('error', (error) => errors.push(error))

  const sent = Buffer.concat([clientFrame(1, 'one'), clientFrame(1, 'two'), clientFrame(3)])
  client.socket.write(sent)
  while (Buffer.concat(read).length < sent.length) await once(reads, 'read')
  t.ok(Buffer.concat(read).equals(sent))
  t.strictSame(messages, [])

  let parsed = 0
  parser.parse(clientFrame(1, 'one'), (error) => { t.notOk(error); parsed++ })
  t.strictSame([messages, parsed], [['one'], 1])
  parser.parse(clientFrame(3), (error) => {
    t.match(error, { code: 'WS_ERR_INVALID_OPCODE' })
    t.equal(socket.readyState, WebSocket.OPEN, 'ws closes only after fail')
    parser.fail(error!)
  })
  await client.ended
  t.match(errors, [{ code: 'WS_ERR_INVALID_OPCODE' }])
})

t.test('byteInterceptor delays the close event of ws until the reader calls back', async (t) => {
  const { client, socket } = await wsServer(t)()
  let isClosed = false
  const closed = once(socket, 'close').then(() => { isClosed = true })
  const ended = new Promise<() => void>((resolve) => { byteInterceptor()(socket, { read () {}, received () {}, end: resolve }) })
  client.socket.destroy()
  const onParsed = await ended
  await tick()
  t.equal(isClosed, false)
  onParsed()
  await closed
})

t.test('byteInterceptor parses with the options and the listeners of ws', async (t) => {
  const connect = wsServer(t, { maxPayload: 10, autoPong: false })
  const intercept = byteInterceptor()
  const unused = await connect()
  const opened = async () => {
    const { client, socket } = await connect()
    const closed = new Promise<number>((resolve) => { socket.on('close', resolve) })
    const parser = intercept(socket, { read () {}, received () {}, end: (onParsed) => onParsed() })
    const events: unknown[] = []
    for (const event of ['ping', 'pong', 'error'] as const) socket.on(event, (data: Buffer | Error) => events.push([event, data.toString()]))
    const parse = (bytes: Buffer) => new Promise<Error | null | undefined>((resolve) => parser.parse(bytes, resolve))
    return { client, closed, parser, parse, events }
  }
  intercept(unused.socket, { read () {}, received () {}, end: (onParsed) => onParsed() })
  unused.client.socket.end()
  t.equal((await once(unused.socket, 'close'))[0], 1006)

  const closing = await opened()
  t.notOk(await closing.parse(Buffer.concat([clientFrame(9, 'a'), clientFrame(10, 'b'), clientFrame(8, Buffer.from([3, 232]))])))
  t.strictSame(closing.events, [['ping', 'a'], ['pong', 'b']])
  t.equal(await closing.closed, 1000)

  const tooLong = await opened()
  const error = await tooLong.parse(clientFrame(1, 'x'.repeat(11)))
  t.match(error, { code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
  tooLong.parser.fail(error!)
  await tooLong.client.ended
  t.equal(await tooLong.closed, 1006)
  t.match(tooLong.events, [['error', /size/]])
})

t.test('byteInterceptor keeps no socket that has ended, not even the first one', async (t) => {
  const connected = wsServer(t)
  const intercept = byteInterceptor()
  /** Connects a client and ends the connection. Resolves with a reference to its socket. */
  async function ended (): Promise<WeakRef<WebSocket>> {
    const { client, socket } = await connected()
    intercept(socket, { read () {}, received () {}, end: (onParsed) => onParsed() }).parse(clientFrame(1, 'one'), () => {})
    const closed = once(socket, 'close')
    client.socket.destroy()
    await closed
    return new WeakRef(socket)
  }
  const first = await ended()
  await ended()
  for (let i = 0; i < 100 && first.deref() !== undefined; i++) {
    await tick()
    collectGarbage()
  }
  t.equal(first.deref(), undefined)
})

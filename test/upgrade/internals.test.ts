import { EventEmitter } from 'node:events'
import { createServer, ServerResponse, type IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t from 'tap'
import { appOptions, interceptUpgrades, onNextUpgrade, requestAddress, responseUnderWay, routerOptions, websocketDispatchers } from '../../src/upgrade/internals.ts'
import { bare } from '../support/helper.ts'

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

t.test('responseUnderWay returns the response of a socket until it is detached', async (t) => {
  const socket = new PassThrough()
  const response = new ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 } as IncomingMessage)
  t.equal(responseUnderWay(socket), undefined)
  response.assignSocket(socket as never)
  t.equal(responseUnderWay(socket), response)
  response.detachSocket(socket as never)
  t.equal(responseUnderWay(socket), undefined)
})

t.test('websocketDispatchers counts every @fastify/websocket of a server', async (t) => {
  const app = bare(t)
  await app.register(async (scope) => { await scope.register(fastifyWebsocket) })
  await app.register(async (scope) => { await scope.register(fastifyWebsocket) })
  await app.ready()
  t.equal(websocketDispatchers(app.server), 2)
})

t.test('interceptUpgrades', async (t) => {
  t.test('hides upgrades from the listeners or passes them on, and affects no other event', async (t) => {
    const server = createServer()
    const heard: unknown[] = []
    server.on('upgrade', (request) => heard.push(request))
    server.on('other', (...args) => heard.push(args))
    let hide = true
    const restore = interceptUpgrades(server, (_request, _socket, _head, pass) => { if (!hide) pass() })
    server.emit('upgrade', 1)
    t.equal(server.emit('other', 2, 3), true)
    t.equal(server.emit('nobody'), false)
    hide = false
    server.emit('upgrade', 4)
    t.strictSame(heard, [[2, 3], 4])
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
    server.on('upgrade', () => t.pass('heard'))
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

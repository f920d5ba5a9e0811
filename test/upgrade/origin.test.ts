import Fastify, { type onRequestAsyncHookHandler, type preHandlerAsyncHookHandler } from 'fastify'
import t, { type Test } from 'tap'
import fastifyChat, { type Origins } from '../../src/index.ts'
import { connect, type RefusedUpgrade } from '../../src/testing.ts'
import { bare, build, listen } from '../support/app.ts'
import { raw, upgradeRequest } from '../support/raw-client.ts'
import { tick } from '../support/tick.ts'
import { open, refused } from '../support/websocket-client.ts'

/** Resolves with true if a handshake with these headers is accepted. */
async function admits (t: Test, origins: Origins, headers: Record<string, string>): Promise<boolean> {
  const app = await build(t, { origins })
  try {
    const { close } = await connect(app, '/echo', { headers })
    await close()
    return true
  } catch (error) {
    if ((error as RefusedUpgrade).response.code !== 'FST_CHAT_ORIGIN_REFUSED') throw error
    return false
  }
}

t.test('by default only pages of the same host may connect', async (t) => {
  const cases: Array<[origin: string, host: string, admitted: boolean]> = [
    ['http://localhost:3000', 'localhost:3000', true],
    ['https://localhost:3000', 'localhost:3000', true],
    ['https://example.com', 'example.com', true],
    ['https://example.com', 'EXAMPLE.com', true],
    ['https://example.com', 'example.com:443', true],
    ['http://example.com', 'example.com:80', true],
    ['http://[::1]:3000', '[::1]:3000', true],
    ['http://127.0.0.1:3000', '127.0.0.1:3000', true],
    ['https://xn--bcher-kva.example', 'xn--bcher-kva.example', true],
    ['http://localhost:3001', 'localhost:3000', false],
    ['http://localhost', 'localhost:3000', false],
    ['http://example.com', 'example.com:443', false],
    ['http://localhost:3000', '127.0.0.1:3000', false],
    ['https://example.com', 'chat.example.com', false],
    ['https://chat.example.com', 'example.com', false],
    ['https://example.com.evil.example', 'example.com', false],
    ['https://evilexample.com', 'example.com', false],
    ['https://example.com@evil.example', 'example.com', false],
    ['https://evil.example/example.com', 'example.com', false],
    ['https://evil.example?example.com', 'example.com', false],
    ['https://evil.example#@example.com', 'example.com', false],
    ['https://example.com, https://evil.example', 'example.com', false],
    ['null', 'null', false],
    ['', 'example.com', false],
    ['https://', '', false],
    ['https:example.com', 'example.com', false],
    ['//example.com', 'example.com', false],
    ['example.com', 'example.com', false],
    ['file://', '', false],
    ['file://example.com', 'example.com', false],
    ['chrome-extension://example', 'example', false],
    ['data:text/html,example.com', 'example.com', false],
    ['https://example.com', '', false],
    ['https://example.com', 'not a host', false]
  ]
  for (const [origin, host, admitted] of cases) {
    t.equal(await admits(t, undefined, { origin, host }), admitted, `a page of '${origin}' at '${host}'`)
  }
})

t.test('a client that sends no origin may connect', async (t) => {
  for (const origins of [undefined, [], ['https://example.com'], () => false]) {
    t.equal(await admits(t, origins, {}), true)
  }
})

t.test('a list allows pages of exactly these origins, and those of the same host', async (t) => {
  const origins = ['https://example.com', 'http://localhost:5173', 'chrome-extension://abc']
  for (const origin of origins) t.equal(await admits(t, origins, { origin }), true, origin)
  for (const origin of [
    'http://example.com', 'https://example.com:8443', 'https://a.example.com', 'https://example.com.evil.example',
    'http://localhost', 'http://localhost:5174', 'chrome-extension://abcd', 'null', ''
  ]) {
    t.equal(await admits(t, origins, { origin, host: 'chat.example' }), false, origin)
  }
  for (const list of [origins, []]) {
    t.equal(await admits(t, list, { origin: 'https://own.example', host: 'own.example' }), true, 'the same host, not on the list')
    t.equal(await admits(t, list, { origin: 'https://own.example', host: 'own.example:8443' }), false, 'another port')
  }
})

t.test('true allows every page', async (t) => {
  for (const origin of ['https://evil.example', 'null', '']) t.equal(await admits(t, true, { origin }), true, origin)
})

t.test('a function decides by origin and request, synchronously or not', async (t) => {
  const origins: Origins = async (origin, request) => {
    await tick()
    return origin === 'https://example.com' && request.headers['x-tenant'] === 'a'
  }
  t.equal(await admits(t, origins, { origin: 'https://example.com', 'x-tenant': 'a' }), true)
  t.equal(await admits(t, origins, { origin: 'https://example.com', 'x-tenant': 'b' }), false)
  t.equal(await admits(t, origins, { origin: 'https://evil.example', 'x-tenant': 'a' }), false)
  t.equal(await admits(t, (origin) => origin === 'null', { origin: 'null' }), true)
})

t.test('a function allows only by returning true', async (t) => {
  for (const answer of ['no', 'https://example.com', 1, {}, [], null, undefined, new Proxy({}, {})]) {
    for (const origins of [() => answer, async () => answer]) {
      t.equal(await admits(t, origins as unknown as Origins, { origin: 'https://example.com' }), false, JSON.stringify(answer))
    }
  }
})

t.test('a function that never settles ends with 503 at the handshake timeout', async (t) => {
  const app = await build(t, { origins: () => new Promise(() => {}), limits: { handshakeTimeout: 200 } })
  await t.rejects(connect(app, '/echo', { headers: { origin: 'https://example.com' } }), { message: /refused with 503: the handshake timed out/ })
})

t.test('a function that throws or rejects allows no page', async (t) => {
  const unreadable = Object.defineProperty(new Error('x'), 'message', { get () { throw new Error('again') } })
  const failures: Origins[] = [
    () => { throw new Error('boom') },
    async () => { throw new Error('boom') },
    ...[null, undefined, 'boom', unreadable].map((thrown) => () => { throw thrown })
  ]
  for (const origins of failures) {
    const app = await build(t, { origins })
    await t.rejects(connect(app, '/echo', { headers: { origin: 'https://example.com' } }), { message: /refused with 500/ })
  }
})

t.test('a refused page gets 403 with a code on both routes, and its socket is closed', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  for (const path of ['/chat', '/echo']) {
    const { status, body } = await refused(`ws://127.0.0.1:${port}${path}`, { origin: 'https://evil.example' })
    t.equal(status, 403)
    t.match(JSON.parse(body), {
      code: 'FST_CHAT_ORIGIN_REFUSED',
      message: `connections from the origin 'https://evil.example' to the host '127.0.0.1:${port}' are not allowed: ` +
        "allow the origin in the option 'origins', or let the proxy keep the Host header"
    })
    t.match(app.lines.filter(({ msg }) => msg === 'refused').at(-1), { reason: 'FST_CHAT_ORIGIN_REFUSED', message: JSON.parse(body).message })

    const client = await raw(t, port)
    client.socket.write(upgradeRequest(path, { Origin: 'https://evil.example' }))
    await client.until((received) => received.includes('HTTP/1.1 403 '))
    await client.ended
  }
})

t.test('a page of the same host connects over TCP', async (t) => {
  const port = await listen(await build(t, { chat: { greeting: 'hello' } }))
  const { next } = await open(t, `ws://127.0.0.1:${port}/chat`, { origin: `http://127.0.0.1:${port}` })
  t.equal(await next(), 'hello')
})

t.test('the host is that of X-Forwarded-Host only if the app trusts its proxy', async (t) => {
  const origin = 'https://example.com'
  const forwarded = { host: 'internal:3000', 'x-forwarded-host': 'example.com', 'x-forwarded-proto': 'https' }
  for (const origins of [undefined, ['https://other.example']]) {
    for (const [trustProxy, own, foreign] of [
      ['127.0.0.1', origin, 'http://internal:3000'],
      ['192.0.2.1', 'http://internal:3000', origin],
      [false, 'http://internal:3000', origin]
    ] as const) {
      const app = bare(t, { trustProxy })
      await app.register(fastifyChat, { origins })
      const url = `ws://127.0.0.1:${await listen(app)}/echo`
      const { socket } = await open(t, url, { headers: forwarded, origin: own })
      socket.terminate()
      t.match(await refused(url, { headers: forwarded, origin: foreign }), { status: 403 }, `trustProxy ${trustProxy}`)
    }
  }
})

t.test('behind a proxy that changes the host, the page is refused until the list has its origin', async (t) => {
  const page = { origin: 'http://localhost:5173', host: 'localhost:3000' }
  t.equal(await admits(t, undefined, page), false)
  t.equal(await admits(t, ['http://localhost:5173'], page), true)
})

t.test('injectWS without an address works in an app that trusts its proxy', async (t) => {
  const app = Fastify({ trustProxy: true })
  t.teardown(() => app.close())
  await app.register(fastifyChat)
  await app.ready()
  const socket = await app.injectWS('/echo', { headers: { host: 'localhost', origin: 'http://localhost' } })
  socket.terminate()
})

t.test("the app's own hooks run before the origin check", async (t) => {
  for (const hook of ['onRequest', 'preValidation', 'preHandler'] as const) {
    const refuse: onRequestAsyncHookHandler & preHandlerAsyncHookHandler = async (_request, reply) => reply.code(401).send('who are you?')
    const app = await build(t, { routeOptions: { [hook]: refuse } })
    await t.rejects(connect(app, '/chat', { headers: { origin: 'https://evil.example' } }), { message: /401/ }, hook)
  }
})

t.test('a function as origins, or a host constraint, prevents DNS rebinding', async (t) => {
  const rebound = { host: 'evil.example:3000', origin: 'http://evil.example:3000' }
  const own = { host: 'localhost:3000', origin: 'http://localhost:3000' }
  const localhost: Origins = (origin) => origin === 'http://localhost:3000'
  t.equal(await admits(t, localhost, rebound), false)
  t.equal(await admits(t, localhost, own), true)
  const app = await build(t, { routeOptions: { constraints: { host: 'localhost:3000' } } })
  await t.rejects(connect(app, '/chat', { headers: rebound }), { message: /404/ })
  await (await connect(app, '/chat', { headers: own })).close()
})

t.test('a plain HTTP request gets 426, regardless of its origin', async (t) => {
  const app = await build(t)
  const { statusCode } = await app.inject({ url: '/chat', headers: { origin: 'https://evil.example' } })
  t.equal(statusCode, 426)
})

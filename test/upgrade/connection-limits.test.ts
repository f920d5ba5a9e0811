import { readdirSync } from 'node:fs'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { join } from 'node:path'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { pluginWith } from '../../src/plugin.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { connect, type RefusedUpgrade } from '../../src/testing.ts'
import { bare, build, listen, logged, type Line } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { directory } from '../support/directory.ts'
import { clientFrame } from '../support/frames.ts'
import { full } from '../support/full.ts'
import { memoryInUse } from '../support/memory.ts'
import { raw, upgraded, upgradeRequest } from '../support/raw-client.ts'
import { tick } from '../support/tick.ts'
import { protocol } from '../support/v1-client.ts'
import { open, refused } from '../support/websocket-client.ts'
import { backendOf } from '../support/backend.ts'

/** Opens a connection. Resolves with the status if the upgrade is refused. */
async function ask (app: Parameters<typeof connect>[0], options: Parameters<typeof connect>[2], path = '/chat') {
  try {
    return await connect(app, path, options)
  } catch (error) {
    return (error as RefusedUpgrade).statusCode
  }
}

function warnings ({ lines }: { lines: Line[] }): unknown[] {
  return lines.filter(({ level }) => level >= 40).map(({ reason, msg }) => reason ?? msg)
}

/** Asserts that an upgrade is refused with this status and code, and with Retry-After. */
async function isRefused (t: Test, port: number, status: number, code: string): Promise<void> {
  const { status: answered, headers, body } = await refused(`ws://127.0.0.1:${port}/chat`)
  t.equal(answered, status)
  t.match(JSON.parse(body), { statusCode: status, code })
  t.match(headers['retry-after'], /^\d+$/)
}

t.test('beyond limits.connections an upgrade of either route gets 503; pending upgrades count', async (t) => {
  let letIn!: () => void
  let asked!: () => void
  const waiting = new Promise<void>((resolve) => { asked = resolve })
  const app = await build(t, {
    limits: { connections: 3 },
    routeOptions: {
      onRequest: async ({ url }) => {
        if (url !== '/echo?wait') return
        asked()
        await new Promise<void>((resolve) => { letIn = resolve })
      }
    }
  })
  const port = await listen(app)
  const first = await open(t, `ws://127.0.0.1:${port}/echo`)
  await open(t, `ws://127.0.0.1:${port}/chat`)
  const third = open(t, `ws://127.0.0.1:${port}/echo?wait`)
  await waiting
  await isRefused(t, port, 503, 'FST_CHAT_TOO_MANY_CONNECTIONS')
  letIn()
  await third
  await isRefused(t, port, 503, 'FST_CHAT_TOO_MANY_CONNECTIONS')
  t.equal((await app.inject('/chat')).statusCode, 426, 'a plain request is not limited')
  first.socket.close()
  await logged(app, 'websocket closed')
  await open(t, `ws://127.0.0.1:${port}/chat`)
  t.equal(app.chat.stats().connections, 3)
})

t.test('beyond limits.connectionsPerAddress an upgrade from that address gets 429', async (t) => {
  const app = await build(t, { limits: { connectionsPerAddress: 1 } })
  for (const [first, same, other] of [
    ['203.0.113.1', '203.0.113.1', '203.0.113.2'],
    ['203.0.113.3', '::ffff:203.0.113.3', '::ffff:203.0.113.4'],
    ['::ffff:203.0.113.5', '::FFFF:cb00:7105', '203.0.113.6'],
    ['2001:db8:1:2::1', '2001:DB8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:3::1'],
    ['2001:db8::1', '2001:db8:0:0:1::', '2001:db8:0:1::'],
    ['::1', '0:0:0:0:8000::', '1::1'],
    ['fe80::1%eth0', 'fe80::2%eth1', 'fe80:1::1%eth0']
  ] as const) {
    const held = await ask(app, { remoteAddress: first })
    t.equal(await ask(app, { remoteAddress: same }, '/echo'), 429, `${same} after ${first}`)
    const free = await ask(app, { remoteAddress: other })
    if (typeof held === 'number' || typeof free === 'number') throw new Error(`${first} or ${other} was refused`)
    await Promise.all([free.close(), held.close()])
    while (app.chat.stats().connections > 0) await tick()
    const again = await ask(app, { remoteAddress: same })
    if (typeof again === 'number') throw new Error(`${same} was refused when ${first} had left`)
    await again.close()
    while (app.chat.stats().connections > 0) await tick()
  }
})

t.test('behind a proxy request.ip is counted, and a spoofed X-Forwarded-For changes nothing', async (t) => {
  const app = bare(t, { trustProxy: (_address, hop) => hop === 0 })
  await app.register(fastifyChat, { limits: { connectionsPerAddress: 1 } })
  const through = (forwarded: string) => ask(app, { headers: { 'x-forwarded-for': forwarded } })
  t.type(await through('203.0.113.1'), 'object')
  t.type(await through('203.0.113.2'), 'object')
  for (const forwarded of ['203.0.113.1', '198.51.100.7, 203.0.113.1', '203.0.113.1:1234', '[::ffff:203.0.113.2]:1234']) {
    t.equal(await through(forwarded), 429, forwarded)
  }
  t.type(await through('nowhere at all'), 'object')
  t.equal(await through('elsewhere'), 429, "values that aren't addresses share one bucket")
  t.strictSame(warnings(app).filter((warning) => String(warning).includes('trustProxy')), [])
})

for (const [title, trustProxy, limit, warned] of [
  ['any proxy and counts addresses', true, 100, true],
  ['any proxy and counts no addresses', true, Infinity, false],
  ['a number of proxies and counts addresses', 1, 100, true],
  ['a number of proxies and counts no addresses', 1, Infinity, false],
  ['one proxy', '10.0.0.1', 100, false],
  ['no proxy', false, 100, false]
] as const) {
  t.test(`an app that trusts ${title} logs ${warned ? 'a' : 'no'} warning at start`, async (t) => {
    // Fastify's types exclude the number, which Fastify accepts.
    const app = bare(t, trustProxy === false ? {} : { trustProxy: trustProxy as boolean })
    await app.register(async (scope) => { await scope.register(fastifyChat, { limits: { connectionsPerAddress: limit } }) })
    await app.ready()
    t.equal(warnings(app).filter((warning) => String(warning).includes('trustProxy')).length, warned ? 1 : 0)
  })
}

t.test('a limit of rooms per address needs a reliable address too', async (t) => {
  const app = bare(t, { trustProxy: true })
  await app.register(fastifyChat, { limits: { roomsPerAddress: 5 } })
  await app.ready()
  t.match(warnings(app), [/^with trustProxy: true clients can spoof X-Forwarded-For/])
})

const unixSocketWarning = 'request.ip is undefined on a Unix socket, so limits per address and bans by address have no effect: ' +
  'set trustProxy to (_address, hop) => hop === 0, and let the proxy set X-Forwarded-For'

t.test('on a Unix socket, the first upgrade logs one warning about clients without an address', async (t) => {
  for (const trustProxy of [false, '127.0.0.1', 1] as Array<string | false>) {
    const app = bare(t, { trustProxy })
    await app.register(fastifyChat, { echo: false })
    const path = join(directory(t), 'app.sock')
    await app.listen({ path })
    const before = warnings(app).length
    for (let i = 0; i < 3; i++) {
      const { next } = await open(t, `ws+unix://${path}:/chat`, { headers: { 'x-forwarded-for': '203.0.113.1' } })
      await next()
    }
    t.strictSame(warnings(app).slice(before), [unixSocketWarning], `trustProxy ${trustProxy}`)
  }
})

t.test('on a Unix socket, the function that the warning names makes limits and bans work', async (t) => {
  const app = bare(t, { trustProxy: (_address, hop) => hop === 0 })
  await app.register(fastifyChat, { limits: { connectionsPerAddress: 2 } })
  const path = join(directory(t), 'app.sock')
  await app.listen({ path })
  const url = `ws+unix://${path}:/chat`
  const from = (address: string) => ({ headers: { host: 'localhost', 'x-forwarded-for': `192.0.2.99, ${address}` } })
  const ada = await open(t, url, from('203.0.113.1'))
  await open(t, url, from('203.0.113.1'))
  t.match(await refused(url, from('203.0.113.1')), { status: 429 })
  const grace = await open(t, url, from('203.0.113.2'))
  for (const { next } of [ada, grace]) await next()
  await app.chat.ban({ address: '203.0.113.1' }, { duration: 60_000, reason: 'out' })
  t.strictSame(await ada.closed, { code: 4403, reason: 'out' })
  grace.socket.send('still here')
  t.equal(await grace.next(), 'still here')
  t.notOk(warnings(app).includes(unixSocketWarning))
})

t.test('a connection without a known address is not counted by address', async (t) => {
  for (const trustProxy of [true, false]) {
    // Without a logger: with trustProxy Fastify's own log line of the request fails.
    const app = Fastify(trustProxy ? { trustProxy } : {})
    t.teardown(() => app.close())
    await app.register(fastifyChat, { limits: { connectionsPerAddress: 1 } })
    await app.ready()
    const sockets = [await app.injectWS('/echo'), await app.injectWS('/echo')]
    t.equal(app.chat.stats().connections, 2)
    for (const socket of sockets) socket.terminate()
  }
})

t.test('1,000 resets at all stages of a handshake leak no descriptor and no memory', async (t) => {
  const hooks = new Set<() => void>()
  const app = await build(t, {
    limits: { connectionsPerAddress: 100, connections: 100 },
    routeOptions: {
      onRequest: ({ url }) => url.includes('wait') ? new Promise<void>((resolve) => { hooks.add(resolve) }) : Promise.resolve()
    }
  })
  const port = await listen(app)
  const stages: Array<(socket: ReturnType<typeof connectSocket>) => void | Promise<unknown>> = [
    () => {},
    (socket) => { socket.write(upgradeRequest('/chat').slice(0, 60)) },
    (socket) => { socket.write(upgradeRequest('/chat')) },
    async (socket) => {
      const before = hooks.size
      socket.write(upgradeRequest('/chat?wait'))
      while (hooks.size === before) await tick()
    },
    async (socket) => {
      socket.write(upgradeRequest('/chat'))
      await once(socket, 'data')
    },
    async (socket) => {
      socket.write(Buffer.concat([Buffer.from(upgradeRequest('/chat', { 'Sec-WebSocket-Protocol': protocol })), clientFrame(1, '{"type":"hello"}').subarray(0, 9)]))
      await once(socket, 'data')
    },
    async (socket) => {
      socket.write(upgradeRequest('/chat', { Origin: 'https://evil.example' }))
      await once(socket, 'data')
    }
  ]
  const attack = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const serverSide = once(app.server, 'connection')
      const socket = connectSocket({ port, host: '127.0.0.1' })
      socket.on('error', () => {})
      await serverSide
      await stages[i % stages.length]!(socket)
      socket.resetAndDestroy()
    }
    for (const go of hooks) go()
    hooks.clear()
    while (app.chat.stats().connections > 0 || await connections() > 0) await tick()
    app.lines.length = 0
    return { memory: await memoryInUse(), descriptors: readdirSync('/proc/self/fd').length }
  }
  const connections = () => new Promise<number>((resolve, reject) => {
    app.server.getConnections((error, count) => error === null ? resolve(count) : reject(error))
  })
  const before = await attack(200)
  const after = await attack(full(1_000, 400))
  t.ok(after.descriptors <= before.descriptors, `${after.descriptors} descriptors, ${before.descriptors} before`)
  t.ok(after.memory - before.memory < 2_000_000, `${after.memory - before.memory} bytes more`)
  const all = await Promise.all(Array.from({ length: 100 }, () => upgraded(t, port, '/echo')))
  await isRefused(t, port, 503, 'FST_CHAT_TOO_MANY_CONNECTIONS')
  for (const { socket } of all) socket.destroy()
})

const handshake = upgradeRequest('/chat')
const malformedExtensions = [
  ',', ';', 'permessage-deflate;', 'permessage-deflate,', 'a b', 'a; b=', 'a; b=c d', 'a; b="', 'a; b="c', 'a; b=""', 'a; b="c,d"', 'a; b="c;d"', 'a; =c', '"a"', 'a=b', 'a; b=\u00e9'
]
const malformedProtocols = ['', ',', 'a,', 'a b', 'a, a', '"a"', 'a;b', 'a/b']
const malformed: Record<string, string> = {
  ...Object.fromEntries(malformedExtensions.map((header) => [
    `with the extensions '${header}'`, upgradeRequest('/chat', { 'Sec-WebSocket-Extensions': header })
  ])),
  ...Object.fromEntries(malformedProtocols.map((header) => [
    `with the subprotocols '${header}'`, upgradeRequest('/chat', { 'Sec-WebSocket-Protocol': header })
  ])),
  'of HTTP/1.0': handshake.replace('HTTP/1.1', 'HTTP/1.0'),
  'of HTTP/2.0': handshake.replace('HTTP/1.1', 'HTTP/2.0'),
  'without a Host': handshake.replace('Host: localhost\r\n', ''),
  'with two Hosts': handshake.replace('Host', 'Host: evil.example\r\nHost'),
  'of version 7': handshake.replace('Version: 13', 'Version: 7'),
  'of version 8': handshake.replace('Version: 13', 'Version: 8'),
  'without a version': handshake.replace('Sec-WebSocket-Version: 13\r\n', ''),
  'with a list of versions': handshake.replace('Version: 13', 'Version: 13, 8'),
  'without a key': handshake.replace(/Sec-WebSocket-Key.*\r\n/, ''),
  'with a short key': handshake.replace('dGhl', ''),
  'with two keys': handshake.replace('Sec-WebSocket-Key', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key'),
  'to h2c': handshake.replace('Upgrade: websocket', 'Upgrade: h2c'),
  'to h2c or websocket': handshake.replace('Upgrade: websocket', 'Upgrade: h2c, websocket'),
  'with a body': handshake.replace('\r\n\r\n', '\r\nContent-Length: 5\r\n\r\nhello'),
  'with a chunked body': handshake.replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
}
for (const [title, request] of Object.entries(malformed)) {
  t.test(`a handshake ${title} gets 400 with Sec-WebSocket-Version before a route hook runs`, async (t) => {
    const app = await build(t, { routeOptions: { onRequest: async () => t.fail('a hook ran') } })
    const client = await raw(t, await listen(app))
    client.socket.write(request)
    await client.ended
    const answer = client.received.toString()
    t.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/)
    t.match(answer, /\r\nsec-websocket-version: 13\r\n/i)
    t.match(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))), { code: 'FST_CHAT_BAD_HANDSHAKE' })
    t.strictSame(warnings(app), ['FST_CHAT_BAD_HANDSHAKE'])
  })
}

t.test('an upgrade that arrives byte by byte is ended by Node within headersTimeout', async (t) => {
  const app = bare(t, { http: { headersTimeout: 300, connectionsCheckingInterval: 20 } } as FastifyServerOptions)
  await app.register(fastifyChat)
  const client = await raw(t, await listen(app))
  const trickle = setInterval(() => client.socket.write('x'), 10)
  t.teardown(() => clearInterval(trickle))
  client.socket.write('GET /chat HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
  await client.ended
  t.match(client.received.toString(), /^HTTP\/1\.1 408 /)
  const { headersTimeout } = bare(t).server
  t.ok(headersTimeout > 0 && headersTimeout <= 60_000, `${headersTimeout} ms by default`)
})

t.test('upgrades beyond limits.handshakeBurst get 503, then pass at limits.handshakeRate', async (t) => {
  const app = await build(t, { limits: { handshakeRate: 2, handshakeBurst: 3 } })
  const port = await listen(app)
  for (let i = 0; i < 3; i++) await open(t, `ws://127.0.0.1:${port}/echo`)
  await isRefused(t, port, 503, 'FST_CHAT_TOO_MANY_HANDSHAKES')
  for (let connected = 3; connected < 5;) {
    const connection = await ask(app, {}, '/echo')
    if (typeof connection === 'number') await tick()
    else connected++
  }
  t.equal(app.chat.stats().connections, 5)
})

t.test('upgrades beyond handshakes get 503 before the hooks of the routes run', async (t) => {
  const hanging = new Set<() => void>()
  const app = await build(t, {
    routeOptions: { onRequest: () => new Promise<void>((resolve) => { hanging.add(resolve) }) }
  }, { handshakes: 2 })
  const port = await listen(app)
  const first = open(t, `ws://127.0.0.1:${port}/chat`)
  const second = await raw(t, port)
  second.socket.write(upgradeRequest('/echo'))
  while (hanging.size < 2) await tick()
  await isRefused(t, port, 503, 'FST_CHAT_TOO_MANY_HANDSHAKES')
  t.equal(hanging.size, 2)
  for (const go of hanging) go()
  await first
  await second.until((received) => received.includes(' 101 '))
  const third = open(t, `ws://127.0.0.1:${port}/echo`)
  while (hanging.size < 3) await tick()
  for (const go of hanging) go()
  await third
})

for (const own of [false, true]) {
  t.test(`limits are checked before every hook of the app${own ? ', with its own @fastify/websocket' : ''}`, async (t) => {
    const hanging = new Set<() => void>()
    const app = bare(t)
    if (own) await app.register(fastifyWebsocket)
    app.addHook('onRequest', () => new Promise<void>((resolve) => { hanging.add(resolve) }))
    await app.register(pluginWith({ handshakes: 50 }), { limits: { handshakeTimeout: 2 ** 30 } })
    const port = await listen(app)
    const clients = full(1_000, 200)
    const answers = await Promise.all(Array.from({ length: clients }, async (_, i) => {
      const client = await raw(t, port)
      client.socket.write(upgradeRequest(i % 2 === 0 ? '/chat' : '/echo'))
      return { client, answered: client.ended }
    }))
    const held = answers.filter(({ client }) => client.received.length === 0)
    let refusals = 0
    await new Promise<void>((resolve) => {
      for (const { client, answered } of answers) {
        answered.then(() => {
          if (client.received.includes(' 503 ') && ++refusals === clients - 50) resolve()
        }, t.error)
      }
    })
    t.equal(hanging.size, 50)
    t.ok(held.length >= 50)
    const connections = () => new Promise<number>((resolve, reject) => app.server.getConnections((error, count) => error === null ? resolve(count) : reject(error)))
    while (await connections() > 50) await tick()
    t.equal(app.chat.stats().refusals['FST_CHAT_TOO_MANY_HANDSHAKES'], clients - 50)
    await app.close()
    await Promise.all(answers.map(({ answered }) => answered))
  })

  t.test(`injected upgrades are limited too${own ? ', with its own @fastify/websocket' : ''}`, async (t) => {
    const app = bare(t)
    if (own) await app.register(fastifyWebsocket)
    app.addHook('onRequest', async () => t.pass('a hook ran'))
    await app.register(fastifyChat, { limits: { connections: 1 } })
    t.plan(2)
    await app.ready()
    const socket = await app.injectWS('/echo')
    await t.rejects(app.injectWS('/chat'), { message: /503/ })
    socket.terminate()
  })
}

t.test('upgrades of unknown paths count in handshakes', async (t) => {
  const app = bare(t)
  const hanging = new Set<() => void>()
  app.addHook('onRequest', () => new Promise<void>((resolve) => { hanging.add(resolve) }))
  await app.register(pluginWith({ handshakes: 1 }), { limits: { handshakeTimeout: 2 ** 30 } })
  const port = await listen(app)
  const first = await raw(t, port)
  first.socket.write(upgradeRequest('/nowhere'))
  while (hanging.size < 1) await tick()
  const second = await raw(t, port)
  second.socket.write(upgradeRequest('/nowhere'))
  await second.ended
  t.match(second.received.toString(), /^HTTP\/1\.1 503 /)
  for (const go of hanging) go()
  await first.ended
  t.match(first.received.toString(), /^HTTP\/1\.1 404 /)
})

t.test('a ban by address closes its chats on every node and refuses new ones until unban', async (t) => {
  const roster = new MemoryRoster()
  t.teardown(() => roster.close())
  const [near, far] = [await build(t, { backend: backendOf({ roster }) }), await build(t, { backend: backendOf({ roster }) })]
  const banned = { code: 4403, reason: 'spam' }
  const from = (remoteAddress: string, path = '/chat', options = {}) => connect(far, path, { remoteAddress, ...options })
  const live = await from('2001:db8:1:2::1')
  const silent = await from('2001:db8:1:2::2', '/chat', { protocol })
  const other = await from('2001:db8:1:3::1')
  await other.next()
  await live.next()
  while (far.chat.stats().members < 2) await tick()
  await near.chat.ban({ address: '2001:db8:1:2:abcd::' }, { duration: 1_000_000, reason: 'spam' })
  t.strictSame(await live.closed, banned)
  silent.send('{"type":"hello"}')
  t.strictSame(await silent.closed, banned, 'a connection that has not sent hello')
  t.strictSame(await (await from('2001:db8:1:2::3')).closed, banned, 'a later connection')
  await near.chat.unban({ address: '2001:db8:1:2::/64' })
  const lifted = await from('2001:db8:1:2::3')
  await lifted.next()
  lifted.send('I am back')
  t.equal(await other.next(), 'I am back')
  await t.rejects(near.chat.ban({ address: 'example.com' }, { duration: 1_000 }), { code: 'FST_CHAT_INVALID_ADDRESS' })
})

t.test("a member id that begins with 'address:' closes the connection with 1011", async (t) => {
  const { plain } = await chat(t, { chat: { greeting: 'hello' }, authenticate: () => ({ id: 'address:127.0.0.1' }) })
  t.match(await (await plain()).closed, { code: 1011 })
})

t.test('a flood of refusals logs few lines, which account for all of them', async (t) => {
  const flood = async (reason: string, options: FastifyChatOptions, headers: Record<string, string>) => {
    const app = await build(t, options)
    await Promise.all(Array.from({ length: 500 }, () => ask(app, { headers })))
    await app.close()
    return app.lines.filter((line) => line['reason'] === reason || line.level > 40)
  }
  const origin = 'https://evil.example/\u202e\u001b[31m'
  const lines = await flood('FST_CHAT_ORIGIN_REFUSED', {}, { origin })
  t.ok(lines.length < 100, `${lines.length} lines`)
  t.match(lines[0], { level: 40, msg: 'refused', message: /evil\.example/, reqId: /./ })
  const said = lines.filter(({ msg }) => msg === 'refused').length
  t.equal(lines.reduce((more, line) => more + Number(line['suppressed'] ?? 0), said), 500, 'the lines account for every refusal')
  t.notMatch(lines.map(({ message }) => message).join(''), /[\p{C}]/u, 'the lines have no unprintable characters')
  const full = await flood('FST_CHAT_TOO_MANY_HANDSHAKES', { limits: { handshakeRate: 1, handshakeBurst: 1 } }, {})
  t.match(full[0], { level: 40, msg: 'refused' })
  t.ok(full.length < 100, `${full.length} lines`)
})

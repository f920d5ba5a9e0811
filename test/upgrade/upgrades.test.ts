import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { WebSocketServer } from 'ws'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { bare, listen } from '../support/app.ts'
import { clientFrame, serverFrames } from '../support/frames.ts'
import { raw, upgraded, upgradeRequest, type RawClient } from '../support/raw-client.ts'
import { connectionsGoneOf } from '../support/server-side.ts'
import { open } from '../support/websocket-client.ts'

type App = ReturnType<typeof bare>
const never = new Promise<void>(() => {})
/** A timeout in ms, for upgrades that only the timeout ends. */
const soon = { limits: { handshakeTimeout: 50 } }
/** A timeout for upgrades that must end immediately. The test itself would time out before it. */
const late = { limits: { handshakeTimeout: 2 ** 30 } }

/** Starts an app. `allGone` resolves when the server's side of every connection is closed, and asserts it. */
async function serve (t: Test, set: (app: App) => unknown) {
  const app = bare(t)
  const allGone = connectionsGoneOf(t, app)
  await set(app)
  const port = await listen(app)
  return { app, port, allGone }
}

/** Requests an upgrade that is refused. Resolves with the response once the server has ended the connection. */
async function answer (client: RawClient, path: string, headers?: Record<string, string>): Promise<{ status: number, head: string }> {
  client.socket.write(upgradeRequest(path, headers))
  await client.ended
  const head = client.received.toString()
  return { status: Number(head.slice(9, 12)), head }
}

const refuses = async (_request: unknown, reply: { code (status: number): { send (payload: unknown): unknown } }) => reply.code(401).send({ no: 'entry' })
const fails = async () => { throw Object.assign(new Error('no entry'), { statusCode: 403 }) }
const chat = (app: FastifyInstance, options: FastifyChatOptions = late) => app.register(fastifyChat, options)

const endedAtOnce: Record<string, { status: number, path?: string, headers?: Record<string, string>, set: (app: App) => unknown }> = {
  'refused by a hook added before @fastify/websocket': {
    status: 401,
    async set (app) {
      app.addHook('onRequest', refuses)
      await app.register(fastifyWebsocket)
      await chat(app)
    }
  },
  'refused by a hook added before the plugin': {
    status: 401,
    async set (app) {
      app.addHook('onRequest', refuses)
      await chat(app)
    }
  },
  'refused by a hook added after the plugin': {
    status: 403,
    async set (app) {
      await chat(app)
      app.addHook('preValidation', fails)
    }
  },
  'refused by a routeOptions hook': { status: 403, set: (app) => chat(app, { ...late, routeOptions: { preHandler: fails } }) },
  "refused by a hook of the plugin's scope": {
    status: 401,
    set: (app) => app.register(async (scope) => {
      scope.addHook('preHandler', refuses)
      await chat(scope)
    })
  },
  'refused by a schema': {
    status: 400,
    set: (app) => chat(app, { ...late, routeOptions: { schema: { querystring: { type: 'object', required: ['token'] } } } })
  },
  'refused for its query': { status: 400, path: '/chat?room=a%20b', set: chat },
  'refused for its origin': { status: 403, headers: { Origin: 'https://evil.example' }, set: chat },
  'without a key': { status: 400, headers: { 'Sec-WebSocket-Key': 'none' }, set: chat },
  'of an unknown version': { status: 400, headers: { 'Sec-WebSocket-Version': '7' }, set: chat },
  'to another protocol': { status: 400, headers: { Upgrade: 'h2c' }, set: chat },
  'for an undecodable path': { status: 400, path: '/%E0%A4%A', set: chat },
  'for an undecodable path, with @fastify/websocket': {
    status: 400,
    path: '/echo%zz',
    async set (app) {
      await app.register(fastifyWebsocket)
      await chat(app)
    }
  },
  'with a body': { status: 400, headers: { 'Content-Length': '3' }, set: chat },
  'for a path that does not exist': { status: 404, path: '/nowhere', set: chat },
  'that a not-found handler of the app answers': {
    status: 418,
    path: '/nowhere',
    async set (app) {
      app.setNotFoundHandler((_request, reply) => reply.code(418).send())
      await chat(app)
    }
  }
}

for (const [title, { status, path = '/chat', headers, set }] of Object.entries(endedAtOnce)) {
  t.test(`an upgrade ${title} is answered and ends at once`, async (t) => {
    const { app, port, allGone } = await serve(t, set)
    t.equal((await answer(await raw(t, port), path, headers)).status, status)
    await allGone()
    await app.close()
  })
}

for (const [title, { status, path = '/chat', headers, set }] of Object.entries(endedAtOnce)) {
  t.test(`an upgrade with early data isn't reset: ${title}`, async (t) => {
    const { app, port, allGone } = await serve(t, set)
    const client = await raw(t, port)
    const errors: unknown[] = []
    client.socket.on('error', (error) => errors.push(error))
    client.socket.write(Buffer.concat([Buffer.from(upgradeRequest(path, headers)), clientFrame(2, Buffer.alloc(10_000_000))]))
    await new Promise((resolve) => client.socket.once('close', resolve))
    t.equal(client.received.toString('latin1', 9, 12), `${status}`)
    await allGone()
    t.strictSame(errors, [])
    await app.close()
  })
}

const endedInTime: Record<string, { status: number, path?: string, set: (app: App) => unknown }> = {
  "answered by a 404 outside the plugin's scope": {
    status: 404,
    path: '/nowhere',
    set: (app) => app.register(async (scope) => { await chat(scope, soon) })
  },
  "answered by another scope's 404": {
    status: 404,
    path: '/b/nowhere',
    async set (app) {
      await app.register(async (scope) => { await chat(scope, soon) }, { prefix: '/a' })
      await app.register(async (scope) => { scope.setNotFoundHandler((_request, reply) => reply.code(404).send('none of b')) }, { prefix: '/b' })
    }
  },
  "refused by another scope's hook": {
    status: 401,
    path: '/b/route',
    async set (app) {
      await app.register(async (scope) => { await chat(scope, soon) }, { prefix: '/a' })
      await app.register(async (scope) => {
        scope.addHook('onRequest', refuses)
        scope.get('/route', async () => 'route')
      }, { prefix: '/b' })
    }
  },
  'that a routeOptions hook holds forever': { status: 503, set: (app) => chat(app, { ...soon, routeOptions: { onRequest: async () => never } }) },
  'that an earlier hook holds forever': {
    status: 503,
    async set (app) {
      app.addHook('onRequest', async () => never)
      await chat(app, soon)
    }
  },
  "that another scope's hook holds forever": {
    status: 503,
    path: '/b/route',
    async set (app) {
      await app.register(async (scope) => { await chat(scope, soon) }, { prefix: '/a' })
      await app.register(async (scope) => {
        scope.addHook('onRequest', async () => never)
        scope.get('/route', async () => 'route')
      }, { prefix: '/b' })
    }
  }
}

for (const [title, { status, path = '/chat', set }] of Object.entries(endedInTime)) {
  t.test(`an upgrade ${title} ends at the handshake timeout`, async (t) => {
    const { app, port, allGone } = await serve(t, set)
    const { status: answered, head } = await answer(await raw(t, port), path)
    t.equal(answered, status)
    t.equal(head.match(/HTTP\/1\.1/g)?.length, 1, 'there is one response')
    if (status === 503) t.match(head, /\r\nRetry-After: \d+\r\n/)
    await allGone()
    await app.close()
  })
}

t.test('a hook that accepts an upgrade after the timeout changes nothing', async (t) => {
  let pass!: () => void
  const { app, port, allGone } = await serve(t, (app) => chat(app, { ...soon, routeOptions: { onRequest: () => new Promise<void>((resolve) => { pass = resolve }) } }))
  const client = await raw(t, port)
  t.equal((await answer(client, '/chat')).status, 503)
  pass()
  await allGone()
  t.notOk(client.received.includes(' 101 '))
  t.match(app.lines.filter(({ level }) => level >= 40), [{ msg: 'refused', reason: 'FST_CHAT_HANDSHAKE_TIMEOUT' }])
  await app.close()
})

t.test('a hook that refuses an upgrade after the timeout changes nothing', async (t) => {
  let refuse!: (error: Error) => void
  const { app, port, allGone } = await serve(t, (app) => chat(app, { ...soon, routeOptions: { onRequest: () => new Promise<void>((_resolve, reject) => { refuse = reject }) } }))
  const client = await raw(t, port)
  t.equal((await answer(client, '/chat')).status, 503)
  refuse(new Error('too late'))
  await allGone()
  t.equal(client.received.toString().match(/HTTP\/1\.1/g)?.length, 1)
  await app.close()
})

t.test('an upgrade that a hook holds while the app closes gets 503 with Retry-After', async (t) => {
  let held!: () => void
  const holding = new Promise<void>((resolve) => { held = resolve })
  const { app, port, allGone } = await serve(t, (app) => chat(app, { ...late, routeOptions: { onRequest: () => { held(); return never } } }))
  const client = await raw(t, port)
  const answered = answer(client, '/chat')
  await holding
  await app.close()
  const { status, head } = await answered
  t.equal(status, 503)
  t.match(head, /\r\nRetry-After: \d+\r\n/)
  await allGone()
})

t.test('an upgrade during close gets 503 with Retry-After, on a new or a reused connection', async (t) => {
  const { app, port, allGone } = await serve(t, (app) => chat(app, late))
  const kept = await raw(t, port)
  kept.socket.write('GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await kept.until((received) => received.includes('Not Found'))
  kept.received = Buffer.alloc(0)
  const mute = await upgraded(t, port, '/chat')
  const closing = app.close()
  await mute.until((received) => serverFrames(received).some(({ opcode }) => opcode === 8))
  for (const client of [kept, await raw(t, port)]) {
    const { status, head } = await answer(client, '/echo')
    t.equal(status, 503)
    t.match(head, /\r\nRetry-After: \d+\r\n/)
    t.equal(head.match(/HTTP\/1\.1/g)?.length, 1, 'there is one response')
  }
  for (let i = 0; i < 20; i++) {
    const client = await raw(t, port)
    client.socket.write(upgradeRequest('/echo'), () => client.socket.resetAndDestroy())
    await new Promise((resolve) => client.socket.once('close', resolve))
  }
  mute.socket.end(clientFrame(8, Buffer.from([3, 233])))
  await closing
  await allGone()
})

t.test('an upgrade ends while an earlier preClose hook of the app is pending', async (t) => {
  let close!: () => void
  let preClosing!: () => void
  const begun = new Promise<void>((resolve) => { preClosing = resolve })
  const { app, port, allGone } = await serve(t, async (app) => {
    app.addHook('preClose', () => { preClosing(); return new Promise<void>((resolve) => { close = resolve }) })
    await chat(app, soon)
  })
  const closing = app.close()
  await begun
  t.equal((await answer(await raw(t, port), '/chat')).status, 503)
  close()
  await closing
  await allGone()
})

t.test('an upgrade on a reused connection is served, refused and timed out as on a new one', async (t) => {
  const { app, port, allGone } = await serve(t, async (app) => {
    app.get('/plain', async () => 'plain')
    app.addHook('onRequest', async ({ url }, reply) => {
      if (url === '/echo?refuse') await reply.code(401).send('refused')
      if (url === '/echo?hang') await never
    })
    await chat(app, soon)
  })
  for (const [path, status] of [['/echo', 101], ['/echo?refuse', 401], ['/echo?hang', 503]] as const) {
    const client = await raw(t, port)
    client.socket.write('GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await client.until((received) => received.includes('\r\n\r\nplain'))
    client.received = Buffer.alloc(0)
    client.socket.write(upgradeRequest(path))
    if (status !== 101) {
      await client.ended
    } else {
      client.socket.write(clientFrame(1, 'hello'))
      await client.until((received) => serverFrames(received).length > 0)
      client.socket.end()
      await client.ended
    }
    t.equal(client.received.toString('latin1', 9, 12), `${status}`)
  }
  await allGone()
  await app.close()
})

for (const [title, path, own] of [['of the plugin', '/chat', false], ['of the plugin, with @fastify/websocket', '/chat', true], ['of @fastify/websocket', '/own', true]] as const) {
  t.test(`an upgrade ${title} behind an unanswered request is refused at once`, async (t) => {
    let go!: () => void
    const { app, port, allGone } = await serve(t, async (app) => {
      if (own) await app.register(fastifyWebsocket)
      app.get('/slow', () => new Promise((resolve) => { go = () => resolve('slow') }))
      await chat(app)
    })
    const client = await raw(t, port)
    client.socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n' + upgradeRequest(path))
    await client.ended
    t.match(client.received.toString(), /^HTTP\/1\.1 400 [^]*earlier request/)
    go()
    await allGone()
    t.match(app.lines.filter(({ level }) => level >= 40), [{ msg: 'refused', reason: 'FST_CHAT_BAD_HANDSHAKE', err: undefined }])
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/echo`)
    socket.send('still here')
    t.equal(await next(), 'still here')
    await app.close()
  })
}

t.test("an upgrade that the app's @fastify/websocket answers in another scope ends at once", async (t) => {
  const { app, port, allGone } = await serve(t, async (app) => {
    await app.register(fastifyWebsocket)
    await app.register(async (scope) => { await chat(scope) }, { prefix: '/a' })
    await app.register(async (scope) => {
      scope.addHook('onRequest', refuses)
      scope.get('/route', async () => 'route')
    }, { prefix: '/b' })
  })
  t.equal((await answer(await raw(t, port), '/b/route')).status, 401)
  await allGone()
  await app.close()
})

t.test('an upgrade behind a started response closes the connection without a status', async (t) => {
  const { app, port, allGone } = await serve(t, async (app) => {
    app.get('/part', (_request, reply) => {
      reply.hijack()
      reply.raw.writeHead(200, { 'Content-Length': '10' })
      reply.raw.write('part')
    })
    await chat(app)
  })
  const client = await raw(t, port)
  client.socket.write('GET /part HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await client.until((received) => received.includes('part'))
  client.socket.write(upgradeRequest('/chat'))
  await client.ended
  t.equal(client.received.toString().match(/HTTP\/1\.1/g)?.length, 1)
  await allGone()
  t.equal(app.chat.stats().refusals['FST_CHAT_BAD_HANDSHAKE'], 1)
  await app.close()
})

t.test('200 malformed upgrades are counted, and log few lines without a stack', async (t) => {
  const { app, port, allGone } = await serve(t, chat)
  await Promise.all(Array.from({ length: 100 }, async () => {
    await answer(await raw(t, port), '/echo%zz')
    const client = await raw(t, port)
    client.socket.write('GET /demo/ HTTP/1.1\r\nHost: localhost\r\n\r\n' + upgradeRequest('/chat'))
    await client.ended
  }))
  await allGone()
  t.equal(app.chat.stats().refusals['FST_CHAT_BAD_HANDSHAKE'], 200)
  const warnings = app.lines.filter(({ level }) => level >= 40)
  t.ok(warnings.length < 100, `${warnings.length} lines`)
  t.strictSame(warnings.filter(({ err }) => err !== undefined), [])
  await app.close()
})

t.test('a refused client that keeps its side open is disconnected', async (t) => {
  const { app, port, allGone } = await serve(t, async (app) => {
    app.addHook('onRequest', refuses)
    await chat(app)
  })
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(upgradeRequest('/chat'))
  socket.resume()
  await once(socket, 'end')
  await allGone()
  await app.close()
})

for (const [title, act] of Object.entries({
  'half closes': (socket: Socket) => socket.end(),
  resets: (socket: Socket) => socket.resetAndDestroy(),
  disappears: (socket: Socket) => socket.destroy()
})) {
  for (const outcome of ['passes', 'refuses', 'hangs'] as const) {
    t.test(`a client that ${title} during a hook that ${outcome} is disconnected`, async (t) => {
      let decide!: { pass: () => void, refuse: (error: Error) => void }
      let asked!: () => void
      const hooked = new Promise<void>((resolve) => { asked = resolve })
      const { app, port, allGone } = await serve(t, (app) => chat(app, {
        ...outcome === 'hangs' ? soon : late,
        routeOptions: {
          onRequest: ({ url }) => url !== '/chat'
            ? Promise.resolve()
            : new Promise<void>((resolve, reject) => {
              decide = { pass: resolve, refuse: reject }
              asked()
            })
        }
      }))
      const connected = once(app.server, 'connection') as Promise<[Socket]>
      const client = await raw(t, port)
      const [serverSide] = await connected
      client.socket.write(upgradeRequest('/chat'))
      await hooked
      const felt = title === 'half closes' ? undefined : new Promise((resolve) => serverSide.once('close', resolve))
      act(client.socket)
      if (title === 'resets') await felt
      if (outcome === 'passes') decide.pass()
      if (outcome === 'refuses') decide.refuse(new Error('refused'))
      const other = await open(t, `ws://127.0.0.1:${port}/echo`)
      other.socket.send('still here')
      t.equal(await other.next(), 'still here')
      other.socket.close()
      if (title === 'disappears' && outcome === 'hangs') await felt
      await allGone()
      t.strictSame(app.chat.rooms(), [])
      await app.close()
    })
  }
}

t.test('an upgrade that another listener accepted outlives the handshake timeout', async (t) => {
  const own = new WebSocketServer({ noServer: true })
  const { app, port, allGone } = await serve(t, async (app) => {
    app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (request.url === '/own') own.handleUpgrade(request, socket, head, (client) => client.on('message', (data) => client.send(`own: ${data.toString()}`)))
    })
    app.addHook('onRequest', async ({ url }, reply) => {
      if (url === '/own') reply.hijack()
      if (url === '/chat?hang') await never
    })
    await chat(app, soon)
  })
  const { socket, next, closed } = await open(t, `ws://127.0.0.1:${port}/own`)
  // This upgrade is later and times out, so the timeout of the first has passed too.
  t.equal((await answer(await raw(t, port), '/chat?hang')).status, 503)
  socket.send('hello')
  t.equal(await next(), 'own: hello')
  socket.close(1000)
  t.match(await closed, { code: 1000 })
  await allGone()
  await app.close()
})

t.test("the app's own WebSocket routes outlive the handshake timeout", async (t) => {
  const { app, port, allGone } = await serve(t, async (app) => {
    await app.register(fastifyWebsocket)
    app.get('/own', { websocket: true }, (socket) => { socket.on('message', (data: Buffer) => socket.send(`own: ${data.toString()}`)) })
    app.addHook('onRequest', async ({ url }) => { if (url === '/chat?hang') await never })
    await chat(app, soon)
  })
  const { socket, next, closed } = await open(t, `ws://127.0.0.1:${port}/own`)
  t.equal((await answer(await raw(t, port), '/chat?hang')).status, 503)
  socket.send('hello')
  t.equal(await next(), 'own: hello')
  await app.close()
  await closed
  await allGone()
})

t.test('a connection of the plugin outlives the handshake timeout', async (t) => {
  const { app, port, allGone } = await serve(t, async (app) => {
    app.addHook('onRequest', async ({ url }) => { if (url === '/chat?hang') await never })
    await chat(app, soon)
  })
  const { socket, next } = await open(t, `ws://127.0.0.1:${port}/echo`)
  t.equal((await answer(await raw(t, port), '/chat?hang')).status, 503)
  socket.send('hello')
  t.equal(await next(), 'hello')
  await app.close()
  await allGone()
})

t.test('refused injected upgrades end', async (t) => {
  const { app } = await serve(t, async (app) => {
    app.addHook('onRequest', async ({ url }, reply) => {
      if (url === '/chat?refuse') await reply.code(401).send('refused')
    })
    await chat(app)
  })
  await t.rejects(app.injectWS('/chat?refuse'), { message: /401/ })
  await t.rejects(app.injectWS('/nowhere'), { message: /404/ })
  await t.rejects(app.injectWS('/chat?room=a%20b'), { message: /400/ })
  await app.close()
})

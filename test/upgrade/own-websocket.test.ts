import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { emptied, works } from '../support/app-checks.ts'
import { bare, listen } from '../support/app.ts'
import { clientFrame } from '../support/frames.ts'
import { raw, upgradeRequest } from '../support/raw-client.ts'
import { open, refused } from '../support/websocket-client.ts'

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
    const received: string[] = []
    const { url } = await beside(t, { options: { maxPayload: 10 }, errorHandler: (_error, socket, request) => { received.push(request.url); socket.terminate() } })
    const ours = await open(t, `${url}/echo`)
    ours.socket.send('a'.repeat(64 * 1024 + 1))
    t.match(await ours.closed, { code: 1009 })
    const own = await open(t, `${url}/own`)
    own.socket.send('a'.repeat(11))
    await own.closed
    t.strictSame(received, ['/own'])
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

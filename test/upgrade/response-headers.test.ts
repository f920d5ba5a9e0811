import fastifyCookie from '@fastify/cookie'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyReply, onRequestAsyncHookHandler } from 'fastify'
import t, { type Test } from 'tap'
import fastifyChat from '../../src/index.ts'
import { bare, build, listen } from '../support/app.ts'
import { openTab, skip } from '../support/chromium.ts'
import { raw, upgraded, upgradeRequest } from '../support/raw-client.ts'
import { open, serves } from '../support/websocket-client.ts'

const hooks = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

/** Resolves with the header lines of the 101 response. */
async function linesOf (t: Test, port: number, path = '/chat'): Promise<string[]> {
  const { received } = await upgraded(t, port, path)
  return received.subarray(0, received.indexOf('\r\n\r\n')).toString().split('\r\n').slice(1)
}

t.test('headers that hooks set are in the 101 response of both routes', async (t) => {
  const app = bare(t)
  for (const hook of hooks) {
    app.addHook(hook as 'onRequest', async (_request, reply) => { reply.header('set-cookie', `${hook}=1; HttpOnly; Path=/`).header(`x-${hook}`, 5) })
  }
  await app.register(async (scope) => {
    await scope.register(fastifyChat, { routeOptions: { onRequest: async (_request, reply) => { reply.header('set-cookie', ['a=1', 'b=2']) } } })
    scope.addHook('preHandler', async (_request, reply) => { reply.raw.setHeader('X-Raw', ['1', '2']) })
  })
  const port = await listen(app)
  for (const path of ['/chat', '/echo']) {
    const lines = await linesOf(t, port, path)
    t.strictSame(lines.filter((line) => line.startsWith('set-cookie')).sort(), [
      'set-cookie: a=1', 'set-cookie: b=2', ...hooks.map((hook) => `set-cookie: ${hook}=1; HttpOnly; Path=/`).sort()
    ])
    for (const hook of hooks) t.ok(lines.includes(`x-${hook.toLowerCase()}: 5`), hook)
    t.strictSame(lines.filter((line) => line.startsWith('x-raw')), ['x-raw: 1', 'x-raw: 2'])
  }
})

t.test('headers of the handshake, of the connection and of a body stay as the handshake sets them', async (t) => {
  const app = await build(t, {
    routeOptions: {
      onRequest: async (_request, reply) => {
        reply.headers({
          connection: 'close',
          upgrade: 'h2c',
          'keep-alive': 'timeout=5',
          'transfer-encoding': 'chunked',
          'content-length': 5,
          'content-type': 'text/html',
          'Sec-WebSocket-Accept': 'x',
          'sec-websocket-protocol': 'x',
          'sec-websocket-extensions': 'permessage-deflate',
          trailer: 'x',
          'x-own': 'own'
        })
      }
    }
  })
  const port = await listen(app)
  t.strictSame(await linesOf(t, port), [
    'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'x-own: own'
  ])
  const { socket } = await open(t, `ws://127.0.0.1:${port}/echo`)
  t.match([socket.protocol, socket.extensions], ['', ''])
})

const invalid: Record<string, (reply: FastifyReply) => void> = {
  'a line break in a value': (reply) => reply.header('x-own', 'a\r\nSet-Cookie: forged=1'),
  'an empty line in a value': (reply) => reply.header('x-own', 'a\r\n\r\n\x81\x05hello'),
  'a line feed in a cookie': (reply) => reply.header('set-cookie', ['a=1', 'b=2\nforged: 1']),
  'a line break in a name': (reply) => reply.header('x-own: 1\r\nforged', 'a'),
  'a space in a name': (reply) => reply.header('x own', 'a'),
  'a control character': (reply) => reply.header('x-own', 'a\0b')
}
for (const [title, set] of Object.entries(invalid)) {
  t.test(`${title} ends the upgrade with 500 and adds no header`, async (t) => {
    const app = await build(t, { routeOptions: { onRequest: async ({ url }, reply) => { if (url === '/chat') set(reply) } } })
    const port = await listen(app)
    const client = await raw(t, port)
    client.socket.write(upgradeRequest('/chat'))
    await client.ended
    const answer = client.received.toString()
    t.match(answer, /^HTTP\/1\.1 500 /)
    t.notMatch(answer.slice(0, answer.indexOf('\r\n\r\n')), /forged/)
    t.match(app.lines.filter(({ level }) => level >= 40), [{ level: 50, err: { code: /^ERR_INVALID_(?:CHAR|HTTP_TOKEN)$/ } }])
    await serves(t, port)
    t.equal(app.chat.stats().connections, 1, 'only the connection that is served')
  })
}

t.test("the app's asynchronous verifyClient and its listener of 'headers' receive the headers", async (t) => {
  const app = bare(t)
  const verifyClient = (_info: unknown, answer: (verified: boolean) => void) => { setImmediate(() => answer(true)) }
  await app.register(fastifyWebsocket, { options: { verifyClient } })
  await app.register(fastifyChat)
  app.addHook('onRequest', async ({ url }, reply) => { reply.header('x-url', url) })
  const seen: string[][] = []
  app.websocketServer.on('headers', (headers: string[]) => { seen.push(headers) })
  const port = await listen(app)
  const all = await Promise.all(['/chat?a', '/chat?b', '/echo?c'].map((path) => linesOf(t, port, path)))
  t.strictSame(all.map((lines) => lines.at(-1)), ['x-url: /chat?a', 'x-url: /chat?b', 'x-url: /echo?c'])
  t.strictSame(seen.map((headers) => headers.at(-1)).sort(), ['x-url: /chat?a', 'x-url: /chat?b', 'x-url: /echo?c'])
})

t.test('a cookie of @fastify/cookie is set by its serializeCookie', async (t) => {
  const app = bare(t)
  await app.register(fastifyCookie)
  app.addHook('onRequest', async (_request, reply) => {
    reply.setCookie('at-onSend', 'no')
    reply.header('set-cookie', app.serializeCookie('visitor', 'a b', { httpOnly: true, path: '/' }))
  })
  await app.register(fastifyChat)
  const lines = await linesOf(t, await listen(app))
  t.strictSame(lines.filter((line) => /^set-cookie/i.test(line)), ['set-cookie: visitor=a%20b; Path=/; HttpOnly'])
})

t.test('a browser keeps a cookie of the 101 response, and sends it with the next upgrade', { skip }, async (t) => {
  const received: Array<string | undefined> = []
  const onRequest: onRequestAsyncHookHandler = async ({ headers }, reply) => {
    received.push(headers.cookie)
    reply.header('set-cookie', 'visitor=a1; Path=/; HttpOnly; SameSite=Strict')
  }
  const port = await listen(await build(t, { routeOptions: { onRequest } }))
  const page = await openTab(t)
  await page.goto(`http://127.0.0.1:${port}/demo/style.css`)
  // A string, because functions that tsx compiles refer to helpers that the page doesn't have.
  const connect = `new Promise((resolve) => {
    const socket = new WebSocket('ws://127.0.0.1:${port}/echo')
    socket.onopen = () => resolve('open')
    socket.onclose = ({ code }) => resolve(code)
  })`
  for (let i = 0; i < 2; i++) t.equal(await page.evaluate(connect), 'open')
  t.strictSame(received, [undefined, 'visitor=a1'])
})

t.test('an injected upgrade works with headers of a hook', async (t) => {
  const app = await build(t, { routeOptions: { onRequest: async (_request, reply) => { reply.header('set-cookie', 'a=1') } } })
  await app.ready()
  const socket = await app.injectWS('/echo')
  socket.terminate()
})

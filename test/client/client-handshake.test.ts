import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastifyWebsocket from '@fastify/websocket'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { WebSocketServer } from 'ws'
import type { ChatClient, ChatError, ClientSocket } from '../../src/client/index.ts'
import { connect } from '../../src/testing.ts'
import { build, listen } from '../support/app.ts'
import { chatClient, next, state } from '../support/chat-client.ts'

/** Starts an HTTP server without WebSockets, as nginx in front of nothing. Resolves with it and its port. */
async function plainServer (t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void, port = 0): Promise<{ server: Server, port: number }> {
  const server = createServer(answer).listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

/** Returns the errors that the client emits, as they come. */
function errorsOf (client: ChatClient): ChatError[] {
  const errors: ChatError[] = []
  client.on('error', (error) => errors.push(error))
  return errors
}

/** Resolves after a number of failed attempts. */
async function failures (client: ChatClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await next(client, 'waiting')
}

for (const withWebSockets of [false, true]) {
  t.test(`a Fastify app with${withWebSockets ? '' : 'out'} WebSockets, without a chat, ends the client with the app's message`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    if (withWebSockets) await app.register(fastifyWebsocket)
    const client = chatClient(t, await listen(app))
    const errors = errorsOf(client)
    const joining = client.join('lobby')
    const reason = 'Unexpected server response: 404: Route GET:/chat not found'
    t.match(await state(client, 'closed'), { code: 1006, reason })
    t.match(errors, [{ name: 'ChatError', code: 'handshake', message: reason }])
    t.equal(errors.length, 1)
    await t.rejects(joining, { code: 'closed', message: `closed with code 1006: ${reason}` })
  })
}

for (const [status, body, reason] of [
  [401, '{"message":"sign in first"}', 'Unexpected server response: 401: sign in first'],
  [403, '{"message":7}', 'Unexpected server response: 403'],
  [404, '<h1>Not Found</h1>', 'Unexpected server response: 404'],
  [410, 'null', 'Unexpected server response: 410'],
  [400, `{"message":"${'x'.repeat(1_000)}"}`, `Unexpected server response: 400: ${'x'.repeat(200)}`],
  [400, `{"message":"${'x'.repeat(1_000_000)}"}`, 'Unexpected server response: 400']
] as const) {
  t.test(`an answer with ${status} and ${body.length} bytes ends the client after one attempt`, async (t) => {
    let requests = 0
    const { port } = await plainServer(t, (_request, response) => {
      requests++
      response.writeHead(status).end(body)
    })
    const client = chatClient(t, port)
    const errors = errorsOf(client)
    t.match(await state(client, 'closed'), { code: 1006, reason })
    t.strictSame(errors.map(({ code, message }) => [code, message]), [['handshake', reason]])
    t.equal(requests, 1)
  })
}

t.test('an incomplete answer with 404 ends the client', async (t) => {
  const { port } = await plainServer(t, (_request, response) => {
    response.writeHead(404, { 'content-length': 100 })
    response.write('{', () => response.destroy())
  })
  t.match(await state(chatClient(t, port), 'closed'), { reason: 'Unexpected server response: 404' })
})

for (const status of [408, 425, 429, 500, 502, 503]) {
  t.test(`after answers with ${status} the client connects once there is a chat, without an error`, async (t) => {
    const { server, port } = await plainServer(t, (_request, response) => { response.writeHead(status).end('{"message":"later"}') })
    const client = chatClient(t, port)
    const errors = errorsOf(client)
    t.match(await next(client, 'waiting'), { code: 1006, reason: `Unexpected server response: ${status}: later` })
    await failures(client, 2)
    server.closeAllConnections()
    server.close()
    const app = await build(t)
    await app.listen({ port, host: '127.0.0.1' })
    await state(client, 'online')
    t.strictSame(errors, [])
  })
}

t.test('an answer with 200 is reported once in an outage, and retried', async (t) => {
  const { server, port } = await plainServer(t, (_request, response) => { response.end('a page') })
  const client = chatClient(t, port)
  const errors = errorsOf(client)
  await failures(client, 3)
  t.strictSame(errors.map(({ code, message }) => [code, message]), [['handshake', 'Unexpected server response: 200']])
  server.closeAllConnections()
  server.close()
  const app = await build(t)
  await app.listen({ port, host: '127.0.0.1' })
  await state(client, 'online')
  await app.close()
  await plainServer(t, (_request, response) => { response.end('another page') }, port)
  while (errors.length < 2) await next(client, 'waiting')
  await failures(client, 2)
  t.equal(errors.length, 2, 'reported again after the client was online')
})

t.test('an answer with 404 ends a client that was online before', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const left = room.once('left')
  await app.close()
  await plainServer(t, (_request, response) => { response.writeHead(404).end() }, port)
  t.match(await state(client, 'closed'), { reason: 'Unexpected server response: 404' })
  t.match(await left, { code: 'closed' })
})

t.test('a route without a chat in an app with WebSockets has a reason, and is reported once', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyWebsocket)
  app.get('/chat', () => 'a page')
  const client = chatClient(t, await listen(app))
  const errors = errorsOf(client)
  const status = await next(client, 'waiting')
  await failures(client, 1)
  t.match([status.code, status.reason], [1005, 'the server has no chat at this path'])
  t.strictSame(errors.map(({ message }) => message), [status.reason])
})

t.test('a socket that a client abandons while it opens causes no request', async (t) => {
  const requests: Array<string | undefined> = []
  const { port } = await plainServer(t, ({ url }, response) => {
    requests.push(url)
    response.end()
  })
  // As in a browser, without `terminate`.
  const socket = Object.assign(new EventTarget(), { readyState: 0, protocol: '', send () {}, close () {} })
  const opening = new Promise<void>((resolve) => {
    const client = chatClient(t, port, {
      connect: () => {
        setImmediate(() => {
          client.close()
          resolve()
        })
        return socket as unknown as ClientSocket
      }
    })
  })
  await opening
  socket.dispatchEvent(new Event('error'))
  socket.dispatchEvent(Object.assign(new Event('close'), { code: 1006, reason: '' }))
  await fetch(`http://127.0.0.1:${port}/last`)
  t.strictSame(requests, ['/last'])
})

t.test('an upgrade without the subprotocol has a reason, and is reported once', async (t) => {
  const { port } = await (async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => false })
    t.teardown(() => server.close())
    await once(server, 'listening')
    return server.address() as AddressInfo
  })()
  const client = chatClient(t, port)
  const errors = errorsOf(client)
  const { code, reason } = await next(client, 'waiting')
  await failures(client, 1)
  t.match([code, reason], [1006, 'Server sent no subprotocol'])
  t.strictSame(errors.map(({ code, message }) => [code, message]), [['handshake', reason]])
})

t.test('a close reason of the server is not taken for a refusal', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => server.close())
  server.on('connection', (socket) => socket.close(1001, 'server response: 404, no chat'))
  await once(server, 'listening')
  const client = chatClient(t, (server.address() as AddressInfo).port)
  const errors = errorsOf(client)
  await failures(client, 2)
  t.strictSame(errors, [])
})

t.test('a refused upgrade of an injected connection ends the client', async (t) => {
  const app = await build(t, { origins: [] })
  app.get('/other', () => 'x')
  await app.ready()
  const refused = chatClient(t, 0, {
    connect: async (_url, protocol) => (await connect(app, '/chat', { protocol, headers: { origin: 'https://evil.example' } })).socket
  })
  t.match(await state(refused, 'closed'), { code: 1006, reason: /the upgrade was refused with 403/ })
})

t.test('a client that is closed by an error listener does not reconnect', async (t) => {
  const { port } = await plainServer(t, (_request, response) => { response.end() })
  const client = chatClient(t, port)
  const states: string[] = []
  client.on('status', ({ state }) => states.push(state))
  client.on('error', () => client.close())
  t.match(await state(client, 'closed'), { code: 1000, reason: 'closed by this client' })
  client.reconnect()
  t.equal(states.at(-1), 'closed')
})

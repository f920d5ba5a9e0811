import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { mock } from 'node:test'
import Fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { connect } from '../../src/testing.ts'
import { build, listen, logged } from '../support/app.ts'
import { clientFrame, serverFrames } from '../support/frames.ts'
import { gate } from '../support/gate.ts'
import { upgraded, upgradeRequest } from '../support/raw-client.ts'
import { connectionsGoneOf } from '../support/server-side.ts'
import { tick } from '../support/tick.ts'
import { open } from '../support/websocket-client.ts'
import { backendOf } from '../support/backend.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'

const [TEXT, CLOSE, PING, PONG] = [1, 8, 9, 10]
const goingAway = { code: 1001, reason: 'the server is stopping' }

/** Starts a server. `allGone` resolves when the server's side of every connection is closed. */
async function serve (t: Test, options: FastifyChatOptions = {}) {
  const app = await build(t, options)
  const connectionsGone = connectionsGoneOf(t, app)
  const port = await listen(app)
  return {
    app,
    port,
    url: `ws://127.0.0.1:${port}`,
    async allGone () {
      await connectionsGone()
      t.notOk(app.server.listening)
    }
  }
}

const heartbeatInterval = 25_000

/** Stops all intervals of this process; `beat()` advances them to the next heartbeat. */
function stopHeartbeats (t: Test) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  return { beat: () => mock.timers.tick(heartbeatInterval) }
}

/** Stops all timeouts of this process; `tick(ms)` advances them. */
function stopTimeouts (t: Test) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  return { tick: (ms: number) => mock.timers.tick(ms) }
}

t.test('app.close() closes every client with 1001 and leaves no connection open', async (t) => {
  const { app, url, allGone } = await serve(t)
  const clients = await Promise.all(['/echo', '/echo', '/chat', '/chat?room=other', '/chat?name=ada&self=0'].map((path) => open(t, url + path)))
  const injected = [await connect(app, '/echo'), await connect(app, '/chat')]
  await app.close()
  t.strictSame(await Promise.all([...clients, ...injected].map(({ closed }) => closed)), Array.from({ length: 7 }, () => goingAway))
  await allGone()
  t.equal(app.lines.filter(({ msg, code }) => msg === 'websocket closed' && code === 1001).length, 7)
  t.strictSame(app.lines.filter(({ level }) => level >= 40), [])
})

t.test('messages stored before app.close() reach the members before the close frame', async (t) => {
  const { app, url } = await serve(t)
  const client = await open(t, `${url}/chat`)
  await client.next()
  await app.chat.publish('lobby', { text: 'last words' })
  await app.close()
  t.equal(await Promise.race([client.next(), client.closed]), 'last words')
  t.strictSame(await client.closed, goingAway)
})

t.test('app.close() resolves although a client never answers the close frame', async (t) => {
  const { app, port, url, allGone } = await serve(t, { drainTimeout: 1_000 })
  const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(upgradeRequest('/chat'))
  await once(socket, 'data')
  socket.resume()
  const other = await open(t, `${url}/chat`)
  const { tick } = stopTimeouts(t)
  const closed = app.close()
  t.strictSame(await other.closed, goingAway)
  tick(1_000)
  await closed
  await allGone()
  t.equal(app.lines.filter(({ msg, code }) => msg === 'websocket closed' && code === 1001).length, 2)
})

t.test('app.close() resolves although a client of either route never reads', async (t) => {
  const { app, port, allGone } = await serve(t, { drainTimeout: 50, limits: { pendingBytes: Infinity, messageRate: Infinity, byteRate: Infinity } })
  for (const path of ['/echo', '/chat']) {
    const connected = once(app.server, 'connection') as Promise<[Socket]>
    const client = await upgraded(t, port, path)
    const [serverSide] = await connected
    client.socket.pause()
    const message = clientFrame(2, Buffer.alloc(16 * 1024))
    const full = new Promise<void>((resolve) => {
      const write = serverSide.write
      serverSide.write = function (...args: unknown[]) {
        const flushed = (write as (...args: unknown[]) => boolean).apply(serverSide, args)
        if (serverSide.writableLength > 16 * 1024) resolve()
        return flushed
      } as typeof write
    })
    for (let i = 0; i < 2_000; i++) client.socket.write(message)
    await full
  }
  await app.close()
  await allGone()
})

t.test('app.close() does not wait for drainTimeout when only a reply is pending', async (t) => {
  const app = Fastify({ pluginTimeout: 0 })
  let asked!: () => void
  const waiting = new Promise<void>((resolve) => { asked = resolve })
  await app.register(fastifyChat, { drainTimeout: 2 ** 30, echo: { reply: () => { asked(); return new Promise(() => {}) } } })
  const port = await listen(app)
  const client = await open(t, `ws://127.0.0.1:${port}/echo`)
  client.socket.send('x')
  await waiting
  stopTimeouts(t)
  await app.close()
  t.strictSame(await client.closed, goingAway)
})

t.test('app.close() resolves without clients, without listening, and when called twice', async (t) => {
  const { app } = await serve(t)
  await Promise.all([app.close(), app.close()])
  const silent = await build(t)
  await silent.ready()
  await silent.close()
  const failed = await build(t)
  failed.register(async () => { throw new Error('broken') })
  await t.rejects(async () => { await failed.ready() }, { message: 'broken' })
  await failed.close()
})

t.test('app.close() closes the default store; a store passed as an option is only unfollowed', async (t) => {
  const store = new MemoryStore()
  let following = 0
  const follow = store.follow.bind(store)
  store.follow = async (room, deliver) => {
    const feed = await follow(room, deliver)
    following++
    return { head: feed.head, stop () { following--; feed.stop() } }
  }
  const { app, url } = await serve(t, { backend: backendOf({ store }) })
  for (const room of ['lobby', 'lobby', 'other']) await (await open(t, `${url}/chat?room=${room}`)).next()
  await app.chat.publish('lobby', { text: 'x' })
  t.equal(following, 2)
  await app.close()
  t.equal(following, 0)
  t.equal((await store.read('lobby', { limit: 1, maxBytes: 1 })).head.offset, 1)
  await store.close()
  const { app: other } = await serve(t)
  await other.close()
  await t.rejects(other.chat.publish('lobby', { text: 'x' }), { code: 'FST_CHAT_STORE_CLOSED' })
})

t.test('the process exits after app.close()', async (t) => {
  const script = `
    import Fastify from 'fastify'
    import { WebSocket } from 'ws'
    import fastifyChat from './src/index.ts'
    const app = Fastify()
    await app.register(fastifyChat)
    const url = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws')
    for (const path of ['/echo', '/chat', '/chat?room=a', '/nowhere']) {
      await new Promise((resolve) => new WebSocket(url + path).on('open', resolve).on('error', resolve))
    }
    await app.close()
    console.log('closed')`
  const child = spawn(process.execPath, [...typescriptArguments, '--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (data: Buffer) => { output += data.toString() })
  t.strictSame(await once(child, 'close'), [0, null])
  t.equal(output, 'closed\n')
})

t.test('a connection that answers no ping is closed; one that answers stays open', async (t) => {
  const { beat } = stopHeartbeats(t)
  const { app, port, url } = await serve(t, { heartbeatInterval })
  const alive = await open(t, `${url}/echo`)
  const silent = await upgraded(t, port, '/chat')
  for (let i = 0; i < 5; i++) {
    const pinged = once(alive.socket, 'ping')
    beat()
    await pinged
    // The server has read the pong when it answers.
    alive.socket.send('still here')
    t.equal(await alive.next(), 'still here')
  }
  await silent.ended
  t.ok(serverFrames(silent.received).some(({ opcode }) => opcode === PING))
  t.match(await logged(app, 'websocket closed'), { level: 30, code: 1001, reason: 'no data since the last ping' })
  t.equal(app.chat.stats().connections, 1)
})

t.test('the pings of many connections are distributed over parts of the interval', async (t) => {
  stopHeartbeats(t)
  const { port } = await serve(t, { heartbeatInterval })
  const clients = await Promise.all(Array.from({ length: 600 }, () => upgraded(t, port, '/echo')))
  const pinged = () => clients.filter(({ received }) => serverFrames(received).some(({ opcode }) => opcode === PING)).length
  const part = heartbeatInterval / 16
  mock.timers.tick(13 * part)
  t.equal(pinged(), 0)
  for (const count of [100, 350, 600]) {
    mock.timers.tick(part)
    while (pinged() < count) await tick()
    t.equal(pinged(), count)
  }
})

for (const [title, sign] of Object.entries({
  'that answers with pongs': clientFrame(PONG, ''),
  'that sends messages but no pong': clientFrame(TEXT, 'x'),
  'that sends pings of its own but no pong': clientFrame(PING, 'x'),
  'that is sending a message slowly': undefined
})) {
  t.test(`a connection ${title} is not closed by the heartbeat`, async (t) => {
    const { beat } = stopHeartbeats(t)
    const { app, port } = await serve(t, { heartbeatInterval })
    const connected = once(app.server, 'connection') as Promise<[Socket]>
    const client = await upgraded(t, port, '/echo')
    const [serverSide] = await connected
    const whole = clientFrame(TEXT, 'slow')
    const pings = () => serverFrames(client.received).filter(({ opcode }) => opcode === PING).length
    for (let i = 0; i < 8; i++) {
      beat()
      await client.until(() => pings() > i)
      client.socket.write(sign ?? whole.subarray(i, i + 1))
      while (serverSide.bytesRead < client.socket.bytesWritten) await tick()
    }
    if (sign === undefined) client.socket.write(whole.subarray(8))
    else client.socket.write(whole)
    await client.until((received) => serverFrames(received).some(({ payload }) => payload.toString() === 'slow'))
    t.strictSame(app.lines.filter(({ msg }) => msg === 'websocket closed'), [])
  })
}

t.test('a connection whose reply is pending is not closed by the heartbeat', async (t) => {
  const { beat } = stopHeartbeats(t)
  const reply = gate()
  const { app, port, url } = await serve(t, { heartbeatInterval, echo: { reply: async () => { await reply.pass(); return 'at last' } } })
  const connected = once(app.server, 'connection') as Promise<[Socket]>
  const waiting = await open(t, `${url}/echo`)
  const [serverSide] = await connected
  waiting.socket.send('x')
  await reply.reached
  for (let i = 0; i < 3; i++) {
    const silent = await upgraded(t, port, '/chat')
    for (let j = 0; j < 2; j++) {
      const { bytesRead } = serverSide
      beat()
      while (serverSide.bytesRead === bytesRead) await tick()
    }
    await silent.ended
  }
  reply.open()
  t.equal(await Promise.race([waiting.next(), waiting.closed]), 'at last')
})

t.test('a closed connection logs one info line with code, reason, duration and counts', async (t) => {
  const { app, url } = await serve(t, { echo: { reply: (message) => { if (message === 'throw') throw new Error('broken'); return message as string } } })
  const ends: Array<[code: number, reason: string, end: (client: Awaited<ReturnType<typeof open>>) => void]> = [
    [1000, 'bye', ({ socket }) => socket.close(1000, 'bye')],
    [4321, '', ({ socket }) => socket.close(4321)],
    [1005, '', ({ socket }) => socket.close()],
    [1006, '', ({ socket }) => socket.terminate()],
    [1011, 'internal error', ({ socket }) => socket.send('throw')]
  ]
  for (const [code, reason, end] of ends) {
    const client = await open(t, `${url}/echo`)
    client.socket.send('grüße')
    client.socket.send(Buffer.alloc(300))
    await client.next()
    await client.next()
    end(client)
    const line = await logged(app, 'websocket closed')
    const thrown = code === 1011
    t.match(line, {
      level: 30,
      code,
      reason,
      received: { messages: thrown ? 3 : 2, bytes: 307 + (thrown ? 5 : 0) },
      sent: { messages: 2 },
      reqId: /^req-/
    })
    t.equal(line['reason'], reason)
    t.ok(Number(line['duration']) >= 0)
    t.ok((line['sent'] as { bytes: number }).bytes >= 307)
    await client.closed
    t.equal(app.lines.filter(({ msg }) => msg === 'websocket closed').length, 1)
    app.lines.length = 0
  }
})

t.test('the 1001 close frame starts on a frame boundary and is the last frame', async (t) => {
  const { app, port } = await serve(t)
  const client = await upgraded(t, port, '/chat')
  for (let i = 0; i < 200; i++) client.socket.write(clientFrame(TEXT, `${i}`))
  await client.until((received) => serverFrames(received).length > 1)
  const closed = app.close()
  for (let i = 0; i < 50; i++) client.socket.write(clientFrame(TEXT, 'late'))
  await client.until((received) => serverFrames(received).some(({ opcode }) => opcode === CLOSE))
  client.socket.end(clientFrame(CLOSE, Buffer.from([3, 233])))
  await closed
  t.equal(serverFrames(client.received).at(-1)?.opcode, CLOSE)
})

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { ChatClient, type ClientSocket } from '../../src/client/node.ts'
import { build, listen } from '../support/app.ts'
import { chatClient, next } from '../support/chat-client.ts'
import { fakeServer } from '../support/fake-server.ts'
import { proxy } from '../support/proxy.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'

t.test('close settles every promise and ends every iteration', async (t) => {
  const { port } = await fakeServer(t, ({ type, room }) => type === 'post' || type === 'history' || room === 'slow' ? [] : undefined)
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const pending: Array<Promise<unknown>> = [client.join('slow'), room.post('sent'), room.history('p')]
  const rejections = pending.map((promise) => t.rejects(promise, { code: 'closed' }))
  const iteration = room[Symbol.asyncIterator]()
  const waiting = [iteration.next(), iteration.next()]
  client.close()
  t.match(client.status, { state: 'closed', code: 1000, reason: 'closed by this client' })
  await Promise.all(rejections)
  for (const { done } of await Promise.all(waiting)) t.equal(done, true)
  const late: Array<Promise<unknown>> = [client.join('lobby'), room.post('late'), room.history('p')]
  for (const promise of late) await t.rejects(promise, { code: 'closed' })
  room.leave()
  room.typing()
})

t.test('a client that a status listener closes does nothing more', async (t) => {
  const { port } = await fakeServer(t)
  for (const wanted of ['online', 'connecting', 'waiting'] as const) {
    const client = chatClient(t, port, { connect: wanted === 'online' ? undefined : () => Promise.reject(new Error('no network')) })
    const states: string[] = []
    client.on('status', ({ state }) => {
      states.push(state)
      if (state === wanted) client.close()
    })
    await next(client, 'closed')
    t.same(states.slice(-2), [wanted, 'closed'])
  }
})

t.test('a client that a room listener closes delivers no further event', async (t) => {
  const app = await build(t)
  const client = chatClient(t, await listen(app))
  const room = await client.join('lobby')
  let count = 0
  room.on('message', () => {
    count++
    client.close()
  })
  const closed = next(client, 'closed')
  for (const text of ['one', 'two']) await app.chat.publish('lobby', { text })
  await closed
  t.equal(count, 1)
})

t.test('a socket that opens after the client was closed is closed too', async (t) => {
  const { port, server } = await fakeServer(t)
  const { WebSocket } = await import('ws')
  let give!: (socket: ClientSocket) => void
  const asked = new Promise<void>((resolve) => {
    const client = new ChatClient(`ws://127.0.0.1:${port}`, {
      connect: () => new Promise((_resolve) => {
        give = _resolve
        resolve()
        client.close()
      })
    })
  })
  await asked
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  await Promise.all([once(socket, 'open'), once(server, 'connection')])
  give(socket as unknown as ClientSocket)
  t.equal((await once(socket, 'close'))[0], 1000)
})

t.test('a throwing socket counts as a broken connection', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const { WebSocket } = await import('ws')
  let attempts = 0
  const client = chatClient(t, port, {
    connect (url, protocol) {
      const socket = new WebSocket(url, protocol)
      if (++attempts === 1) socket.send = () => { throw new Error('broken') }
      if (attempts === 2) socket.once('message', () => { socket.send = () => { throw new Error('broken later') } })
      return socket as unknown as ClientSocket
    }
  })
  const room = client.join('lobby')
  t.match(await next(client, 'waiting'), { code: 1006, reason: 'Error: broken' })
  t.match(await next(client, 'waiting'), { code: 1006, reason: 'Error: broken later' })
  t.equal((await room).name, 'lobby')
})

for (const method of ['close', 'terminate'] as const) {
  t.test(`a socket whose ${method} throws is abandoned`, async (t) => {
    const { port } = await fakeServer(t, ({ type }, connection) => type === 'post' && connection === 1
      ? (socket) => socket.send('{')
      : undefined)
    const { WebSocket } = await import('ws')
    const client = chatClient(t, port, {
      connect (url, protocol) {
        const socket = new WebSocket(url, protocol) as unknown as ClientSocket
        return Object.assign(socket, { terminate: undefined }, { [method]: () => { throw new Error(`no ${method}`) } })
      }
    })
    const room = await client.join('lobby')
    const stored = room.post('hello')
    t.match(await next(client, 'waiting'), { code: 1006, reason: /SyntaxError/ })
    t.ok(await stored)
    t.doesNotThrow(() => client.close())
    t.equal(client.status.state, 'closed')
  })
}

t.test('a process whose clients are closed exits, and all their promises settle', async (t) => {
  const app = await build(t)
  const network = await proxy(t, await listen(app))
  const mute = createServer((socket) => { socket.on('error', () => {}) }).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  t.teardown(() => mute.close())
  const ports = [network.port, (mute.address() as AddressInfo).port].map(String)
  const child = fork(new URL('../support/fixtures/closed-clients.ts', import.meta.url), ports, { execArgv: [...typescriptArguments], silent: true })
  t.teardown(() => child.kill())
  const errors = text(child.stderr!)
  child.once('message', () => {
    network.freeze()
    child.send('frozen')
  })
  const [code] = await once(child, 'exit')
  t.equal(await errors, '')
  t.equal(code, 0)
})

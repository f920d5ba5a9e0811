import t, { type Test } from 'tap'
import { build, listen, logged, type Line } from '../support/app.ts'
import { clientFrame } from '../support/frames.ts'
import { gate } from '../support/gate.ts'
import { upgraded } from '../support/raw-client.ts'
import { wired } from '../support/server-side.ts'
import { tick } from '../support/tick.ts'
import { protocol } from '../support/v1-client.ts'
import { open } from '../support/websocket-client.ts'

const [TEXT, BINARY] = [1, 2]
const KiB = 1024
const MiB = 1024 * KiB

const terminated = ({ lines }: { lines: Line[] }) => lines.filter((line) => line['reason'] === 'receive budget exceeded')

/** Asserts that the server still serves new connections. */
async function serves (t: Test, port: number, bytes = 1): Promise<void> {
  const { socket, next } = await open(t, `ws://127.0.0.1:${port}/echo`)
  const message = Buffer.alloc(bytes, 'x')
  socket.send(message)
  t.ok(message.equals(await next() as Buffer))
  socket.terminate()
}

t.test('beyond receiveBudget the clients with most unfinished bytes are terminated', async (t) => {
  const app = await build(t, { limits: { receiveBudget: MiB } })
  const port = await listen(app)
  const [small, ...large] = await Promise.all(Array.from({ length: 31 }, () => upgraded(t, port, '/echo')))
  small!.socket.write(clientFrame(BINARY, Buffer.alloc(1_000), { fin: false }))
  const half = clientFrame(BINARY, Buffer.alloc(60 * KiB), { fin: false })
  for (const { socket } of large) socket.write(half)
  while (app.chat.stats().connections > 18) await tick()
  t.ok(app.chat.stats().connections > 8, `${app.chat.stats().connections} connections are left`)
  t.match(terminated(app)[0], { level: 30, code: 1013 })
  t.match(app.chat.stats().disconnects, { receive_budget: Number })
  small!.socket.write(clientFrame(0, 'and the rest'))
  await small!.until((received) => received.includes('and the rest'))
  await serves(t, port, 10 * KiB)
  for (const { socket } of [small!, ...large]) socket.destroy()
  while (app.chat.stats().connections > 0) await tick()
  const cut = app.chat.stats().disconnects['receive_budget']
  for (let i = 0; i < 40; i++) await serves(t, port, 60 * KiB)
  t.equal(app.chat.stats().disconnects['receive_budget'], cut, 'the bytes of closed connections are released')
})

t.test('messages waiting for a slow hook count in receiveBudget, including the one in the hook', async (t) => {
  const slow = gate()
  const app = await build(t, { limits: { receiveBudget: MiB }, echo: { reply: async (message) => { await slow.pass(); return message } } })
  const port = await listen(app)
  const clients = await Promise.all(Array.from({ length: 30 }, () => upgraded(t, port, '/echo')))
  for (const { socket } of clients) socket.write(clientFrame(BINARY, Buffer.alloc(60 * KiB)))
  while (app.chat.stats().connections > 17) await tick()
  t.ok(terminated(app).length > 0)
  slow.open()
  await serves(t, port)
})

t.test('one connection may send more than receiveBudget, one message after another', async (t) => {
  const app = await build(t, { limits: { receiveBudget: 256 * KiB }, echo: { reply: async (message) => message } })
  const port = await listen(app)
  const { socket, next } = await open(t, `ws://127.0.0.1:${port}/echo`)
  for (let i = 0; i < 20; i++) {
    socket.send(Buffer.alloc(60 * KiB, i))
    t.equal((await next() as Buffer)[0], i)
  }
  t.strictSame(terminated(app), [])
})

t.test('reading nearly stops for a client that waits for a hook, and no message is lost', async (t) => {
  const slow = gate()
  const app = await build(t, { echo: { reply: async (message) => { await slow.pass(); return message } } })
  const port = await listen(app)
  const { client, wire: { socket } } = await wired(app, () => open(t, `ws://127.0.0.1:${port}/echo`))
  client.socket.send('first')
  await slow.reached
  const read = socket.bytesRead
  const later = Array.from({ length: 20 }, (_, i) => `${i} ${'x'.repeat(16 * KiB)}`)
  await Promise.all(later.map((text) => new Promise((resolve) => { client.socket.send(text, resolve) })))
  for (let i = 0; i < 10; i++) await tick()
  t.equal(socket.readableLength, 0)
  t.ok(socket.bytesRead - read < 160 * KiB, `${socket.bytesRead - read} of ${20 * 16 * KiB} bytes`)
  slow.open()
  for (const text of ['first', ...later]) t.equal(await client.next(), text)
})

t.test('a disconnect of a client that waits for a hook is detected immediately', async (t) => {
  const slow = gate()
  t.teardown(() => slow.open())
  const app = await build(t, { echo: { reply: async (message) => { await slow.pass(); return message } } })
  const { socket } = await upgraded(t, await listen(app), '/echo')
  socket.write(clientFrame(TEXT, 'x'))
  await slow.reached
  socket.destroy()
  t.match(await logged(app, 'websocket closed'), { code: 1006 })
})

t.test('with authenticate, requests of connections without a hello count in receiveBudget', async (t) => {
  const headers = { 'X-Large': 'x'.repeat(12 * KiB), 'Sec-WebSocket-Protocol': protocol }
  const app = await build(t, { authenticate: (_request, { token = '' }) => ({ id: token }), limits: { receiveBudget: 256 * KiB } })
  const port = await listen(app)
  for (let i = 0; i < 40; i++) {
    const { socket, until } = await upgraded(t, port, '/chat', undefined, headers)
    socket.write(clientFrame(TEXT, JSON.stringify({ type: 'hello', token: `${i}` })))
    await until((received) => received.includes('welcome'))
  }
  t.strictSame(terminated(app), [], 'requests are released after hello')
  for (let i = 0; i < 40; i++) await upgraded(t, port, '/chat', undefined, headers)
  while (app.chat.stats().connections > 40 + 14) await tick()
  t.ok(app.chat.stats().connections > 40, `${app.chat.stats().connections} connections are left`)
  t.match(terminated(app)[0], { level: 30, code: 1013 })
})

t.test('messages that wait for a slow hook are dropped with their connection', async (t) => {
  const slow = gate()
  const handled: string[] = []
  const app = await build(t, {
    limits: { receiveBudget: 256 * KiB },
    echo: { reply: async (message) => { handled.push(message.slice(0, 1).toString()); await slow.pass(); return message } }
  })
  const port = await listen(app)
  const large = await upgraded(t, port, '/echo')
  large.socket.write(Buffer.concat([clientFrame(BINARY, '1'), clientFrame(BINARY, Buffer.alloc(50 * KiB, '2'))]))
  await slow.reached
  const others = await Promise.all(Array.from({ length: 7 }, () => upgraded(t, port, '/echo')))
  for (const { socket } of others) socket.write(clientFrame(BINARY, Buffer.alloc(30 * KiB, '3')))
  await large.ended
  slow.open()
  await Promise.all(others.map(({ until }) => until((received) => received.length > 30 * KiB)))
  t.strictSame(handled, ['1', ...others.map(() => '3')])
  t.equal(terminated(app).length, 1)
})

t.test('a ping that claims to be deflated changes nothing for the next connection', async (t) => {
  const app = await build(t, { limits: { receiveBudget: 256 * KiB } })
  const port = await listen(app)
  const half = clientFrame(TEXT, 'x'.repeat(100)).subarray(0, 50)
  for (let i = 0; i < 40; i++) {
    const malformed = await upgraded(t, port, '/chat')
    malformed.socket.write(clientFrame(9, '', { rsv: 4 }))
    await malformed.ended
    const { socket } = await upgraded(t, port, '/chat')
    await new Promise((resolve) => socket.write(half, resolve))
  }
  await serves(t, port)
  t.strictSame(terminated(app), [])
})

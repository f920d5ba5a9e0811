import type { Socket } from 'node:net'
import { mock } from 'node:test'
import t from 'tap'
import { build, listen, logged } from '../support/app.ts'
import { clientFrame, closeOf, serverFrames } from '../support/frames.ts'
import { full } from '../support/full.ts'
import { gate } from '../support/gate.ts'
import { holdRates } from '../support/hold-rates.ts'
import { memoryInUse } from '../support/memory.ts'
import { upgraded, type RawClient } from '../support/raw-client.ts'
import { wired } from '../support/server-side.ts'
import { tick } from '../support/tick.ts'
import { serves } from '../support/websocket-client.ts'

const [CONTINUATION, TEXT, BINARY, PING, PONG] = [0, 1, 2, 9, 10]
const KiB = 1024
const MiB = 1024 * KiB
const v1 = { 'Sec-WebSocket-Protocol': 'fastify-chat.v1' }

/** Resolves with the server's close code and reason, and destroys the connection. */
async function closed (client: RawClient): Promise<{ code: number, reason: string } | undefined> {
  await client.until(() => closeOf(client) !== undefined)
  client.socket.destroy()
  return closeOf(client)
}

const count = ({ received }: RawClient, opcode: number) => serverFrames(received).filter((frame) => frame.opcode === opcode).length

const times = (count: number, frame: Buffer) => Buffer.concat(Array<Buffer>(count).fill(frame))

for (const path of ['/echo', '/chat']) {
  for (const [what, opcode] of [['pings', PING], ['pongs', PONG]] as const) {
    t.test(`${path}: a flood of ${what} is closed with 1008, and at most 50 are answered`, async (t) => {
      const app = await build(t)
      const port = await listen(app)
      const client = await upgraded(t, port, path)
      client.socket.write(times(50, clientFrame(opcode, 'x'.repeat(125))))
      client.socket.write(times(100_000, clientFrame(opcode)))
      t.strictSame(await closed(client), { code: 1008, reason: 'too many pings or pongs' })
      t.ok(count(client, PONG) <= (opcode === PING ? 50 : 0))
      t.match(await logged(app, 'websocket closed'), { code: 1008, reason: 'too many pings or pongs' })
      await serves(t, port)
    })
  }

  t.test(`${path}: 49 pings and pongs at once and one later are accepted`, async (t) => {
    const port = await listen(await build(t))
    const client = await upgraded(t, port, path)
    client.socket.write(Buffer.concat([times(25, clientFrame(PING, 'a')), times(24, clientFrame(PONG))]))
    await client.until(() => count(client, PONG) === 25)
    client.socket.write(clientFrame(PING, 'b'))
    await client.until(() => count(client, PONG) === 26)
    t.equal(closeOf(client), undefined)
  })

  t.test(`${path}: pending pongs of a client that never reads are bounded`, async (t) => {
    const app = await build(t)
    const sockets: Socket[] = []
    app.server.on('connection', (socket: Socket) => sockets.push(socket))
    const port = await listen(app)
    const client = await upgraded(t, port, path)
    const [socket] = sockets as [Socket]
    socket._write = () => {}
    socket._writev = () => {}
    t.teardown(() => socket.destroy())
    client.socket.write(times(50, clientFrame(PING, 'x'.repeat(125))))
    while (socket.writableLength < 50 * 127) await tick()
    const more = times(1_000, clientFrame(PING, 'x'.repeat(125)))
    const before = socket.bytesRead
    client.socket.write(more)
    while (socket.bytesRead < before + more.length) await tick()
    t.ok(socket.writableLength < 8 * KiB, `${socket.writableLength} bytes are pending`)
    await serves(t, port)
  })

  t.test(`${path}: a client that pings at the permitted rate and reads no pongs is closed with a reason`, async (t) => {
    const pass = holdRates(t)
    const app = await build(t)
    const { client, wire: { socket } } = await wired(app, async () => await upgraded(t, await listen(app), path))
    socket._write = () => {}
    socket._writev = () => {}
    for (const pings of [50, 10]) {
      const before = socket.bytesRead
      const bytes = times(pings, clientFrame(PING))
      client.socket.write(bytes)
      while (socket.bytesRead < before + bytes.length) await tick()
      await tick()
      pass(10_000)
    }
    client.socket.destroy()
    socket.destroy()
    t.match(await logged(app, 'websocket closed'), { code: 1008, reason: 'too many pings or pongs' })
    t.strictSame(app.chat.stats().disconnects, { control_flood: 1 })
  })

  t.test(`${path}: 16,000 one-byte fragments on each of many connections take little memory`, async (t) => {
    const app = await build(t)
    const port = await listen(app)
    const clients = await Promise.all(Array.from({ length: full(100, 25) }, () => upgraded(t, port, path)))
    const before = await memoryInUse()
    const fragments = Buffer.concat([clientFrame(TEXT, 'a', { fin: false }), times(15_999, clientFrame(CONTINUATION, 'a', { fin: false }))])
    for (const { socket } of clients) socket.write(fragments)
    for (const client of clients) await client.until(() => closeOf(client) !== undefined)
    t.ok(clients.every((client) => closeOf(client)!.code === 1008))
    const held = await memoryInUse() - before
    t.ok(held < full(20, 5) * MiB, `${(held / MiB).toFixed(1)} MiB on both sides`)
    for (const { socket } of clients) socket.destroy()
    while (app.chat.stats().connections > 0) await tick()
    const left = await memoryInUse() - before
    t.ok(left < 2 * MiB, `${(left / MiB).toFixed(1)} MiB left`)
    await serves(t, port)
  })

  t.test(`${path}: unfinished messages of 50 clients are released after messageTimeout`, async (t) => {
    const app = await build(t, {}, { messageTimeout: 300 })
    const port = await listen(app)
    const before = await memoryInUse()
    const clients = await Promise.all(Array.from({ length: 50 }, () => upgraded(t, port, path)))
    const half = clientFrame(BINARY, Buffer.alloc(15 * KiB), { fin: false })
    for (const { socket } of clients) socket.write(half)
    t.ok((await Promise.all(clients.map(closed))).every((ending) => ending?.code === 1008))
    while (app.chat.stats().connections > 0) await tick()
    const grown = await memoryInUse() - before
    t.ok(grown < 4 * MiB, `${(grown / MiB).toFixed(1)} MiB`)
    await serves(t, port)
  })
}

const halves: ReadonlyArray<[title: string, ...frames: Buffer[]]> = [
  ['one byte of a header', clientFrame(TEXT, 'whole'), clientFrame(TEXT).subarray(0, 1)],
  ['seven of eight length bytes', Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0])],
  ['three of four mask bytes', clientFrame(TEXT, 'a').subarray(0, 5)],
  ['four of five payload bytes', clientFrame(TEXT, 'whole'), clientFrame(TEXT, 'hello').subarray(0, 10)],
  ['part of a ping', clientFrame(PING, 'hello').subarray(0, 8)],
  ['a first fragment', clientFrame(TEXT, 'whole'), clientFrame(TEXT, 'a', { fin: false })],
  ['an empty first fragment', clientFrame(TEXT, '', { fin: false })],
  ['fragments with pings and pongs between them', clientFrame(TEXT, 'a', { fin: false }), clientFrame(PING), clientFrame(CONTINUATION, 'a', { fin: false }), clientFrame(PONG)]
]

for (const [title, ...frames] of halves) {
  t.test(`${title}: closed with 1008 if the rest does not arrive within messageTimeout`, async (t) => {
    const port = await listen(await build(t, {}, { messageTimeout: 200, controlRate: 1_000 }))
    const client = await upgraded(t, port, '/echo')
    client.socket.write(Buffer.concat(frames))
    const trickle = setInterval(() => client.socket.write(title.startsWith('fragments') ? clientFrame(PONG) : Buffer.alloc(0)), 20)
    const ending = await closed(client)
    clearInterval(trickle)
    t.strictSame(ending, { code: 1008, reason: 'message not completed in time' })
    await serves(t, port)
  })
}

t.test('messageTimeout also limits a message that arrives byte by byte', async (t) => {
  const port = await listen(await build(t, {}, { messageTimeout: 200 }))
  const client = await upgraded(t, port, '/echo')
  const frame = clientFrame(TEXT, 'x'.repeat(1_000))
  let at = 0
  const trickle = setInterval(() => client.socket.write(frame.subarray(at, ++at)), 5)
  t.equal((await closed(client))?.code, 1008)
  clearInterval(trickle)
  t.ok(at < 1_000)
})

t.test('messageTimeout applies to each message, and large ones back to back are not lost', async (t) => {
  const port = await listen(await build(t, {}, { messageTimeout: 1_000 }))
  const client = await upgraded(t, port, '/echo')
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const frame = clientFrame(BINARY, Buffer.alloc(20_000, 'x'))
  const bytes = times(150, frame)
  const step = Math.ceil(bytes.length / 29)
  let passed = 0
  for (let at = step; at < bytes.length + step; at += step) {
    client.socket.write(bytes.subarray(at - step, at))
    const whole = Math.min(150, Math.floor(at / frame.length))
    await client.until(() => count(client, BINARY) >= whole)
    mock.timers.tick(50)
    passed += 50
  }
  await client.until(() => count(client, BINARY) === 150)
  t.ok(passed > 1_000, 'all messages together took longer than messageTimeout')
  t.equal(closeOf(client), undefined)
})

t.test('messageTimeout is suspended while the server has paused reading', async (t) => {
  const slow = gate()
  const port = await listen(await build(t, { echo: { reply: async (text) => { await slow.pass(); return text } } }, { messageTimeout: 50 }))
  const client = await upgraded(t, port, '/echo')
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const [large, second] = [clientFrame(TEXT, 'x'.repeat(20 * KiB)), clientFrame(TEXT, 'second')]
  client.socket.write(Buffer.concat([clientFrame(TEXT, 'first'), large, second.subarray(0, 7)]))
  await slow.reached
  client.socket.write(second.subarray(7))
  mock.timers.tick(200)
  slow.open()
  await client.until(() => count(client, TEXT) === 3)
  t.equal(closeOf(client), undefined)
})

t.test('empty messages: echo answers each, v1 rejects them, plain is slowed down', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const echo = await upgraded(t, port, '/echo')
  echo.socket.write(times(10_000, clientFrame(TEXT)))
  await echo.until(() => count(echo, TEXT) === 10_000)

  const [json, plain, fragments] = [await upgraded(t, port, '/chat', undefined, v1), await upgraded(t, port, '/chat'), await upgraded(t, port, '/chat')]
  json.socket.write(times(10_000, clientFrame(TEXT)))
  plain.socket.write(times(10_000, clientFrame(TEXT)))
  fragments.socket.write(Buffer.concat([clientFrame(TEXT, '', { fin: false }), times(10_000, clientFrame(CONTINUATION, '', { fin: false }))]))
  t.equal((await closed(json))?.code, 4400)
  await plain.until(() => count(plain, TEXT) > 20)
  t.equal(closeOf(plain), undefined)
  t.equal((await closed(fragments))?.code, 1008)
  await serves(t, port)
})

t.test('floods leak no file descriptor and no memory', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const flood = async (kind: number): Promise<void> => {
    const client = await upgraded(t, port, kind % 2 === 0 ? '/echo' : '/chat', undefined, kind % 4 === 1 ? v1 : {})
    client.socket.write(times(2_000, [clientFrame(PING), clientFrame(TEXT, '{}'), clientFrame(PONG), clientFrame(TEXT, '', { fin: false })][kind % 4]!))
    if (kind % 3 === 0) client.socket.resetAndDestroy()
    else await closed(client)
  }
  const round = async (): Promise<void> => {
    for (let i = 0; i < full(250, 75); i += 25) await Promise.all(Array.from({ length: 25 }, (_, j) => flood(i + j)))
    while (app.chat.stats().connections > 0) await tick()
    app.lines.length = 0
  }
  await round()
  const [before, resources] = [await memoryInUse(), process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length]
  for (let i = 0; i < 3; i++) await round()
  const grown = await memoryInUse() - before
  t.ok(grown < 4 * MiB, `${(grown / MiB).toFixed(1)} MiB`)
  t.equal(process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length, resources)
  await serves(t, port)
})

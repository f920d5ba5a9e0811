import { once } from 'node:events'
import t from 'tap'
import { build, listen, logged } from '../support/app.ts'
import { clientFrame, closeOf, serverFrames, type Frame } from '../support/frames.ts'
import { upgraded } from '../support/raw-client.ts'
import { open } from '../support/websocket-client.ts'

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10]
const paths = ['/echo', '/chat?room=frames']

const first = (opcode: number, payload: Uint8Array | string = 'a') => clientFrame(opcode, payload, { fin: false })
const closing = (code: number, reason: Uint8Array = Buffer.alloc(0)) => clientFrame(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), reason]))
/** Returns the header of a frame without its payload. */
const header = (opcode: number, length: number, fin = true) => {
  const bytes = Buffer.alloc(14)
  bytes[0] = (fin ? 0x80 : 0) | opcode
  bytes[1] = 0x80 | 127
  bytes.writeBigUInt64BE(BigInt(length), 2)
  return bytes
}
const wave = Buffer.from('👋')

/** RFC 6455, sections 5.1 to 5.5, 7.4 and 8.1; 1008 is specific to this server. */
const malformed: Array<[title: string, code: number, ...frames: Buffer[]]> = [
  ['an unmasked text frame', 1002, clientFrame(TEXT, 'a', { masked: false })],
  ['an unmasked ping', 1002, clientFrame(PING, 'a', { masked: false })],
  ['an unmasked close', 1002, clientFrame(CLOSE, '', { masked: false })],
  ...[1, 2, 4, 7].flatMap((rsv): Array<[string, number, Buffer]> => [
    [`reserved bits ${rsv} on a text frame`, 1002, clientFrame(TEXT, 'a', { rsv })],
    [`reserved bits ${rsv} on a ping`, 1002, clientFrame(PING, 'a', { rsv })]
  ]),
  ['reserved bits on a continuation', 1002, first(TEXT), clientFrame(CONTINUATION, 'a', { rsv: 4 })],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, number, Buffer] =>
    [`the reserved opcode ${opcode}`, 1002, clientFrame(opcode, 'a')]),
  ...[CLOSE, PING, PONG].flatMap((opcode): Array<[string, number, Buffer]> => [
    [`a fragmented control frame ${opcode}`, 1002, first(opcode, '')],
    [`a control frame ${opcode} of 126 bytes`, 1002, clientFrame(opcode, 'x'.repeat(126))]
  ]),
  ['a continuation without a first frame', 1002, clientFrame(CONTINUATION, 'a')],
  ['an unfinished continuation without a first frame', 1002, first(CONTINUATION)],
  ['a continuation after a whole message', 1002, clientFrame(TEXT, 'a'), clientFrame(CONTINUATION, 'b')],
  ['a text frame inside a fragmented message', 1002, first(TEXT), clientFrame(TEXT, 'b')],
  ['a binary frame inside a fragmented message', 1002, first(TEXT), clientFrame(BINARY, 'b')],
  ['text that is not UTF-8', 1007, clientFrame(TEXT, Buffer.from([0xff]))],
  ['text with an overlong sequence', 1007, clientFrame(TEXT, Buffer.from([0xc0, 0xaf]))],
  ['text with a surrogate', 1007, clientFrame(TEXT, Buffer.from([0xed, 0xa0, 0x80]))],
  ['text that ends within a character', 1007, clientFrame(TEXT, wave.subarray(0, 3))],
  ['text in fragments that is not UTF-8', 1007, first(TEXT, wave.subarray(0, 2)), clientFrame(CONTINUATION, wave.subarray(3))],
  ['text in fragments that ends within a character', 1007, first(TEXT, wave.subarray(0, 2)), clientFrame(CONTINUATION, wave.subarray(2, 3))],
  ['a close with a payload of 1 byte', 1002, clientFrame(CLOSE, Buffer.from([3]))],
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code): [string, number, Buffer] =>
    [`a close with the code ${code}`, 1002, closing(code)]),
  ['a close whose reason is not UTF-8', 1007, closing(1000, Buffer.from([0xff]))],
  ['a message whose length field exceeds the limit', 1009, header(BINARY, 65_537)],
  ['a text whose length field exceeds the limit', 1009, header(TEXT, 2 ** 40)],
  ['a length beyond 2^53', 1009, header(TEXT, 2 ** 60)],
  ['fragments that exceed the limit together', 1009, first(BINARY, Buffer.alloc(10_000)), header(CONTINUATION, 60_000)],
  ['a message of too many fragments', 1008, first(TEXT, ''), ...Array.from({ length: 1_024 }, () => first(CONTINUATION, ''))]
]

/** Returns the server's frames without the chat's greeting. */
function answers (received: Buffer): Frame[] {
  return serverFrames(received).filter(({ payload }) => !payload.equals(Buffer.from('connected to WebSocket server')))
}

for (const path of paths) {
  t.test(`on ${path}`, async (t) => {
    const app = await build(t)
    const port = await listen(app)

    for (const [title, code, ...frames] of malformed) {
      t.test(`${title} is closed with ${code}, and the connection ends`, async (t) => {
        const client = await upgraded(t, port, path)
        client.socket.write(Buffer.concat(frames))
        await client.ended
        t.equal(closeOf(client)?.code, code)
        t.not(closeOf(client)?.reason, '')
        t.equal(serverFrames(client.received).at(-1)?.opcode, CLOSE, 'no frame follows')
      })
    }

    t.test('a malformed frame in the same packet as the handshake is closed with its code', async (t) => {
      const client = await upgraded(t, port, path, clientFrame(TEXT, 'a', { masked: false }))
      await client.ended
      t.equal(closeOf(client)?.code, 1002)
    })

    t.test('a message far above the limit is closed with 1009 while the client still sends it', async (t) => {
      const clients = await Promise.all(Array.from({ length: 10 }, () => open(t, `ws://127.0.0.1:${port}${path}`)))
      for (const { socket } of clients) socket.send(Buffer.alloc(20 * 1024 * 1024))
      const codes = await Promise.all(clients.map(async ({ closed }) => (await closed).code))
      t.strictSame(codes, clients.map(() => 1009))
    })

    t.test('messages before a malformed frame are handled, later ones are not', async (t) => {
      const watcher = await open(t, `ws://127.0.0.1:${port}${path}`)
      if (path !== '/echo') await watcher.next()
      const client = await upgraded(t, port, path)
      client.socket.write(Buffer.concat([clientFrame(TEXT, 'before'), clientFrame(3, ''), clientFrame(TEXT, 'after')]))
      await client.ended
      watcher.socket.send('still here')
      const received = path === '/echo' ? answers(client.received).map(({ payload }) => payload.toString()) : [await watcher.next(), await watcher.next()]
      t.equal(received[0], 'before')
      t.notOk(received.includes('after'))
    })

    t.test('a message of 256 fragments is accepted', async (t) => {
      const client = await upgraded(t, port, path)
      client.socket.write(Buffer.concat([first(TEXT), ...Array.from({ length: 254 }, () => first(CONTINUATION)), clientFrame(CONTINUATION, 'a')]))
      const received = await client.until((received) => answers(received).length > 0)
      t.strictSame(answers(received), [{ opcode: TEXT, payload: Buffer.from('a'.repeat(256)) }])
    })

    t.test('a ping gets a pong with its payload, even between fragments; a pong gets no answer', async (t) => {
      const client = await upgraded(t, port, path)
      client.socket.write(Buffer.concat([
        clientFrame(PING, ''), clientFrame(PONG, 'unasked'), clientFrame(PING, 'x'.repeat(125)),
        first(TEXT, 'one '), clientFrame(PING, 'between'), clientFrame(CONTINUATION, 'message')
      ]))
      const received = await client.until((received) => answers(received).length >= 4)
      t.strictSame(answers(received).map(({ opcode, payload }) => [opcode, payload.toString()]),
        [[PONG, ''], [PONG, 'x'.repeat(125)], [PONG, 'between'], [TEXT, 'one message']])
    })

    for (const [title, frame, code] of [
      ['without a code', clientFrame(CLOSE, ''), 1005],
      ['with 1000', closing(1000), 1000],
      ['with 1001 and a reason', closing(1001, Buffer.from('bye')), 1001],
      ['with an application code', closing(4999), 4999],
      ['with a reason of 123 bytes', closing(3000, Buffer.alloc(123, 'x')), 3000]
    ] as const) {
      t.test(`a close ${title} is answered with the same code, and the connection ends`, async (t) => {
        const client = await upgraded(t, port, path)
        client.socket.write(frame)
        await client.ended
        t.equal(closeOf(client)?.code, code)
      })
    }

    t.test('a client that ends without a close frame is disconnected', async (t) => {
      const connected = once(app.server, 'connection')
      const client = await upgraded(t, port, path)
      const [serverSide] = await connected
      const over = once(serverSide, 'close')
      client.socket.end()
      await Promise.all([client.ended, over])
      t.ok(serverSide.destroyed)
    })

    t.test('a client that ends within a frame or resets is disconnected', async (t) => {
      for (const end of ['end', 'resetAndDestroy'] as const) {
        const connected = once(app.server, 'connection')
        const client = await upgraded(t, port, path)
        const [serverSide] = await connected
        const over = new Promise((resolve) => serverSide.once('close', resolve))
        client.socket.write(header(BINARY, 1_000))
        client.socket[end]()
        await over
        t.ok(serverSide.destroyed, end)
      }
    })

    t.test('afterwards the server still serves connections and has logged no error', async (t) => {
      const { socket, next } = await open(t, `ws://127.0.0.1:${port}${path}`)
      if (path !== '/echo') t.equal(await next(), 'connected to WebSocket server')
      socket.send('fine')
      t.equal(await next(), 'fine')
      t.strictSame(app.lines.filter(({ level }) => level >= 40), [])
    })
  })

  for (const [title, code, ...frames] of malformed.filter(([, code], i, all) => i === all.findIndex(([, other]) => other === code))) {
    t.test(`on ${path} ${title} is logged with code ${code}`, async (t) => {
      const app = await build(t)
      const client = await upgraded(t, await listen(app), path)
      client.socket.write(Buffer.concat(frames))
      await client.ended
      client.socket.end()
      t.match(await logged(app, 'websocket closed'), { level: 30, code, reason: closeOf(client)?.reason })
    })
  }
}

t.test('a listener of the app on a socket receives each message, whole or in fragments', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const messages: string[] = []
  app.websocketServer.on('connection', (socket) => { socket.on('message', (data: Buffer) => messages.push(data.toString())) })
  const client = await upgraded(t, port, '/echo')
  client.socket.write(Buffer.concat([clientFrame(TEXT, 'whole'), first(TEXT, 'in '), clientFrame(CONTINUATION, 'parts')]))
  await client.until(() => serverFrames(client.received).length === 2)
  t.strictSame(messages, ['whole', 'in parts'])
})

t.test('a listener of the app that terminates the connection keeps the message from the chat', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  app.websocketServer.on('connection', (socket) => { socket.on('message', () => socket.terminate()) })
  const client = await upgraded(t, port, '/chat')
  client.socket.write(clientFrame(TEXT, 'unwanted'))
  await logged(app, 'websocket closed')
  t.strictSame((await app.chat.history('lobby')).entries, [])
})

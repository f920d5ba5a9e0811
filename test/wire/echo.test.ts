import { once } from 'node:events'
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import t from 'tap'
import type { EchoOptions } from '../../src/index.ts'
import { connect } from '../../src/testing.ts'
import { build, listen, logged } from '../support/app.ts'
import { clientFrame, serverFrames } from '../support/frames.ts'
import { full } from '../support/full.ts'
import { upgraded } from '../support/raw-client.ts'
import { tick } from '../support/tick.ts'
import { open } from '../support/websocket-client.ts'

const [CONTINUATION, TEXT, BINARY] = [0, 1, 2]

/** Starts an echo. Resolves with its app, port and URL. */
async function echo (t: Parameters<typeof build>[0], options: EchoOptions = {}) {
  const app = await build(t, { echo: options })
  const port = await listen(app)
  return { app, port, url: `ws://127.0.0.1:${port}/echo` }
}

t.test('messages are echoed unchanged: text and binary, of every size up to the limit', async (t) => {
  const { url } = await echo(t)
  const { socket, next } = await open(t, url)
  for (const size of [0, 1, 125, 126, 127, 4_096, 65_535, 65_536]) {
    socket.send('x'.repeat(size))
    t.equal(await next(), 'x'.repeat(size), `text of ${size}`)
    socket.send(Buffer.alloc(size, 0xfe))
    t.strictSame(await next(), Buffer.alloc(size, 0xfe), `binary of ${size}`)
  }
  for (const text of ['grüße', '👋🏽', '\0', '\uFEFF', '<b>']) {
    socket.send(text)
    t.equal(await next(), text)
  }
})

t.test('short and long messages of one packet are echoed in order', async (t) => {
  const { port } = await echo(t)
  const sizes = [1, 3_000, 2, 3, 9_000, 2_048, 4, 2_047]
  const sent = sizes.map((size, i) => Buffer.alloc(size, i))
  const client = await upgraded(t, port, '/echo', Buffer.concat(sent.map((bytes) => clientFrame(BINARY, bytes))))
  const received = await client.until((received) => serverFrames(received).length === sizes.length)
  t.strictSame(serverFrames(received).map(({ payload }) => Buffer.from(payload)), sent)
})

t.test('the bytes of a reply may change afterwards, even while they are pending', async (t) => {
  const bytes = Buffer.alloc(8_192)
  const messages = 2_000
  let count = 0
  const { app, port } = await echo(t, { reply: () => { bytes.writeUInt32BE(count++); return bytes } })
  const client = await upgraded(t, port, '/echo')
  client.socket.pause()
  client.socket.write(Buffer.concat(Array.from({ length: messages }, () => clientFrame(TEXT, ''))))
  while (app.chat.stats().pendingBytes === 0) await tick()
  client.socket.resume()
  const received = await client.until((received) => received.length >= messages * (4 + bytes.length))
  t.strictSame(serverFrames(received).map(({ payload }) => payload.readUInt32BE()), Array.from({ length: messages }, (_, i) => i))
})

t.test('a message larger than the limit closes with 1009; one of exactly the limit does not', async (t) => {
  const { url } = await echo(t)
  const { socket, next, closed } = await open(t, url)
  socket.send('x'.repeat(65_536))
  t.equal((await next()).length, 65_536)
  socket.send('x'.repeat(65_537))
  t.match(await closed, { code: 1009 })
})

t.test('many messages sent at once are echoed in order', async (t) => {
  const { url } = await echo(t)
  const { socket, next } = await open(t, url)
  for (let i = 0; i < 5_000; i++) socket.send(`${i}`)
  for (let i = 0; i < 5_000; i++) {
    const answer = await next()
    if (answer !== `${i}`) t.equal(answer, `${i}`)
  }
  t.pass()
})

t.test('a fragmented message is echoed as one', async (t) => {
  const { port } = await echo(t)
  const wave = Buffer.from('a 👋 b')
  for (const [title, opcode] of [['text', TEXT], ['binary', BINARY]] as const) {
    const client = await upgraded(t, port, '/echo')
    client.socket.write(Buffer.concat([
      clientFrame(opcode, wave.subarray(0, 3), { fin: false }),
      clientFrame(CONTINUATION, '', { fin: false }),
      clientFrame(CONTINUATION, wave.subarray(3, 4), { fin: false }),
      clientFrame(CONTINUATION, wave.subarray(4))
    ]))
    const received = await client.until((received) => serverFrames(received).length > 0)
    t.strictSame(serverFrames(received), [{ opcode, payload: wave }], title)
  }
})

t.test('a message that arrives byte by byte is echoed', async (t) => {
  const { port } = await echo(t)
  const client = await upgraded(t, port, '/echo')
  client.socket.setNoDelay(true)
  for (const byte of clientFrame(TEXT, 'x'.repeat(130))) {
    client.socket.write(Buffer.from([byte]))
    await tick()
  }
  const received = await client.until((received) => serverFrames(received).length > 0)
  t.strictSame(serverFrames(received), [{ opcode: TEXT, payload: Buffer.from('x'.repeat(130)) }])
})

t.test('messages in the same packet as the handshake are echoed after the greeting', async (t) => {
  const { port } = await echo(t, { greeting: 'hello' })
  const client = await upgraded(t, port, '/echo', Buffer.concat([clientFrame(TEXT, 'one'), clientFrame(BINARY, 'two')]))
  const received = await client.until((received) => serverFrames(received).length >= 3)
  t.strictSame(serverFrames(received).map(({ opcode, payload }) => [opcode, payload.toString()]), [[TEXT, 'hello'], [TEXT, 'one'], [BINARY, 'two']])
})

t.test('the greeting is sent on open, even an empty one; by default there is none', async (t) => {
  for (const [greeting, first] of [['welcome', 'welcome'], ['', ''], [undefined, 'mine']] as const) {
    const { url } = await echo(t, { greeting })
    const { socket, next } = await open(t, url)
    socket.send('mine')
    t.equal(await next(), first)
  }
})

t.test('an injected connection receives the same answers', async (t) => {
  const app = await build(t, { echo: { greeting: 'hello' } })
  const { next, send, close } = await connect(app, '/echo')
  t.equal(await next(), 'hello')
  send('text')
  t.equal(await next(), 'text')
  send(Buffer.from([0, 255]))
  t.strictSame(await next(), Buffer.from([0, 255]))
  send(Buffer.alloc(65_536))
  t.equal((await next()).length, 65_536)
  t.match(await close(1000), { code: 1000 })
})

t.test('reply receives the message and isBinary, and its result is sent as text or binary', async (t) => {
  const calls: unknown[] = []
  const answers = ['text', Buffer.from('buffer'), new Uint8Array([7]), '', new Uint8Array(0)]
  const { url } = await echo(t, {
    reply (message, isBinary) {
      calls.push([message, isBinary])
      return answers.shift()
    }
  })
  const { socket, next } = await open(t, url)
  const sent = ['one', Buffer.from('two'), '', Buffer.alloc(0), '👋']
  for (const message of sent) socket.send(message)
  const received = []
  for (let i = 0; i < 5; i++) received.push(await next())
  t.strictSame(received, ['text', Buffer.from('buffer'), Buffer.from([7]), '', Buffer.alloc(0)])
  t.strictSame(calls, sent.map((message) => [message, typeof message !== 'string']))
})

t.test('reply may return any thenable', async (t) => {
  const { url } = await echo(t, { reply: () => ({ then: (resolve: (text: string) => void) => resolve('later') }) as unknown as Promise<string> })
  const { socket, next } = await open(t, url)
  socket.send('x')
  t.equal(await next(), 'later')
})

t.test('reply may return undefined, which sends nothing', async (t) => {
  const { url } = await echo(t, { reply: (message) => message === 'hush' ? undefined : message as string })
  const { socket, next } = await open(t, url)
  socket.send('hush')
  socket.send('speak')
  t.equal(await next(), 'speak')
})

t.test('answers stay in order, even if reply is slow', async (t) => {
  let answer!: (text: string) => void
  const asked: unknown[] = []
  const { app, url } = await echo(t, {
    reply (message) {
      asked.push(message)
      return message === 'slow' ? new Promise((resolve) => { answer = resolve }) : `re: ${message as string}`
    }
  })
  const { socket, next } = await open(t, url)
  socket.send('slow')
  socket.send('quick')
  const other = await open(t, url)
  await logged(app, 'received')
  other.socket.send('another connection')
  t.equal(await other.next(), 're: another connection', 'other connections are not delayed')
  t.strictSame(asked, ['slow', 'another connection'])
  answer('at last')
  socket.send('late')
  t.strictSame([await next(), await next(), await next()], ['at last', 're: quick', 're: late'])
})

const faults: Record<string, EchoOptions['reply']> = {
  throws: () => { throw new Error('broken') },
  rejects: async () => { throw new Error('broken') },
  'throws undefined': () => { throw undefined }, // eslint-disable-line no-throw-literal
  'returns a number': () => 5 as unknown as string,
  'returns null': () => null as unknown as string,
  'returns an ArrayBuffer': () => new ArrayBuffer(64) as unknown as string,
  'returns a Uint16Array': () => new Uint16Array(64) as unknown as string,
  'resolves with a DataView': async () => new DataView(new ArrayBuffer(64)) as unknown as string,
  'throws an error whose message throws': () => { throw Object.defineProperty(new Error('x'), 'message', { get () { throw new Error('again') } }) },
  'resolves with an object': async () => ({}) as unknown as string
}
for (const [title, faulty] of Object.entries(faults)) {
  t.test(`a reply that ${title} closes only its connection with 1011 and is logged once`, async (t) => {
    const { app, url } = await echo(t, { reply: (message, isBinary) => message === 'fine' ? 'fine' : faulty!(message, isBinary) })
    const [one, other] = [await open(t, url), await open(t, url)]
    one.socket.send('bad')
    one.socket.send('bad')
    one.socket.send('bad')
    t.strictSame(await one.closed, { code: 1011, reason: 'internal error' })
    other.socket.send('fine')
    t.equal(await other.next(), 'fine')
    await logged(app, 'websocket closed')
    t.equal(app.lines.filter(({ level }) => level >= 50).length, 1)
  })
}

t.test('after a failure reply is not called again for that connection', async (t) => {
  let go!: () => void
  const asked: unknown[] = []
  const { port } = await echo(t, {
    reply (message) {
      asked.push(message)
      if (message === 'wait') return new Promise<string>((resolve) => { go = () => resolve('done') })
      throw new Error('broken')
    }
  })
  const client = await upgraded(t, port, '/echo', Buffer.concat(['wait', 'bad', 'never'].map((text) => clientFrame(TEXT, text))))
  const other = await open(t, `ws://127.0.0.1:${port}/echo`)
  t.strictSame(asked, ['wait'])
  go()
  const received = await client.until((received) => serverFrames(received).some(({ opcode }) => opcode === 8))
  t.strictSame(serverFrames(received).map(({ opcode }) => opcode), [TEXT, 8], 'the earlier answer was sent')
  t.strictSame(asked, ['wait', 'bad'])
  other.socket.terminate()
})

t.test('a client that disconnects while its reply is pending affects no other connection', async (t) => {
  let go!: () => void
  const { app, url } = await echo(t, {
    reply: (message) => message === 'wait' ? new Promise<string>((resolve) => { go = () => resolve('too late') }) : message as string
  })
  const { socket } = await open(t, url)
  socket.send('wait')
  await logged(app, 'received')
  socket.terminate()
  const other = await open(t, url)
  go()
  await logged(app, 'websocket closed')
  other.socket.send('fine')
  t.equal(await other.next(), 'fine')
  t.strictSame(app.lines.filter(({ level }) => level >= 40), [])
})

t.test('the server stops reading from a client that does not read, and loses nothing', async (t) => {
  const { app, port, url } = await echo(t)
  const connected = once(app.server, 'connection') as Promise<[Socket]>
  const client = await upgraded(t, port, '/echo')
  const [serverSide] = await connected
  const other = await open(t, url)

  client.socket.pause()
  const message = Buffer.alloc(16 * 1024)
  const count = full(4_096, 2_048)
  const sent = createHash('sha1')
  for (let i = 0; i < count; i++) {
    message.writeUInt32BE(i)
    const bytes = clientFrame(BINARY, message)
    client.socket.write(bytes)
    sent.update(message)
  }
  const total = count * message.length

  // Waits by the echoes of another client: reading has stopped if no new bytes arrive during 100 of them.
  for (let read = -1, still = 0; still < 100; still++) {
    if (serverSide.bytesRead !== read) still = 0
    read = serverSide.bytesRead
    other.socket.send('tick')
    await other.next()
  }
  t.ok(serverSide.bytesRead < total / 2, `${serverSide.bytesRead} of ${total} bytes were read`)
  t.ok(serverSide.writableLength < 1024 * 1024, `${serverSide.writableLength} bytes are pending`)
  t.ok(serverSide.readableLength < 1024 * 1024, `${serverSide.readableLength} bytes are buffered`)

  const hash = createHash('sha1')
  let length = 0
  let rest = Buffer.alloc(0)
  client.socket.removeAllListeners('data')
  client.socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= message.length + 4) {
      hash.update(rest.subarray(4, 4 + message.length))
      length += message.length
      rest = rest.subarray(4 + message.length)
    }
    if (length === total) client.socket.emit('complete')
  })
  client.socket.resume()
  await once(client.socket, 'complete')
  t.equal(hash.digest('hex'), sent.digest('hex'))
})

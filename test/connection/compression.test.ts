import { randomBytes } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import zlib, { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import fastifyWebsocket from '@fastify/websocket'
import t, { type Test } from 'tap'
import type { PerMessageDeflateOptions } from 'ws'
import fastifyChat from '../../src/index.ts'
import { connect } from '../../src/testing.ts'
import { bare, build, listen, logged } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { openTab, skip } from '../support/chromium.ts'
import { clientFrame, serverFrames, wholeFrames, type WholeFrame } from '../support/frames.ts'
import { upgraded, type RawClient } from '../support/raw-client.ts'
import { wired } from '../support/server-side.ts'
import { tick } from '../support/tick.ts'
import { protocol, texts } from '../support/v1-client.ts'
import { open } from '../support/websocket-client.ts'

const [CONTINUATION, TEXT, BINARY, CLOSE] = [0, 1, 2, 8]
const MiB = 1024 * 1024
/** The trailer of a flushed message, which isn't sent. RFC 7692, section 7.2.1. */
const tail = Buffer.from([0, 0, 0xff, 0xff])

/** Connects a raw client that offers these extensions, or none. */
function offering (t: Test, port: number, offer: string | undefined, path = '/chat', headers: Record<string, string> = {}): Promise<RawClient> {
  return upgraded(t, port, path, undefined, { ...offer !== undefined && { 'Sec-WebSocket-Extensions': offer }, ...headers })
}

/** Returns the extensions that the server accepted. */
const accepted = ({ received }: RawClient) => /^sec-websocket-extensions: *(.*)\r$/im.exec(received.toString('latin1'))?.[1]

/** Inflates a server message with a new window: no message depends on an earlier one. */
function content ({ deflated, payload }: WholeFrame, windowBits = 15): Buffer {
  if (deflated && payload.subarray(-tail.length).equals(tail)) throw new Error('the end of the flush was sent')
  return deflated ? inflateRawSync(Buffer.concat([payload, tail]), { windowBits, finishFlush: constants.Z_SYNC_FLUSH }) : payload
}

/** Returns a client message as a deflated frame. */
function deflatedFrame (opcode: number, payload: string | Uint8Array): Buffer {
  return clientFrame(opcode, deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -tail.length), { rsv: 4 })
}

/** Resolves with the frames once there are `count`. */
async function frames (client: RawClient, count: number): Promise<WholeFrame[]> {
  return wholeFrames(await client.until((received) => serverFrames(received).length >= count))
}

const quiet = { greeting: false } as const

t.test('permessage-deflate is accepted on the chat only, and only with the compression option', async (t) => {
  const both = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
  for (const [compression, path, offer, answer] of [
    [undefined, '/chat', 'permessage-deflate', undefined],
    [false, '/chat', 'permessage-deflate', undefined],
    [true, '/echo', 'permessage-deflate', undefined],
    [true, '/chat', undefined, undefined],
    [true, '/chat', 'x-webkit-deflate-frame', undefined],
    [true, '/chat', 'permessage-deflate', both],
    [true, '/chat', 'permessage-deflate; client_max_window_bits', both]
  ] as const) {
    const app = await build(t, { compression })
    t.equal(accepted(await offering(t, await listen(app), offer, path)), answer, `compression ${compression}, ${path}, ${offer}`)
  }
})

t.test('messages of 256 bytes to 64 KiB are deflated, for members that negotiated it only', async (t) => {
  for (const headers of [{}, { 'Sec-WebSocket-Protocol': protocol }] as Array<Record<string, string>>) {
    const app = await build(t, { compression: true, chat: quiet })
    const port = await listen(app)
    const members = [await offering(t, port, 'permessage-deflate', '/chat', headers), await offering(t, port, undefined, '/chat', headers)]
    const isV1 = headers['Sec-WebSocket-Protocol'] !== undefined
    let before = 0
    if (isV1) {
      for (const { socket } of members) {
        socket.write(clientFrame(TEXT, '{"type":"hello"}'))
        socket.write(clientFrame(TEXT, '{"type":"join","room":"lobby"}'))
      }
      for (const member of members) await member.until((received) => received.includes('"joined","room"'))
      // Presence is sent once, after both have joined.
      for (const member of members) await member.until((received) => received.includes('"count":2}'))
      before = serverFrames(members[0]!.received).length
      t.equal(serverFrames(members[1]!.received).length, before)
    }
    const sizes = [0, 1, 255, 256, 257, 1_000, 16_384, 65_535, 65_536, 65_537, 100_000]
    for (const size of sizes) await app.chat.publish('lobby', { text: 'x'.repeat(size) })
    const [deflated, plain] = await Promise.all(members.map(async (member) => (await frames(member, before + sizes.length)).slice(before)))
    t.ok(plain!.every((frame) => !frame.deflated))
    t.strictSame(deflated!.map((frame) => content(frame)), plain!.map(({ payload }) => payload))
    t.strictSame(deflated!.map((frame) => frame.deflated), plain!.map(({ payload: { length } }) => length >= 256 && length <= 65_536))
    if (!isV1) t.strictSame(plain!.map(({ payload }) => payload.length), sizes)
  }
})

t.test('a message that deflating does not shrink is sent uncompressed; binary is deflated too', async (t) => {
  const app = await build(t, { compression: true, chat: quiet })
  const port = await listen(app)
  const member = await offering(t, port, 'permessage-deflate')
  const [random, zeroes] = [randomBytes(1_000), Buffer.alloc(1_000)]
  member.socket.write(Buffer.concat([clientFrame(BINARY, random), clientFrame(BINARY, zeroes)]))
  const received = await frames(member, 2)
  t.strictSame(received.map(({ opcode, deflated }) => [opcode, deflated]), [[BINARY, false], [BINARY, true]])
  t.strictSame(received.map((frame) => content(frame)), [random, zeroes])
})

t.test('messages stay in order, deflated or not, for v1 and plain members', async (t) => {
  const room = await chat(t, { compression: true })
  const posted = Array.from({ length: 300 }, (_, i) => `${i} ${'x'.repeat([0, 300, 20, 5_000, 70_000][i % 5]!)}`)
  const members = [await room.member({}, 'lobby'), await room.member({}, 'lobby')]
  const plain = [await room.plain(), await room.plain('?self=0'), await open(t, `ws://127.0.0.1:${room.port}/chat`, { perMessageDeflate: false })]
  t.equal(await plain[2]!.next(), 'connected to WebSocket server')
  t.strictSame(plain.map(({ socket }) => socket.extensions), ['permessage-deflate', 'permessage-deflate', ''])
  for (const [i, text] of posted.entries()) {
    await room.app.chat.publish('lobby', { text })
    if (i % 7 === 0) await tick()
  }
  for (const member of members) t.strictSame(texts(await member.take(posted.length)), posted)
  for (const { next } of plain) {
    const received = []
    while (received.length < posted.length) received.push(await next())
    t.strictSame(received, posted)
  }
})

t.test("history, replies and a member's own messages are readable if it negotiated deflate", async (t) => {
  const room = await chat(t, { compression: true })
  const one = await room.member({}, 'lobby')
  t.equal(one.socket.extensions, 'permessage-deflate')
  const text = 'y'.repeat(4_000)
  for (let i = 0; i < 5; i++) await one.posted('lobby', text)
  const other = await room.member()
  t.strictSame(texts((await other.join('lobby')).messages), Array.from({ length: 5 }, () => text))
})

// Has matches farther back than 1 KiB: deflated with a larger window, it could not be read with that one.
const far = `${randomBytes(3_000).toString('base64')} `.repeat(2)

for (const [offer, deflates] of [
  ['permessage-deflate; server_max_window_bits=8', false],
  ['permessage-deflate; server_max_window_bits=10', false],
  ['permessage-deflate; server_max_window_bits=14', false],
  ['permessage-deflate; server_max_window_bits="10"', false],
  ['permessage-deflate; server_max_window_bits="\\10"', false],
  ['permessage-deflate ;\tserver_max_window_bits = 10', false],
  ['permessage-deflate; client_max_window_bits; server_max_window_bits=10; server_no_context_takeover', false],
  ['permessage-deflate; server_max_window_bits=15', true],
  ['permessage-deflate; client_max_window_bits=10', true]
] as const) {
  t.test(`a client can read every message if it offers ${offer}`, async (t) => {
    const app = await build(t, { compression: true, chat: quiet })
    const client = await offering(t, await listen(app), offer)
    t.match(accepted(client), /^permessage-deflate/)
    const posted = ['short', far, 'x'.repeat(1_000)]
    for (const text of posted) await app.chat.publish('lobby', { text })
    const received = await frames(client, posted.length)
    t.strictSame(received.map(({ deflated }) => deflated), [false, deflates, deflates])
    t.strictSame(received.map((frame) => content(frame).toString()), posted)
  })
}

for (const declined of [
  'permessage-deflate; foo=bar',
  'permessage-deflate; foo',
  'permessage-deflate; constructor',
  'permessage-deflate; server_no_context_takeover=true',
  'permessage-deflate; client_no_context_takeover="1"',
  'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
  'permessage-deflate; server_max_window_bits',
  'permessage-deflate; server_max_window_bits=7',
  'permessage-deflate; server_max_window_bits=16',
  'permessage-deflate; server_max_window_bits=010',
  'permessage-deflate; server_max_window_bits=0xa',
  'permessage-deflate; server_max_window_bits=10; server_max_window_bits=11',
  'permessage-deflate; client_max_window_bits=1e1',
  'Permessage-Deflate',
  'x-webkit-deflate-frame'
]) {
  t.test(`an offer that can't be accepted is declined, and the next one is taken: ${declined}`, async (t) => {
    const port = await listen(await build(t, { compression: true, chat: quiet }))
    t.equal(accepted(await offering(t, port, declined)), undefined)
    t.equal(accepted(await offering(t, port, `${declined}, ${declined}`)), undefined)
    const answer = accepted(await offering(t, port, `${declined}, permessage-deflate; client_max_window_bits=12`))
    t.match(answer, /client_max_window_bits=12/)
    t.notMatch(answer, /foo|server_max/)
  })
}

for (const [offer, answer] of [
  ['permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=9', /server_max_window_bits=9/],
  ['permessage-deflate; foo=bar; server_max_window_bits=10, permessage-deflate', /^((?!window).)*$/],
  ['permessage-deflate; server_max_window_bits=10, permessage-deflate', /server_max_window_bits=10/],
  ['permessage-deflate, permessage-deflate; server_max_window_bits=10', /^((?!window).)*$/],
  ['x-unknown, permessage-deflate; server_max_window_bits=9', /server_max_window_bits=9/]
] as const) {
  t.test(`the window of the accepted offer is used: ${offer}`, async (t) => {
    const app = await build(t, { compression: true, chat: quiet })
    const client = await offering(t, await listen(app), offer)
    t.match(accepted(client), answer)
    const windowBits = Number(/server_max_window_bits=(\d+)/.exec(accepted(client)!)?.[1] ?? 15)
    await app.chat.publish('lobby', { text: far })
    const [frame] = await frames(client, 1)
    t.equal(content(frame!, windowBits).toString(), far)
  })
}

t.test('all combinations of context takeover and window size work in both directions', async (t) => {
  const room = await chat(t, { compression: true })
  const clients: PerMessageDeflateOptions[] = []
  for (const serverNoContextTakeover of [undefined, true]) {
    for (const clientNoContextTakeover of [undefined, true]) {
      for (const serverMaxWindowBits of [undefined, 9, 15]) {
        clients.push({
          threshold: 0,
          ...serverNoContextTakeover && { serverNoContextTakeover },
          ...clientNoContextTakeover && { clientNoContextTakeover },
          ...serverMaxWindowBits && { serverMaxWindowBits }
        })
      }
    }
  }
  const members = []
  for (const perMessageDeflate of clients) {
    const member = await open(t, `ws://127.0.0.1:${room.port}/chat`, { perMessageDeflate })
    await member.next()
    t.equal(member.socket.extensions, 'permessage-deflate')
    members.push(member)
  }
  for (const [i, { socket }] of members.entries()) {
    for (const text of [`${i} ${far}`, `${i} ${far} again`, `${i}`]) {
      socket.send(text)
      t.strictSame(await Promise.all(members.map(({ next }) => next())), members.map(() => text))
    }
  }
})

t.test('a message is deflated once per format, and all members share the buffer', async (t) => {
  const room = await chat(t, { compression: true })
  const members = []
  for (let i = 0; i < 10; i++) members.push(await wired(room.app, () => room.member({}, 'lobby')))
  for (let i = 0; i < 10; i++) members.push(await wired(room.app, () => room.plain()))
  for (const { client } of members.slice(0, 10)) if ('presence' in client) await client.presence(({ count }) => count === 20)
  for (const { wire } of members) wire.writes.length = 0

  let calls = 0
  const { deflateRawSync: works } = zlib
  zlib.deflateRawSync = (...args) => {
    calls++
    return works(...args)
  }
  syncBuiltinESMExports()
  t.teardown(() => {
    zlib.deflateRawSync = works
    syncBuiltinESMExports()
  })
  for (let i = 0; i < 3; i++) await room.app.chat.publish('lobby', { text: `${i} ${'x'.repeat(500)}` })
  for (const { client } of members) for (let i = 0; i < 3; i++) await client.next()

  t.equal(calls, 3 * 2)
  for (const wires of [members.slice(0, 10), members.slice(10)].map((members) => members.map(({ wire }) => wire))) {
    t.strictSame(wires.map(({ writes }) => [writes.length, writes[0]!.length]), wires.map(() => [1, 1]), 'one write')
    t.equal(new Set(wires.map(({ writes }) => writes[0]![0])).size, 1)
    t.ok(wholeFrames(wires[0]!.writes[0]![0]!).every(({ deflated }) => deflated))
  }
})

t.test('deflated client messages are read in order: whole, fragmented, text, binary and mixed', async (t) => {
  const app = await build(t, { compression: true, chat: quiet })
  const client = await offering(t, await listen(app), 'permessage-deflate')
  const whole = deflatedFrame(TEXT, 'in two fragments '.repeat(50))
  const start = whole[1] === 0xfe ? 8 : 6
  client.socket.write(Buffer.concat([
    deflatedFrame(TEXT, 'grüße 👋'), clientFrame(TEXT, 'as it is'), deflatedFrame(BINARY, Buffer.alloc(10_000)), deflatedFrame(TEXT, ''),
    clientFrame(TEXT, whole.subarray(start, start + 10), { fin: false, rsv: 4 }), clientFrame(CONTINUATION, whole.subarray(start + 10)),
    clientFrame(TEXT, 'last')
  ]))
  t.strictSame((await frames(client, 6)).map((frame) => [frame.opcode, content(frame).toString()]), [
    [TEXT, 'grüße 👋'], [TEXT, 'as it is'], [BINARY, '\0'.repeat(10_000)], [TEXT, ''], [TEXT, 'in two fragments '.repeat(50)], [TEXT, 'last']
  ])
})

for (const [title, code, offer, ...sent] of [
  ['text that is not UTF-8 once inflated', 1007, 'permessage-deflate', deflatedFrame(TEXT, Buffer.from([0xff, 0xfe]))],
  ['bytes that can not be inflated', 1007, 'permessage-deflate', clientFrame(TEXT, Buffer.alloc(50, 0xff), { rsv: 4 })],
  ['a deflated message that was not negotiated', 1002, undefined, deflatedFrame(TEXT, 'x')],
  ['a deflated ping', 1002, 'permessage-deflate', clientFrame(9, 'x', { rsv: 4 })],
  ['a continuation marked as deflated', 1002, 'permessage-deflate', clientFrame(TEXT, 'x', { fin: false }), clientFrame(CONTINUATION, 'x', { rsv: 4 })]
] as const) {
  t.test(`${title} closes with ${code}`, async (t) => {
    const app = await build(t, { compression: true, chat: quiet })
    const client = await offering(t, await listen(app), offer)
    client.socket.write(Buffer.concat(sent))
    await client.ended
    t.strictSame(wholeFrames(client.received).map(({ opcode, payload }) => [opcode, payload.readUInt16BE()]), [[CLOSE, code]])
    const reason = wholeFrames(client.received)[0]!.payload.subarray(2).toString()
    t.not(reason, '')
    client.socket.end()
    t.match(await logged(app, 'websocket closed'), { code, reason })
  })
}

t.test('deflated messages before a malformed frame in one packet are delivered first', async (t) => {
  const client = await offering(t, await listen(await build(t, { compression: true, chat: quiet })), 'permessage-deflate')
  client.socket.write(Buffer.concat([deflatedFrame(TEXT, 'one'), clientFrame(TEXT, 'two'), deflatedFrame(TEXT, 'three'), clientFrame(3), clientFrame(TEXT, 'four')]))
  await client.ended
  const sent = wholeFrames(client.received)
  t.strictSame(sent.slice(0, -1).map((frame) => content(frame).toString()), ['one', 'two', 'three'])
  t.equal(sent.at(-1)?.payload.readUInt16BE(), 1002)
})

for (const [title, size, chatPayload] of [
  ['of 64 MiB, deflated below chatPayload', 64, 128 * 1024],
  ['of 64 MiB, deflated above chatPayload', 64, undefined],
  ['of 15 MiB, at the default limit', 15, undefined]
] as const) {
  t.test(`a compression bomb ${title}, closes with 1009 and takes little memory`, async (t) => {
    const app = await build(t, { compression: true, chat: quiet, limits: { ...chatPayload && { chatPayload } } })
    const port = await listen(app)
    const bomb = deflatedFrame(BINARY, Buffer.alloc(size * MiB))
    const clients = await Promise.all(Array.from({ length: 20 }, () => offering(t, port, 'permessage-deflate')))
    const before = process.memoryUsage().rss
    let most = before
    for (const { socket } of clients) socket.write(bomb)
    while (app.chat.stats().connections > 0) {
      most = Math.max(most, process.memoryUsage().rss)
      await tick()
    }
    await Promise.all(clients.map(({ ended }) => ended))
    for (const { received } of clients) {
      t.strictSame(wholeFrames(received).map(({ opcode, payload }) => [opcode, payload.readUInt16BE()]), [[CLOSE, 1009]])
    }
    const grown = (most - before) / MiB
    t.ok(grown < size * 20 / 4, `${Math.round(grown)} MiB more, the inflated messages have ${size * 20} MiB`)
    t.match(await logged(app, 'websocket closed'), { code: 1009 })
  })
}

for (const theirs of [undefined, true] as const) {
  t.test(`@fastify/websocket ${theirs ? 'with' : 'without'} compression and the chat don't affect each other`, async (t) => {
    for (const compression of [false, true]) {
      const app = bare(t)
      await app.register(fastifyWebsocket, theirs ? { options: { perMessageDeflate: { threshold: 0 } } } : {})
      await app.register(async (app) => {
        app.get('/own', { websocket: true }, (socket) => socket.send('x'.repeat(1_000)))
      })
      await app.register(fastifyChat, { compression, chat: quiet })
      const port = await listen(app)
      const clients = []
      for (const path of ['/own', '/chat', '/own', '/echo', '/own']) clients.push(await offering(t, port, 'permessage-deflate', path))
      t.strictSame(clients.map((client) => accepted(client) !== undefined), [theirs === true, compression, theirs === true, false, theirs === true])
      const [, ours, own] = clients
      await app.chat.publish('lobby', { text: 'x'.repeat(1_000) })
      for (const [client, deflates] of [[own, theirs === true], [ours, compression]] as const) {
        const [frame] = await frames(client!, 1)
        t.strictSame([frame!.deflated, content(frame!).toString()], [deflates, 'x'.repeat(1_000)])
      }
    }
  })
}

for (const [title, end] of [
  ['ends its connection', ({ socket }: RawClient, bytes: Buffer) => socket.end(bytes)],
  ['resets its connection', ({ socket }: RawClient, bytes: Buffer) => socket.write(bytes, () => socket.resetAndDestroy())]
] as const) {
  t.test(`a client that ${title} while its message is inflated harms no other connection`, async (t) => {
    const app = await build(t, { compression: true, chat: quiet })
    const port = await listen(app)
    // More than `ws` inflates at once.
    for (let i = 0; i < 12; i++) {
      const client = await offering(t, port, 'permessage-deflate')
      end(client, Buffer.concat([deflatedFrame(TEXT, 'one'), deflatedFrame(TEXT, 'two')]))
      while (app.chat.stats().connections > 0) await tick()
    }
    const client = await offering(t, port, 'permessage-deflate')
    client.socket.write(deflatedFrame(TEXT, 'three'))
    t.strictSame((await frames(client, 1)).map((frame) => content(frame).toString()), ['three'])
  })
}

t.test('unfinished deflated messages count in receiveBudget with what they may inflate to', async (t) => {
  const app = await build(t, { compression: true, limits: { receiveBudget: 256 * 1024 } })
  const port = await listen(app)
  const [whole, ...unfinished] = await Promise.all(Array.from({ length: 31 }, () => offering(t, port, 'permessage-deflate')))
  const small = deflateRawSync(Buffer.alloc(15 * 1024), { finishFlush: constants.Z_SYNC_FLUSH })
  t.ok(small.length < 100, `${small.length} bytes`)
  for (const { socket } of unfinished) socket.write(clientFrame(BINARY, small, { fin: false, rsv: 4 }))
  while (app.chat.stats().connections > 20) await tick()
  t.ok(app.chat.stats().connections > 10, `${app.chat.stats().connections} connections are left`)
  for (let i = 0; i < 20; i++) whole!.socket.write(deflatedFrame(TEXT, Buffer.from(`whole ${i}`)))
  await whole!.until((received) => received.includes('whole 19'))
})

t.test('an injected client, which offers no extension, joins the same room', async (t) => {
  const room = await chat(t, { compression: true, chat: quiet })
  const [injected, other] = [await connect(room.app, '/chat'), await open(t, `ws://127.0.0.1:${room.port}/chat`)]
  injected.send('x'.repeat(1_000))
  t.strictSame([await injected.next(), await other.next()], ['x'.repeat(1_000), 'x'.repeat(1_000)])
  await injected.close()
})

t.test('a browser and a Node client exchange messages in a compressed room, plain and v1', { skip }, async (t) => {
  const room = await chat(t, { compression: true })
  const page = await openTab(t)
  // A page of the same origin that opens no sockets itself.
  await page.goto(`http://127.0.0.1:${room.port}/demo/style.css`)
  const { client: node, wire } = await wired(room.app, () => room.member({ name: 'node' }, 'den'))
  const text = 'a text worth deflating, from Node 👋 '.repeat(30)

  // A string, because functions that tsx compiles refer to helpers that the page doesn't have.
  const connected = await wired(room.app, () => page.evaluate(`new Promise((resolve, reject) => {
    const received = window.received = []
    const socket = window.socket = new WebSocket('ws://127.0.0.1:${room.port}/chat?room=den&name=browser')
    socket.onclose = ({ code }) => reject(new Error('closed with ' + code))
    socket.onmessage = ({ data }) => {
      received.push(data)
      if (received.length === 1) resolve(socket.extensions)
      window.onreceived?.()
    }
  })`))
  t.match(connected.client, /permessage-deflate/)
  await page.evaluate('socket.send("a text worth deflating, from the browser 👋 ".repeat(30))')
  t.match(await node.expect('message'), { from: { name: 'browser' }, text: 'a text worth deflating, from the browser 👋 '.repeat(30) })
  await node.posted('den', text)
  for (const size of [10, 300, 5_000, 70_000]) await room.app.chat.publish('den', { text: `${size} `.repeat(size / 2) })
  await page.evaluate('new Promise((resolve) => { (window.onreceived = () => { if (received.length === 7) resolve() })() })')
  t.strictSame(await page.evaluate('received'), [
    'connected to WebSocket server', `browser: ${'a text worth deflating, from the browser 👋 '.repeat(30)}`, `node: ${text}`,
    ...[10, 300, 5_000, 70_000].map((size) => `${size} `.repeat(size / 2))
  ])
  t.ok(wholeFrames(Buffer.concat(connected.wire.writes.flat())).filter(({ deflated }) => deflated).length >= 4, 'the browser received deflated frames')
  t.ok(wholeFrames(Buffer.concat(wire.writes.flat())).some(({ deflated }) => deflated), 'Node received deflated frames')

  const v1 = await page.evaluate(`new Promise((resolve, reject) => {
    const socket = new WebSocket('ws://127.0.0.1:${room.port}/chat', '${protocol}')
    socket.onopen = () => {
      socket.send('{"type":"hello","name":"second"}')
      socket.send('{"type":"join","room":"den","history":0}')
      socket.send(JSON.stringify({ type: 'post', room: 'den', id: '1', text: 'x'.repeat(2000) }))
    }
    socket.onclose = ({ code }) => reject(new Error('closed with ' + code))
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data)
      if (message.type === 'message') resolve([socket.extensions, message.text])
    }
  })`) as string[]
  t.match(v1[0], /permessage-deflate/)
  t.equal(v1[1], 'x'.repeat(2_000))
})

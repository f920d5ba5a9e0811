import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import type { ChatClient } from '../../src/client/node.ts'
import type { FastifyChatOptions } from '../../src/index.ts'
import { build, listen, logged } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { chatClient } from '../support/chat-client.ts'
import { fakeServer, joined, message, welcome } from '../support/fake-server.ts'
import { clientFrame, serverFrames } from '../support/frames.ts'
import { holdRates } from '../support/hold-rates.ts'
import { upgraded } from '../support/raw-client.ts'
import { tick } from '../support/tick.ts'
import { texts, type Message, type V1Client } from '../support/v1-client.ts'
import { refused, serves } from '../support/websocket-client.ts'

/** The default rates, which `chat` overrides. */
const asTheyAre = { messageRate: undefined, byteRate: undefined } as unknown as FastifyChatOptions['limits']

/** Repeats a request after each `retryAfter` until it is accepted. @param pass advances the clock of the rates by ms */
async function insist (client: V1Client, request: object, pass: (ms: number) => void): Promise<Message> {
  for (;;) {
    client.say(request)
    const answer = await client.next()
    if (answer.type !== 'error' || answer.code !== 'rate_limited') return answer
    pass(answer.retryAfter!)
  }
}

const isRefused = (answer: Message) => Number(answer.type === 'error' && answer.code === 'rate_limited')

const requests: ReadonlyArray<[title: string, cost: number, request: (i: number) => object, answer: string | undefined]> = [
  ['hello', 1, () => ({ type: 'hello' }), 'hello'],
  ['join', 1, () => ({ type: 'join', room: 'lobby' }), 'already_joined'],
  ['leave', 1, () => ({ type: 'leave', room: 'elsewhere' }), 'not_joined'],
  ['post', 1, (i) => ({ type: 'post', room: 'elsewhere', id: `${i}`, text: 'hi' }), 'not_joined'],
  ['typing', 1, () => ({ type: 'typing', room: 'elsewhere' }), 'not_joined'],
  ['history', 4, () => ({ type: 'history', room: 'elsewhere', before: 'p', limit: 1 }), 'not_joined'],
  ['ping', 1, (i) => ({ type: 'ping', id: `${i}` }), undefined]
]

for (const [type, cost, request, code] of requests) {
  t.test(`${type} costs ${cost}: a request beyond the burst is rejected with retryAfter`, async (t) => {
    const { member, port } = await chat(t, { limits: { messageRate: 1, messageBurst: 9 } })
    const client = await member()
    if (type === 'join') await client.join('lobby')
    const allowed = Math.floor((type === 'join' ? 8 : 9) / cost)
    for (let i = 0; i <= allowed; i++) client.say(request(i))
    const answers = (await client.take(allowed + 1)).sort((a, b) => isRefused(a) - isRefused(b))
    t.match(answers.slice(0, -1), Array(allowed).fill(code === undefined ? { type: 'pong' } : { type: 'error', code }))
    t.match(answers.at(-1), { type: 'error', code: 'rate_limited', request: type, retryAfter: Number })
    const { retryAfter = 0 } = answers.at(-1) as Message<'error'>
    t.ok(retryAfter >= 1 && retryAfter <= cost * 1_000, `${retryAfter} ms`)
    await serves(t, port)
  })
}

/** Starts a client. Records its sockets, and the messages that they receive. */
function recorded (t: Test, port: number): { client: ChatClient, sockets: WebSocket[], heard: string[] } {
  const heard: string[] = []
  const sockets: WebSocket[] = []
  const client = chatClient(t, port, {
    connect (url, protocol) {
      const socket = new WebSocket(url, protocol)
      sockets.push(socket)
      socket.on('message', (data: Buffer) => heard.push(data.toString()))
      return socket
    }
  })
  return { client, sockets, heard }
}

t.test('an invalid frame counts in messageRate', async (t) => {
  const { member } = await chat(t, { limits: { messageRate: 1, messageBurst: 5 } })
  const client = await member()
  for (let i = 0; i < 5; i++) client.say('{}')
  client.say({ type: 'ping', id: 'p' })
  t.match(await client.take(6), [...Array<object>(5).fill({ code: 'invalid' }), { code: 'rate_limited', id: 'p', request: 'ping' }])
})

t.test('v1 messages beyond byteBurst are rejected, and accepted after retryAfter', async (t) => {
  const pass = holdRates(t)
  const { app, member } = await chat(t, { limits: { chatPayload: 1_000, byteRate: 2_000, byteBurst: 2_000 } })
  const client = await member({}, 'lobby')
  const post = (id: string) => ({ type: 'post', room: 'lobby', id, text: 'x'.repeat(900) })
  for (const id of ['a', 'b', 'c', 'd', 'e']) client.say(post(id))
  const answers: Message[] = []
  while (answers.length < 5) {
    const answer = await client.next()
    if (answer.type !== 'message') answers.push(answer)
  }
  const refused = answers.filter((answer) => answer.type === 'error')
  t.match(refused[0], { code: 'rate_limited', request: 'post', retryAfter: Number })
  t.ok(refused[0]!.retryAfter! >= 1 && refused[0]!.retryAfter! <= 500, `${refused[0]!.retryAfter} ms`)
  t.equal((await app.chat.history('lobby')).entries.length, 5 - refused.length)
  t.match(await insist(client, post(refused[0]!.id!), pass), { type: 'message' })
})

t.test('bytes of invalid v1 frames count in byteRate', async (t) => {
  const { member } = await chat(t, { limits: { chatPayload: 1_000, byteRate: 1, byteBurst: 1_000 } })
  const client = await member()
  client.say('x'.repeat(1_000))
  client.say({ type: 'ping', id: 'p' })
  t.match(await client.take(2), [{ code: 'invalid' }, { code: 'rate_limited', id: 'p' }])
})

t.test('a plain member that exceeds byteRate is read more slowly and loses no message', async (t) => {
  const { plain } = await chat(t, { limits: { chatPayload: 1_000, byteRate: 20_000, byteBurst: 2_000 } })
  const [fast, other] = [await plain('?self=0'), await plain()]
  const begun = performance.now()
  const sent = Array.from({ length: 12 }, (_, i) => String(i).padEnd(1_000, '.'))
  for (const text of sent) fast.socket.send(text)
  for (const text of sent) t.equal(await other.next(), text)
  const took = performance.now() - begun
  t.ok(took >= 400, `9 kB beyond the burst, at 20 kB a second, in ${Math.round(took)} ms`)
})

t.test('a rate-limited request has no effect, and takes effect when it is repeated', async (t) => {
  const pass = holdRates(t)
  const { app, member } = await chat(t, { limits: { messageRate: 10, messageBurst: 3 } })
  const client = await member({}, 'lobby')
  const stored = async () => (await app.chat.history('lobby')).entries.map(({ text }) => text)
  const post = (id: string) => ({ type: 'post', room: 'lobby', id, text: id })
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) client.say(post(id))
  const done: string[] = []
  const refused: string[] = []
  while (done.length + refused.length < 6) {
    const answer = await client.next()
    if (answer.type === 'ack') done.push(answer.id)
    if (answer.type === 'error') refused.push(answer.id!)
  }
  t.ok(refused.length > 0)
  t.strictSame(await stored(), done)
  for (const id of refused) {
    t.match(await insist(client, post(id), pass), { type: 'message', text: id })
    t.match(await client.next(), { type: 'ack', id })
  }
  t.strictSame(await stored(), [...done, ...refused])
  const { position } = (await app.chat.history('lobby')).head
  t.match(await insist(client, { type: 'history', room: 'lobby', before: position, limit: 10 }, pass), { type: 'history' },
    'a request that costs more than the burst is accepted when the bucket is full')
})

t.test('a member can join its 20 rooms at once, and each connection has its own rates', async (t) => {
  const { tcp } = await chat(t, { limits: asTheyAre })
  const clients = await Promise.all([tcp(), tcp()])
  for (const client of clients) {
    t.match((await client.hello()).limits, { rooms: 20, rate: 10, burst: 20, byteRate: 32_768, byteBurst: 262_144 })
    for (let i = 0; i < 20; i++) client.say({ type: 'join', room: `room-${i}` })
    for (let i = 0; i < 20; i++) await client.expect('joined')
  }
})

t.test('a flood of posts is closed with 1008, logged, and does not affect other members', async (t) => {
  const { app, port, member } = await chat(t, { limits: asTheyAre })
  const [flooder, other] = [await member({}, 'lobby'), await member({}, 'lobby')]
  for (let i = 0; i < 5_000; i++) flooder.say({ type: 'post', room: 'lobby', id: `${i}`, text: `${i}` })
  const { code, reason } = await flooder.closed
  t.equal(code, 1008)
  t.equal(reason, 'too many requests')
  t.match(await logged(app, 'websocket closed'), { level: 30, code: 1008, reason: 'too many requests' })
  other.post('lobby', 'peace')
  const heard = texts(await other.upTo('peace')).length
  t.ok(heard >= 19 && heard < 100, `${heard} of 5,000 posts were delivered`)
  await serves(t, port)
})

t.test('a plain member that exceeds messageRate is read more slowly, without loss or reordering', async (t) => {
  const { plain } = await chat(t, { limits: { messageRate: 100, messageBurst: 5 } })
  const [fast, other] = [await plain('?self=0'), await plain()]
  const begun = performance.now()
  for (let i = 0; i < 60; i++) fast.socket.send(`${i}`)
  const heard: unknown[] = []
  while (heard.length < 60) heard.push(await other.next())
  t.strictSame(heard, Array.from({ length: 60 }, (_, i) => `${i}`))
  const took = performance.now() - begun
  t.ok(took > 500, `55 beyond the burst, at 100 a second, in ${Math.round(took)} ms`)
})

t.test('Infinity switches off messageRate', async (t) => {
  const { tcp } = await chat(t, { limits: { messageRate: Infinity } }, { controlRate: Infinity })
  const client = await tcp()
  const { limits } = await client.hello()
  t.strictSame(Object.keys(limits), ['payload', 'rooms'])
  await client.join('lobby')
  for (let i = 0; i < 2_000; i++) client.say({ type: 'post', room: 'lobby', id: `${i}`, text: `${i}` })
  t.equal(texts(await client.take(4_000)).length, 2_000)
})

t.test('the client keeps within messageRate: a queue is sent in order, and no post is rejected', async (t) => {
  const { app, port } = await chat(t, { limits: { messageRate: 200, messageBurst: 10 } })
  const { client, sockets, heard } = recorded(t, port)
  const room = await client.join('lobby')
  sockets[0]!.terminate()
  const posted = Array.from({ length: 200 }, (_, i) => room.post(`${i}`))
  t.equal(new Set(await Promise.all(posted)).size, 200)
  t.strictSame(heard.filter((text) => text.includes('rate_limited')), [])
  t.equal(sockets.length, 2)
  const { entries } = await app.chat.history('lobby', { limit: 1_000 })
  t.strictSame(entries.map(({ text }) => text), Array.from({ length: 200 }, (_, i) => `${i}`))
})

t.test('the client keeps within byteRate, also after a reconnect', async (t) => {
  const { app, port } = await chat(t, { limits: { chatPayload: 3_000, byteRate: 200_000, byteBurst: 20_000 } })
  const { client, sockets, heard } = recorded(t, port)
  const room = await client.join('lobby')
  sockets[0]!.terminate()
  const texts = Array.from({ length: 40 }, (_, i) => `${i} ${'é'.repeat(1_200)}`)
  await Promise.all(texts.map((text) => room.post(text)))
  t.strictSame(heard.filter((text) => text.includes('rate_limited')), [])
  const { entries } = await app.chat.history('lobby', { limit: 100 })
  t.strictSame(entries.map(({ text }) => text), texts)
})

t.test('the client keeps its unacknowledged bytes within half of byteBurst', async (t) => {
  const held: Array<() => void> = []
  const { port, requests: told } = await fakeServer(t, ({ type, id, room }) => {
    if (type === 'hello') return [{ ...welcome, limits: { byteRate: 1_000_000, byteBurst: 10_000 } }]
    if (type !== 'post') return undefined
    return (socket) => { held.push(() => socket.send(JSON.stringify({ type: 'ack', id, room, position: 'p' }))) }
  })
  const room = await chatClient(t, port).join('lobby')
  const posted = Promise.all(Array.from({ length: 10 }, () => room.post('x'.repeat(1_800))))
  const posts = () => told.filter(({ type }) => type === 'post').length
  for (let answered = 0; answered < 10; answered++) {
    while (held.length === 0) await tick()
    t.ok(posts() <= answered + 2, `${posts()} posts of 2 kB, ${answered} of them answered`)
    held.shift()!()
  }
  await posted
})

t.test('the client keeps its unacknowledged posts within half of the burst', async (t) => {
  const held: Array<() => void> = []
  const { port, requests: told } = await fakeServer(t, ({ type, id, room }) => {
    if (type === 'hello') return [{ ...welcome, limits: { rate: 1_000_000, burst: 10 } }]
    if (type !== 'post') return undefined
    return (socket) => { held.push(() => socket.send(JSON.stringify({ type: 'ack', id, room, position: 'p' }))) }
  })
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const posted = Promise.all(Array.from({ length: 20 }, (_, i) => room.post(`${i}`)))
  const posts = () => told.filter(({ type }) => type === 'post').length
  while (held.length < 5) await tick()
  // Longer than all 20 posts would take at the rate alone.
  mock.timers.tick(20)
  await tick()
  for (let answered = 0; answered < 20; answered++) {
    while (held.length === 0) {
      mock.timers.tick(1)
      await tick()
    }
    t.ok(posts() <= answered + 5, `${posts()} posts, ${answered} of them answered`)
    held.shift()!()
  }
  await posted
})

t.test('the client repeats posts, joins and leaves that are rejected with rate_limited', async (t) => {
  const seen = new Set<string>()
  const { port, requests: told } = await fakeServer(t, (said) => {
    const { type, id, room } = said
    if (type === 'hello') return [{ ...welcome, limits: { rate: 1_000, burst: 4 } }]
    const first = !seen.has(`${type} ${String(id ?? room)}`)
    seen.add(`${type} ${String(id ?? room)}`)
    if (first && type !== 'ping') return [{ type: 'error', code: 'rate_limited', message: 'not yet', retryAfter: 5, request: type, ...id !== undefined && { id }, room }]
    return type === 'join' ? [joined(room), message(room, 'p1', 'hi')] : undefined
  })
  const client = chatClient(t, port)
  client.on('error', (error) => t.fail(error.message))
  const room = await client.join('lobby')
  t.equal(await room.post('one').then((position) => position.startsWith('p-')), true)
  room.typing()
  room.leave()
  await client.join('lobby')
  t.strictSame(told.map(({ type }) => type), ['hello', 'join', 'join', 'post', 'post', 'typing', 'leave', 'leave', 'join'])
})

t.test('the client delays history requests beyond the rate and receives every page', async (t) => {
  const { app, port } = await chat(t, { limits: { messageRate: 100, messageBurst: 8 } })
  for (let i = 0; i < 60; i++) await app.chat.publish('lobby', { text: `${i}` })
  const room = await chatClient(t, port).join('lobby', { history: 10 })
  const pages = await Promise.all(Array.from({ length: 12 }, () => room.history(room.position!, 5)))
  t.strictSame(pages.map(({ messages }) => messages.length), new Array(12).fill(5))
})

t.test('a resume is limited to replayRate and still complete', async (t) => {
  const { app, member } = await chat(t, {}, { replayRate: 256 * 1024 })
  const { position } = (await app.chat.history('lobby')).head
  const text = 'x'.repeat(4_000)
  // The burst is eight times replayRate, 2 MiB; only the rest is slowed down.
  const said = 2.5 * 2 ** 20 / 4_000
  for (let i = 0; i < said; i++) await app.chat.publish('lobby', { text: `${i} ${text}` })
  const client = await member()
  const begun = performance.now()
  const { messages, complete } = await client.join('lobby', { after: position })
  t.ok(complete)
  const rest = await client.take(Math.ceil(said) - messages.length)
  t.strictSame([...texts(messages), ...texts(rest)].map((text) => parseInt(String(text))), Array.from({ length: Math.ceil(said) }, (_, i) => i))
  const took = performance.now() - begun
  t.ok(took > 1_500, `${Math.round(took)} ms`)
})

t.test('data may be nested as deep as jsonDepth, and deeper data is rejected', async (t) => {
  for (const [jsonDepth, depth] of [[undefined, 16], [2, 2], [256, 256]] as const) {
    const { member, port } = await chat(t, { limits: { ...jsonDepth && { jsonDepth } } })
    const client = await member({}, 'lobby')
    const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown
    client.say({ type: 'post', room: 'lobby', id: 'in', text: '', data: nested(depth) })
    t.strictSame((await client.expect('message')).data, nested(depth))
    await client.expect('ack')
    client.say({ type: 'post', room: 'lobby', id: 'out', text: '', data: nested(depth + 1) })
    t.match(await client.expect('error'), { code: 'invalid', id: 'out', message: `/data is nested deeper than ${depth} levels` })
    // Nested deeper than the stack of a recursive function: in the checked property, and in an ignored one.
    client.say(`{"type":"post","room":"lobby","id":"deep","text":"","data":${'['.repeat(8_000)}${']'.repeat(8_000)}}`)
    t.match(await client.expect('error'), { code: 'invalid', id: 'deep' })
    client.say(`{"type":"ping","id":"p","more":${'['.repeat(8_000)}${']'.repeat(8_000)}}`)
    t.match(await client.expect('pong'), { id: 'p' })
    await serves(t, port)
  }
})

const tricky = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype']

t.test('property names of Object.prototype are valid rooms, names, ids and keys', async (t) => {
  const { app, member, plain, port } = await chat(t, { limits: { roomsPerMember: 100 } })
  const own = Object.getOwnPropertyNames(Object.prototype).sort()
  const client = await member({ name: '__proto__' })
  for (const room of tricky) {
    const neighbour = await plain(`?room=${room}&name=${room}`)
    const { members } = await client.join(room, { constructor: 1, toString: null })
    t.ok(members.some(({ name }) => name === '__proto__'))
    for (const id of tricky) {
      const data = `{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"${id}":[{"__proto__":null}]}`
      client.say(`{"type":"post","room":"${room}","id":"${id}","text":"${id}","data":${data},"__proto__":{"since":"x"}}`)
      const told = await client.expect('message')
      t.equal(JSON.stringify(told.data), JSON.stringify(JSON.parse(data)))
      t.match(await client.expect('ack'), { id, room })
      t.equal(await neighbour.next(), `__proto__: ${id}`)
    }
    await client.leave(room)
  }
  t.strictSame(app.chat.rooms().sort(), [...tricky].sort())
  for (const type of tricky) {
    client.say({ type, room: 'lobby' })
    t.match(await client.expect('error'), { code: 'invalid' }, type)
  }
  t.equal(({} as { polluted?: boolean }).polluted, undefined)
  t.strictSame(Object.getOwnPropertyNames(Object.prototype).sort(), own)
  await serves(t, port)
})

const unfit: ReadonlyArray<[title: string, name: string]> = [
  ['a line feed', 'ada\nbob'], ['a carriage return', 'ada\rbob'], ['a terminal escape sequence', '\u001b[31mada'], ['a C1 control character', '\u009b2Jada'],
  ['right-to-left override', 'ada\u202ebob'], ['an isolate', '\u2066ada'], ['a right-to-left mark', 'ada\u200f'], ['a zero-width space', 'a\u200bda'],
  ['a joiner', 'a\u200dda'], ['a byte order mark', 'a\ufeffda'], ['a line separator', 'ada\u2028bob'], ['a filler', '\u3164'],
  ['a tag character', 'ada\u{e0041}'], ['only a soft hyphen', '\u00ad'], ['a private-use character', '\ue000'], ['NUL', 'ada\0']
]

t.test('a name or room with control, bidirectional or invisible characters is refused', async (t) => {
  const port = await listen(await build(t))
  const url = `ws://127.0.0.1:${port}/chat`
  for (const [title, name] of unfit) {
    t.equal((await refused(`${url}?name=${encodeURIComponent(name)}`)).status, 400, `${title} as a name`)
    t.equal((await refused(`${url}?room=${encodeURIComponent(name)}`)).status, 400, `${title} as a room`)
    const v1 = new WebSocket(url, 'fastify-chat.v1')
    const answer = new Promise<string>((resolve) => v1.once('message', (data: Buffer) => resolve(data.toString())))
    v1.on('open', () => v1.send(JSON.stringify({ type: 'hello', name })))
    t.match(JSON.parse(await answer), { code: 'invalid', request: 'hello' }, title)
    v1.close(4000, name)
  }
  await serves(t, port)
})

t.test('compatibility characters in names are normalised, and look-alike letters stay', async (t) => {
  const { member } = await chat(t)
  const shown = async (name: string) => (await (await member({ name }, 'lobby')).join('b')).members.map(({ name }) => name).at(-1)
  t.equal(await shown('ａｄａ'), 'ada', 'full width')
  t.equal(await shown('ﬁne'), 'fine', 'a ligature')
  t.equal(await shown('аda'), 'аda', 'a Cyrillic letter stays')
})

t.test('a close reason is logged in one line without unprintable characters', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  for (const [title, reason] of unfit) {
    app.lines.length = 0
    const client = await upgraded(t, port, '/echo')
    client.socket.write(clientFrame(8, Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from(reason)])))
    await client.ended
    t.equal(serverFrames(client.received).at(-1)?.opcode, 8)
    const line = await logged(app, 'websocket closed')
    t.notMatch(line['reason'], /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]/u, title)
  }
})

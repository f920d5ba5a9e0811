import { once } from 'node:events'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { WebSocket } from 'ws'
import type { FastifyChatOptions } from '../../src/index.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { connect } from '../../src/testing.ts'
import { bare, build, listen, logged } from '../support/app.ts'
import { dist } from '../support/compiled.ts'
import { clientFrame, serverFrames } from '../support/frames.ts'
import { memoryInUse } from '../support/memory.ts'
import { raw, upgraded, upgradeRequest } from '../support/raw-client.ts'
import { open, refused, take, type Client } from '../support/websocket-client.ts'
import { backendWith } from '../support/backend.ts'
import { tick } from '../support/tick.ts'

const [CONTINUATION, TEXT, BINARY] = [0, 1, 2]
const greeting = 'connected to WebSocket server'

/** Starts a chat without rate limits. `join` connects and takes the greeting. */
async function chat (t: Parameters<typeof build>[0], options: FastifyChatOptions = {}) {
  const app = await build(t, { ...options, limits: { messageRate: Infinity, byteRate: Infinity, ...options.limits } })
  const port = await listen(app)
  const url = `ws://127.0.0.1:${port}/chat`
  return {
    app,
    port,
    url,
    async join (query = ''): Promise<Client> {
      const client = await open(t, url + query)
      await client.next()
      return client
    }
  }
}

const payloads = (received: Buffer) => serverFrames(received).map(({ payload }) => payload.toString())

t.test("a client first receives the greeting, which may be the app's text or none", async (t) => {
  for (const [option, first] of [[undefined, greeting], ['welcome', 'welcome'], ['', ''], [false, 'mine']] as const) {
    const { url } = await chat(t, { chat: { greeting: option } })
    const { socket, next } = await open(t, url)
    socket.send('mine')
    t.equal(await next(), first)
  }
})

t.test('all members receive a message, its sender too; text stays text, binary stays binary', async (t) => {
  const { join } = await chat(t)
  const members = [await join(), await join(), await join()]
  const sent = ['hello', 'grüße 👋', '', Buffer.from([0, 0xff, 0xfe]), Buffer.alloc(0), 'x'.repeat(16 * 1024), Buffer.alloc(16 * 1024, 7)]
  for (const message of sent) members[0]!.socket.send(message)
  for (const member of members) t.strictSame(await take(member, sent.length), sent)
})

t.test('a message larger than chatPayload closes with 1009 and is not delivered', async (t) => {
  const { join } = await chat(t)
  const [one, other] = [await join(), await join()]
  one.socket.send('x'.repeat(16 * 1024 + 1))
  t.match(await one.closed, { code: 1009 })
  other.socket.send('fine')
  t.equal(await other.next(), 'fine')
})

t.test('text of a named member is prefixed with the name, and binary is unchanged', async (t) => {
  const { join } = await chat(t)
  const [ada, other] = [await join('?name=ada'), await join('?room=lobby')]
  ada.socket.send('hello')
  ada.socket.send('')
  ada.socket.send(Buffer.from('bytes'))
  other.socket.send('unnamed')
  for (const member of [ada, other]) t.strictSame(new Set(await take(member, 4)), new Set(['ada: hello', 'ada: ', Buffer.from('bytes'), 'unnamed']))
})

t.test('names are normalised', async (t) => {
  const { join } = await chat(t)
  const names = { '%20ada%20%20b%20': 'ada b', '%EF%AC%81': 'fi', 'gr%C3%BC%C3%9Fe': 'grüße', [encodeURIComponent('👋'.repeat(32))]: '👋'.repeat(32), '<b>': '<b>', '': '' }
  for (const [name, shown] of Object.entries(names)) {
    const client = await join(`?name=${name}&room=names`)
    client.socket.send('x')
    t.equal(await client.next(), shown === '' ? 'x' : `${shown}: x`)
    client.socket.terminate()
  }
})

t.test('an invalid query is refused with 400, and the error names the parameter', async (t) => {
  const { url } = await chat(t)
  const wrong: Record<string, string> = {
    'room=': 'room',
    'room=a%20b': 'room',
    'room=a/b': 'room',
    'room=%C3%BC': 'room',
    [`room=${'x'.repeat(65)}`]: 'room',
    'room=a&room=b': 'room',
    'room=a%0A': 'room',
    'name=%20': 'name',
    'name=a%0Ab': 'name',
    'name=a%00': 'name',
    'name=%E2%80%AEada': 'name',
    'name=a%E2%80%8Bda': 'name',
    [`name=${'x'.repeat(33)}`]: 'name',
    'name=a&name=b': 'name',
    'history=-1': 'history',
    'history=': 'history',
    'history=1.5': 'history',
    'history=all': 'history',
    'history=1e3': 'history',
    'history=1&history=2': 'history',
    'history=9999999': 'history',
    'self=': 'self',
    'self=true': 'self',
    'self=2': 'self',
    'self=0&self=1': 'self'
  }
  for (const [query, name] of Object.entries(wrong)) {
    const { status, body } = await refused(`${url}?${query}`)
    t.equal(status, 400, query)
    t.match(JSON.parse(body), { code: 'FST_CHAT_INVALID_QUERY', message: `query parameter '${name}'` })
  }
})

t.test('the error for an invalid query states what is valid', async (t) => {
  const { url } = await chat(t)
  const length = 'must have at most 32 grapheme clusters and 128 code points'
  const character = (code: string) => `must not contain U+${code}: control, invisible, private-use and unassigned characters are invalid`
  const once = 'must be given only once'
  const wrong: Record<string, string> = {
    [`name=${'x'.repeat(33)}`]: length,
    'name=%20': 'must contain a letter, a digit, a symbol or an emoji',
    'name=a%E2%80%8Bb': character('200B'),
    'name=a%E2%80%8Db': 'must not contain U+200D where it joins or selects nothing',
    'room=a&room=b': once,
    'name=a&name=b': once,
    'history=1&history=2': once,
    'self=1&self=1': once,
    'history=1000000': 'must be an integer from 0 to 999999'
  }
  for (const [query, text] of Object.entries(wrong)) {
    const { body } = await refused(`${url}?${query}`)
    t.equal((JSON.parse(body) as { message: string }).message, `query parameter '${query.split('=')[0]}' ${text}`)
  }
})

t.test('rooms are separate, and a client that names no room joins the default room', async (t) => {
  const { join } = await chat(t, { chat: { defaultRoom: 'hall' } })
  const [nowhere, hall, den, proto] = [await join(), await join('?room=hall'), await join('?room=den'), await join('?room=__proto__')]
  hall.socket.send('in the hall')
  den.socket.send('in the den')
  proto.socket.send('in the strange one')
  t.strictSame(await Promise.all([nowhere.next(), hall.next(), den.next(), proto.next()]),
    ['in the hall', 'in the hall', 'in the den', 'in the strange one'])
  nowhere.socket.send('next')
  t.strictSame(await Promise.all([nowhere.next(), hall.next()]), ['next', 'next'], 'no message in between was received')
  den.socket.send('last')
  t.equal(await den.next(), 'last')
})

t.test('includeSender and self control whether a member receives its own messages', async (t) => {
  for (const [includeSender, query, hears] of [
    [undefined, '', true], [undefined, '?self=0', false], [undefined, '?self=1', true],
    [false, '', false], [false, '?self=1', true], [false, '?self=0', false], [true, '?self=0', false]
  ] as const) {
    const { join } = await chat(t, { chat: { includeSender } })
    const [one, other] = [await join(query), await join()]
    one.socket.send('mine')
    t.equal(await other.next(), 'mine')
    other.socket.send('yours')
    t.strictSame(await take(one, hears ? 2 : 1), hears ? ['mine', 'yours'] : ['yours'], `includeSender ${includeSender}, ${query}`)
  }
})

t.test('two connections of one name are two members that receive each other', async (t) => {
  const { join } = await chat(t)
  const [one, other] = [await join('?name=ada&self=0'), await join('?name=ada&self=0')]
  one.socket.send('from one')
  t.equal(await other.next(), 'ada: from one')
  other.socket.send('from the other')
  t.equal(await one.next(), 'ada: from the other')
})

t.test('history=n returns the newest n messages, oldest first, before live ones; default 0', async (t) => {
  const { join } = await chat(t)
  const writer = await join('?name=ada')
  for (let i = 1; i <= 30; i++) writer.socket.send(i === 29 ? Buffer.from([29]) : `${i}`)
  await take(writer, 30)
  const [three, all, none, unsaid] = [await join('?history=3'), await join('?history=999999'), await join('?history=0'), await join()]
  writer.socket.send('live')
  t.strictSame(await take(three, 4), ['ada: 28', Buffer.from([29]), 'ada: 30', 'ada: live'])
  t.equal((await take(all, 31))[0], 'ada: 1')
  t.strictSame([await none.next(), await unsaid.next()], ['ada: live', 'ada: live'])
})

t.test("history is sent before the client's own early messages", async (t) => {
  const { port, join } = await chat(t)
  const writer = await join()
  writer.socket.send('old')
  await writer.next()
  const client = await upgraded(t, port, '/chat?history=5', clientFrame(TEXT, 'early'))
  const received = await client.until((received) => serverFrames(received).length >= 3)
  t.strictSame(payloads(received), [greeting, 'old', 'early'])
})

t.test("history stays within the backend's historyEntries and historyBytes", async (t) => {
  for (const [bounds, message] of [[{ historyEntries: 5 }, 'x'], [{ historyBytes: 50_000 }, 'x'.repeat(10_000)]] as const) {
    const { join } = await chat(t, { backend: memory(bounds) })
    const writer = await join()
    for (let i = 0; i < 20; i++) writer.socket.send(`${i} ${message}`)
    await take(writer, 20)
    const reader = await join('?history=1000')
    reader.socket.send('end')
    const heard = [await reader.next()]
    while (heard.at(-1) !== 'end') heard.push(await reader.next())
    t.ok(heard.length > 3 && heard.length <= 6, `${heard.length - 1} messages kept`)
    t.equal(heard.at(-2), `19 ${message}`)
  }
})

t.test('messages of one client stay in order, and all members receive one order', async (t) => {
  const { join } = await chat(t)
  const members = [await join('?name=a'), await join('?name=b'), await join('?name=c')]
  for (let i = 0; i < 500; i++) for (const { socket } of members) socket.send(`${i}`)
  const heard = await Promise.all(members.map((member) => take(member, 1_500)))
  t.strictSame(heard[1], heard[0])
  t.strictSame(heard[2], heard[0])
  for (const name of ['a', 'b', 'c']) {
    t.strictSame(heard[0]!.filter((message) => message.toString().startsWith(name)), Array.from({ length: 500 }, (_, i) => `${name}: ${i}`))
  }
})

t.test('messages in the same packet as the handshake are delivered', async (t) => {
  const { port, join } = await chat(t)
  const other = await join()
  const client = await upgraded(t, port, '/chat', Buffer.concat([
    clientFrame(TEXT, 'one'), clientFrame(BINARY, 'two'), clientFrame(TEXT, 'th', { fin: false }), clientFrame(CONTINUATION, 'ree')
  ]))
  const received = await client.until((received) => serverFrames(received).length >= 4)
  t.strictSame(payloads(received), [greeting, 'one', 'two', 'three'])
  t.strictSame((await take(other, 3)).map(String), ['one', 'two', 'three'])
})

t.test('messages sent while a hook is pending are delivered, also if a frame is split', async (t) => {
  let go!: () => void
  const waiting = new Promise<void>((resolve) => { go = resolve })
  let asked!: () => void
  const hooked = new Promise<void>((resolve) => { asked = resolve })
  const { app, port } = await chat(t, { routeOptions: { preValidation: async () => { asked(); await waiting } } })
  const connected = once(app.server, 'connection') as Promise<[Socket]>
  const client = await raw(t, port)
  const [serverSide] = await connected
  const [head, tail] = [clientFrame(TEXT, 'split').subarray(0, 4), clientFrame(TEXT, 'split').subarray(4)]
  client.socket.write(Buffer.concat([Buffer.from(upgradeRequest('/chat')), clientFrame(TEXT, 'first'), head]))
  await hooked
  const before = serverSide.bytesRead
  client.socket.write(Buffer.concat([tail, ...Array.from({ length: 100 }, (_, i) => clientFrame(TEXT, `${i} ${'x'.repeat(1_000)}`))]))
  while (serverSide.bytesRead === before) await tick()
  go()
  const received = await client.until((received) => serverFrames(received).length >= 103)
  t.strictSame(payloads(received).map((text) => text.slice(0, 5).trimEnd()), [greeting.slice(0, 5), 'first', 'split', ...Array.from({ length: 100 }, (_, i) => `${i} ${'x'.repeat(1_000)}`.slice(0, 5))])
})

t.test('messages sent while store.follow is pending are delivered, also to their sender', async (t) => {
  let go!: () => void
  const waiting = new Promise<void>((resolve) => { go = resolve })
  const backend = backendWith((works) => ({
    async follow (...args) {
      await waiting
      return await works.follow(...args)
    }
  }))
  const { app, port } = await chat(t, { backend })
  const client = await upgraded(t, port, '/chat', Buffer.concat(['one', 'two'].map((text) => clientFrame(TEXT, text))))
  const connected = await open(t, `ws://127.0.0.1:${port}/echo`)
  connected.socket.send('a turn later')
  await connected.next()
  t.strictSame((await app.chat.history('lobby')).entries, [])
  go()
  const received = await client.until((received) => serverFrames(received).length >= 3)
  t.strictSame(payloads(received), [greeting, 'one', 'two'])
  t.strictSame(app.chat.rooms(), ['lobby'])
})

t.test('messages sent with the handshake and followed by a close are delivered', async (t) => {
  const { port, join } = await chat(t)
  const other = await join()
  const client = await upgraded(t, port, '/chat', Buffer.concat([clientFrame(TEXT, 'one'), clientFrame(TEXT, 'two'), clientFrame(8, Buffer.from([3, 232]))]))
  client.socket.end()
  t.strictSame(await take(other, 2), ['one', 'two'])
  await client.ended
})

t.test('an injected client joins the same room', async (t) => {
  const { app, join } = await chat(t)
  const other = await join()
  const injected = await connect(app, '/chat?name=ada')
  t.equal(await injected.next(), greeting)
  injected.send('hello')
  other.socket.send('welcome')
  t.strictSame(new Set([await injected.next(), await injected.next()]), new Set(['ada: hello', 'welcome']))
  t.strictSame(new Set(await take(other, 2)), new Set(['ada: hello', 'welcome']))
  await injected.close()
})

t.test('the app can publish messages with and without a sender', async (t) => {
  const { app, join } = await chat(t)
  const member = await join('?self=0')
  await app.chat.publish('lobby', { text: 'from nobody' })
  await app.chat.publish('lobby', { text: 'from someone', from: { id: 'bot', name: 'bot' } })
  await app.chat.publish('other', { text: 'elsewhere' })
  await app.chat.publish('lobby', { text: 'end' })
  t.strictSame(await take(member, 3), ['from nobody', 'bot: from someone', 'end'])
})

t.test('the sender of a publication is normalised, and rejected if it is invalid', async (t) => {
  const { app, join } = await chat(t)
  const member = await join('?self=0')
  const wrong: Record<string, [from: unknown, code: string, message: RegExp]> = {
    'a name with a line break': [{ id: 'x', name: 'x\nadmin' }, 'FST_CHAT_INVALID_ARGUMENT', /^argument 'publication.from.name' must not contain U\+000A/],
    'a name of 5,000 characters': [{ id: 'x', name: 'x'.repeat(5_000) }, 'FST_CHAT_INVALID_ARGUMENT', /from.name' must have at most 32/],
    'a name with a lone surrogate': [{ id: 'x', name: 'x\ud83d' }, 'FST_CHAT_INVALID_ARGUMENT', /from.name' must not contain/],
    'a name of spaces': [{ id: 'x', name: '  ' }, 'FST_CHAT_INVALID_ARGUMENT', /from.name' must contain a letter/],
    'a name that is not a string': [{ id: 'x', name: 7 }, 'FST_CHAT_INVALID_ARGUMENT', /from.name' must be a string/],
    'a name that is null': [{ id: 'x', name: null }, 'FST_CHAT_INVALID_ARGUMENT', /from.name' must be a string/],
    'no name': [{ id: 'x' }, 'FST_CHAT_INVALID_ARGUMENT', /from.name' must be a string/],
    'an id that is a number': [{ id: 7, name: 'x' }, 'FST_CHAT_INVALID_ARGUMENT', /from.id' must be a non-empty string/],
    'no id': [{ name: 'x' }, 'FST_CHAT_INVALID_ARGUMENT', /from.id' must be a non-empty string/],
    'an empty id': [{ id: '', name: 'x' }, 'FST_CHAT_INVALID_ARGUMENT', /from.id' must be a non-empty string/],
    'an id of 129 characters': [{ id: 'x'.repeat(129), name: 'x' }, 'FST_CHAT_INVALID_ARGUMENT', /from.id' must be at most 128/],
    'an id with a control character': [{ id: 'x\u0000', name: 'x' }, 'FST_CHAT_INVALID_ARGUMENT', /from.id' must not contain control/],
    'an id with a lone surrogate': [{ id: '\ud83d', name: 'x' }, 'FST_CHAT_INVALID_ARGUMENT', /from.id' must not contain control/],
    'an id that stands for an address': [{ id: 'address:127.0.0.1', name: 'x' }, 'FST_CHAT_INVALID_ARGUMENT', /from.id' must not begin with 'address:'/],
    'a string': ['ada', 'FST_CHAT_INVALID_ARGUMENT', /publication.from' must/]
  }
  for (const [title, [from, code, message]] of Object.entries(wrong)) {
    await t.rejects(app.chat.publish('lobby', { text: 'never', from: from as { id: string, name: string } }), { code, message }, title)
  }
  const from = { id: 'x'.repeat(128), name: ' \uff21da  L ' }
  await app.chat.publish('lobby', { text: 'one', from })
  from.name = 'x\nadmin'
  await app.chat.publish('lobby', { text: 'two', from: { id: 'x', name: '' } })
  t.strictSame(await take(member, 2), ['Ada L: one', 'two'])
  t.match((await app.chat.history('lobby')).entries, [{ from: { name: 'Ada L' } }, { from: { id: 'x', name: '' } }])
})

for (const call of ['follow', 'read', 'append'] as const) {
  t.test(`a store whose ${call} rejects closes with 1013, and is used again once it works`, async (t) => {
    let broken = true
    const backend = backendWith((works) => ({
      [call] (...args: unknown[]) {
        return broken ? Promise.reject(new Error('down')) : (works[call] as (...args: unknown[]) => unknown).apply(works, args)
      }
    }))
    const { app, url, join } = await chat(t, { backend })
    const client = await open(t, url)
    client.socket.send('one')
    client.socket.send('two')
    t.strictSame(await client.closed, { code: 1013, reason: 'the store failed' })
    t.match(await logged(app, 'websocket closed'), { code: 1013, err: { message: 'down' } })
    broken = false
    const again = await join('?history=10')
    again.socket.send('works')
    t.equal(await again.next(), 'works', 'no message of the closed connections was stored')
  })
}

t.test('a store that throws instead of rejecting closes with 1013', async (t) => {
  const { join } = await chat(t, { backend: backendWith(() => ({ append () { throw new Error('down') } })) })
  const [one, other] = [await join(), await join()]
  one.socket.send('x')
  t.match(await one.closed, { code: 1013 })
  t.equal(other.socket.readyState, other.socket.OPEN)
})

t.test('posts of one client reach a slow store in order', async (t) => {
  const bodies: unknown[] = []
  const backend = backendWith((works) => ({
    async append (room, draft) {
      bodies.push(draft.body)
      await tick()
      return await works.append(room, draft)
    }
  }))
  const { join } = await chat(t, { backend })
  const client = await join()
  for (let i = 0; i < 100; i++) client.socket.send(`${i}`)
  const wanted = Array.from({ length: 100 }, (_, i) => `${i}`)
  t.strictSame(await take(client, 100), wanted)
  t.strictSame(bodies, wanted)
})

t.test('a body that the store receives keeps no larger buffer alive', async (t) => {
  const bodies: Uint8Array[] = []
  const backend = backendWith((works) => ({
    append (room, draft) {
      if (typeof draft.body !== 'string') bodies.push(draft.body)
      return works.append(room, draft)
    }
  }))
  const { join } = await chat(t, { backend })
  const client = await join()
  for (const size of [1, 100, 5_000]) {
    client.socket.send(Buffer.alloc(size))
    await client.next()
  }
  t.strictSame(bodies.map(({ byteLength, buffer }) => buffer.byteLength - byteLength), [0, 0, 0])
})

t.test('names of rooms and members keep no request alive', async (t) => {
  // The build: the loader of the tests names all functions, and the names take memory.
  const { default: fastifyChat } = await import(join(dist, 'index.js')) as typeof import('../../src/index.ts')
  const app = bare(t)
  await app.register(fastifyChat, { limits: { messageRate: Infinity, byteRate: Infinity } })
  const url = `ws://127.0.0.1:${await listen(app)}/chat`
  const visit = async (i: number) => {
    const who = `${i}`.padStart(20, 'x')
    const socket = new WebSocket(`${url}?room=${who}&name=${who}&pad=${'p'.repeat(12_000)}`)
    await once(socket, 'message')
    socket.send('x')
    await once(socket, 'message')
    socket.close()
    await once(socket, 'close')
    app.lines.length = 0
  }
  for (let i = 0; i < 50; i++) await visit(i)
  const before = await memoryInUse()
  for (let i = 50; i < 450; i++) await visit(i)
  const grown = (await memoryInUse() - before) / 400
  t.ok(grown < 8_000, `${Math.round(grown)} bytes a room`)
})

t.test('app.chat.rooms() lists a room until its last member leaves', async (t) => {
  const { app, join } = await chat(t)
  t.strictSame(app.chat.rooms(), [])
  const members = [await join('?room=a'), await join('?room=a'), await join('?room=b')]
  t.strictSame(app.chat.rooms(), ['a', 'b'])
  members[0]!.socket.terminate()
  members[2]!.socket.close()
  while (app.chat.rooms().includes('b')) await tick()
  t.strictSame(app.chat.rooms(), ['a'])
})

t.test('messages that are published together reach a member in one write', async (t) => {
  const { app, join } = await chat(t)
  const connected = once(app.server, 'connection') as Promise<[Socket]>
  const member = await join()
  const [serverSide] = await connected
  let writes = 0
  const write = serverSide.write
  serverSide.write = function (...args: unknown[]) {
    writes++
    return (write as (...args: unknown[]) => boolean).apply(serverSide, args)
  } as typeof write
  for (let i = 0; i < 50; i++) void app.chat.publish('lobby', { text: `${i}` })
  t.equal((await take(member, 50)).at(-1), '49')
  t.equal(writes, 1)
})

t.test('a burst of one tick that exceeds pendingBytes reaches every member that reads', async (t) => {
  const { app, join } = await chat(t)
  const members = [await join(), await join(), await join('?self=0')]
  const text = 'x'.repeat(16 * 1024)
  for (let i = 0; i < 128; i++) void app.chat.publish('lobby', { text: `${i} ${text}` })
  for (const member of members) {
    const heard = await Promise.race([take(member, 128), member.closed])
    if (!Array.isArray(heard)) t.fail(`terminated: ${heard.code}`)
    else t.ok(heard.every((message, i) => parseInt(message.toString()) === i))
  }
})

t.test('a member that reads too slowly is terminated at pendingBytes, and others lose nothing', async (t) => {
  const { app, port, join } = await chat(t, { limits: { pendingBytes: 256 * 1024 } })
  const connected = once(app.server, 'connection') as Promise<[Socket]>
  const slow = await upgraded(t, port, '/chat')
  const [serverSide] = await connected
  slow.socket.pause()
  let most = 0
  const cut = new Promise<void>((resolve) => serverSide.once('close', () => resolve()))
  const members = [await join(), await join()]
  const text = 'x'.repeat(8 * 1024)
  let sent = 0
  for (let open = true; open; sent++) {
    await Promise.race([app.chat.publish('lobby', { text: `${sent} ${text}` }), cut])
    const heard = await Promise.all(members.map(({ next }) => next()))
    if (heard.some((message) => parseInt(message.toString()) !== sent)) t.fail(`${sent} was lost`)
    most = Math.max(most, serverSide.writableLength)
    open = !serverSide.destroyed
  }
  await cut
  t.ok(most > 200 * 1024 && most < 300 * 1024, `at most ${most} bytes were pending`)
  t.match(await logged(app, 'websocket closed'), { code: 1008, reason: 'reads too slowly' })
  members[0]!.socket.send('and on')
  t.strictSame(await Promise.all(members.map(({ next }) => next())), ['and on', 'and on'])
})

t.test('a client that posts without reading is terminated at pendingBytes', async (t) => {
  const { app, port } = await chat(t, { limits: { chatPayload: 8 * 1024, pendingBytes: 64 * 1024 } })
  const client = await upgraded(t, port, '/chat')
  client.socket.pause()
  const message = clientFrame(BINARY, Buffer.alloc(8 * 1024))
  const closed = logged(app, 'websocket closed')
  for (let line; line === undefined;) {
    if (!client.socket.write(message)) line = await Promise.race([once(client.socket, 'drain').then(() => undefined), closed])
  }
  t.match(await closed, { code: 1008 })
})

t.test('a join with much history returns the newest messages within half of pendingBytes', async (t) => {
  const { join } = await chat(t, { limits: { pendingBytes: 128 * 1024 } })
  const writer = await join()
  for (let i = 0; i < 40; i++) writer.socket.send(`${i} ${'x'.repeat(8 * 1024)}`)
  await take(writer, 40)
  const reader = await join('?history=1000')
  writer.socket.send('end')
  const heard = [await reader.next()]
  while (heard.at(-1) !== 'end') heard.push(await reader.next())
  t.equal(heard.length - 1, 7)
  t.match(heard.at(-2), /^39 /)
})

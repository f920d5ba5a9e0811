import { randomUUID } from 'node:crypto'
import { mock } from 'node:test'
import t from 'tap'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { memoryInUse } from '../support/memory.ts'
import { texts, type V1Client } from '../support/v1-client.ts'
import { backendOf } from '../support/backend.ts'

const transports: Record<string, (app: ChatApp) => Promise<V1Client>> = {
  'over TCP': ({ tcp }) => tcp(),
  injected: ({ injected }) => injected()
}

for (const [transport, connect] of Object.entries(transports)) {
  t.test(`a conversation ${transport}: hello, join, post, leave`, async (t) => {
    const app = await chat(t)
    const [ada, bob] = [await connect(app), await connect(app)]
    const welcome = await ada.hello({ name: 'ada' })
    t.match(welcome, { member: { id: String, name: 'ada' }, limits: { payload: 16 * 1024, rooms: 20 }, heartbeat: 25_000 })
    t.match(welcome.session, /^[A-Za-z0-9_-]{43}$/)
    await bob.hello({ name: 'bob' })
    const joined = await ada.join('lobby')
    t.match(joined, { room: 'lobby', members: [welcome.member], count: 1, messages: [], complete: true })
    await bob.join('lobby')
    const id = ada.post('lobby', 'hello', { data: { mood: ['good'] } })
    const [message, ack] = await ada.take(2)
    t.match(message, { type: 'message', room: 'lobby', from: welcome.member, text: 'hello', data: { mood: ['good'] } })
    t.match(ack, { type: 'ack', id, room: 'lobby', position: (message as { position: string }).position }, 'the ack follows its message')
    t.strictSame(await bob.next(), message, 'all members receive the same message')
    t.strictSame(await ada.leave('lobby'), { type: 'left', room: 'lobby' })
    await bob.posted('lobby', 'anybody here?')
    t.strictSame(await ada.refused({ type: 'post', room: 'lobby', text: 'x', id: 'i' }), {
      type: 'error', code: 'not_joined', message: "room 'lobby' is not joined", id: 'i', room: 'lobby', request: 'post'
    }, 'no message of the room was received in between')
    ada.socket.close(1000)
    t.match(await ada.closed, { code: 1000 })
  })
}

t.test('a session keeps the member id across connections and servers, and is a secret', async (t) => {
  const [one, two] = [await chat(t), await chat(t)]
  const first = await (await one.tcp()).hello({ name: 'ada' })
  const second = await (await one.tcp()).hello({ session: first.session, name: 'Ada' })
  const third = await (await two.tcp()).hello({ session: first.session })
  t.strictSame([second.member, third.member], [{ id: first.member.id, name: 'Ada' }, { id: first.member.id, name: '' }])
  t.strictSame([second.session, third.session], [first.session, first.session])
  const other = await (await one.tcp()).hello()
  t.not(other.session, first.session)
  t.not(other.member.id, first.member.id)
  t.notOk(first.session.includes(first.member.id) || first.member.id.includes(first.session))
})

t.test('hello must come first, and only once', async (t) => {
  const client = await (await chat(t)).tcp()
  for (const message of [{ type: 'join', room: 'a' }, { type: 'leave', room: 'a' }, { type: 'typing', room: 'a' }, { type: 'post', room: 'a', text: 'x', id: 'i' }, { type: 'history', room: 'a', before: 'x', limit: 1 }]) {
    t.match(await client.refused(message), { code: 'hello', room: 'a', ...'id' in message && { id: 'i' } }, message.type)
  }
  const { member } = await client.hello()
  t.match(await client.refused({ type: 'hello', name: 'another' }), { code: 'hello' })
  t.strictSame((await client.join('a')).members, [member], 'a second hello changes nothing')
})

t.test('a client that sends no valid hello in time is closed with 4408', async (t) => {
  const says: Record<string, (client: V1Client) => void> = {
    nothing: () => {},
    'something else': (client) => client.say({ type: 'join', room: 'a' }),
    'a hello that is refused': (client) => client.say({ type: 'hello', name: '\u202e' }),
    'a hello that is not valid': (client) => client.say({ type: 'hello', session: 'x' })
  }
  const { tcp } = await chat(t, { limits: { handshakeTimeout: 300 } })
  for (const [title, say] of Object.entries(says)) {
    const client = await tcp()
    say(client)
    t.strictSame(await client.closed, { code: 4408, reason: 'no hello in time' }, title)
  }
})

t.test('a client that sent hello in time is not closed', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const handshakeTimeout = 10_000
  const { tcp } = await chat(t, { limits: { handshakeTimeout } })
  const [silent, client] = [await tcp(), await tcp()]
  await client.hello()
  const late = await tcp()
  mock.timers.tick(handshakeTimeout)
  await Promise.all([silent.closed, late.closed])
  t.equal((await client.join('a')).room, 'a')
})

t.test('an invalid frame gets an error that states what is wrong and where', async (t) => {
  const post = { type: 'post', room: 'a', id: 'i', text: 'x' }
  const cases: Array<[frame: string | object, message: string | RegExp, concerns?: object]> = [
    ['{"type":"post","room":"a","id":"i","text":"\n"}', /^invalid JSON: /],
    ['{"type":"post","room":"a","id":"\t","text":"x"}', /^invalid JSON: /],
    ['{"type":"post","room":"a","id":"i","text":"\\"}', /^invalid JSON: /],
    ['{"type":"post","room":"a","id":"i","text":"x"}}', /^invalid JSON: /],
    ['{"type":"post","room":"a","id":"i","text":"x""}', /^invalid JSON: /],
    ['', /^invalid JSON: /],
    ['{', /^invalid JSON: /],
    ['{"type":"ping","id":"1"}}', /^invalid JSON: /],
    ['\u0000', /^invalid JSON: /],
    [`[1,${'😀'.repeat(20)}`, /^invalid JSON: /],
    ['[]', 'must be a JSON object'],
    ['null', 'must be a JSON object'],
    ['"hello"', 'must be a JSON object'],
    ['1', 'must be a JSON object'],
    [[post], 'must be a JSON object'],
    [{}, /^\/type must be one of hello, join, leave, post, edit, delete, react, typing, signal, history, markRead, rooms, forget, ping$/],
    [{ type: 'nope', id: 'i', room: 'a' }, /^\/type must be one of/, { id: 'i', room: 'a' }],
    [{ type: 'welcome' }, /^\/type must be one of/],
    [{ type: ['post'] }, /^\/type must be one of/],
    [{ type: '__proto__' }, /^\/type must be one of/],
    [{ type: 'constructor' }, /^\/type must be one of/],
    [{ type: 'post', room: 'a', id: 'i' }, /text/, { id: 'i', room: 'a' }],
    [{ type: 'post', room: 'a', text: 'x' }, /id/, { room: 'a' }],
    [{ type: 'post', text: 'x', id: 'i' }, /room/, { id: 'i' }],
    ['{"type":"post","__proto__":{"room":"a","text":"x","id":"i"}}', /room|text|id/],
    [{ ...post, text: 1 }, /^\/text must be string/, { id: 'i', room: 'a' }],
    [{ ...post, text: null }, /^\/text must be string/, { id: 'i', room: 'a' }],
    [{ ...post, id: 1 }, /^\/id must be string/, { room: 'a' }],
    [{ ...post, id: '' }, /^\/id /, { room: 'a' }],
    [{ ...post, id: 'x'.repeat(65) }, /^\/id /, { room: 'a' }],
    [{ ...post, room: 'a b' }, /^\/room must match/, { id: 'i', room: 'a b' }],
    [{ ...post, room: '' }, /^\/room must match/, { id: 'i' }],
    [{ ...post, room: 'a\n' }, /^\/room must match/, { id: 'i' }],
    [{ ...post, room: 'x'.repeat(65) }, /^\/room must match/, { id: 'i' }],
    [{ ...post, room: { toString: 'a' } }, /^\/room must be string/, { id: 'i' }],
    [{ ...post, id: '\ud800' }, 'text contains a lone surrogate', { room: 'a' }],
    [`{"type":"post","x":"\\u0000","y":${'['.repeat(8_000)}${']'.repeat(8_000)},"room":"a","text":"x","id":"i"}`, 'nested deeper than 17 levels', { room: 'a', id: 'i' }],
    [{ ...post, room: 'a\udfff' }, /^\/room must match/, { id: 'i' }],
    [{ ...post, since: '' }, /^\/since /, { id: 'i' }],
    [{ ...post, since: 7 }, /^\/since /, { id: 'i' }],
    [{ ...post, since: 'x'.repeat(129) }, /^\/since /, { id: 'i' }],
    [{ type: 'join' }, /room/],
    [{ type: 'join', room: 'a', history: -1 }, /^\/history /, { room: 'a' }],
    [{ type: 'join', room: 'a', history: 1.5 }, /^\/history /, { room: 'a' }],
    [{ type: 'join', room: 'a', history: '5' }, /^\/history /, { room: 'a' }],
    [{ type: 'join', room: 'a', history: 1_001 }, /^\/history /, { room: 'a' }],
    [{ type: 'join', room: 'a', after: null }, /^\/after /, { room: 'a' }],
    [{ type: 'leave', room: 7 }, /^\/room /],
    [{ type: 'typing' }, /room/],
    [{ type: 'history', room: 'a', limit: 1 }, /before/, { room: 'a' }],
    [{ type: 'history', room: 'a', before: 'x' }, /limit/, { room: 'a' }],
    [{ type: 'history', room: 'a', before: 'x', limit: 0 }, /^\/limit /, { room: 'a' }],
    [{ type: 'history', room: 'a', before: 'x', limit: 1e9 }, /^\/limit /, { room: 'a' }],
    [{ type: 'hello', session: 'short' }, /^\/session /],
    [{ type: 'hello', name: 7 }, /^\/name /],
    [{ type: 'hello', token: {} }, /^\/token /],
    [{ type: 'ping' }, /id/],
    [{ type: 'ping', id: null }, /^\/id /]
  ]
  const client = await (await chat(t)).member({}, 'a')
  for (const [frame, message, concerns = {}] of cases) {
    const error = await client.refused(frame)
    const title = typeof frame === 'string' ? frame : JSON.stringify(frame).slice(0, 80)
    t.match(error, { code: 'invalid', message, ...concerns }, title)
    if (!('id' in concerns)) t.notOk('id' in error, title)
    t.notMatch(JSON.stringify(error), /\\ud[89a-f]/, `${title}: a strict parser accepts the error`)
    // Valid messages offset invalid ones. Otherwise the connection would be closed.
    for (const id of ['1', '2']) {
      client.say({ type: 'ping', id })
      t.strictSame(await client.next(), { type: 'pong', id })
    }
  }
  await client.posted('a', 'and the connection goes on')
})

t.test('a binary frame is rejected as invalid', async (t) => {
  const client = await (await chat(t)).tcp()
  client.socket.send(Buffer.from('{"type":"hello"}'))
  t.match(await client.expect('error'), { code: 'invalid', message: 'binary frames are not supported' })
  await client.hello()
})

t.test('many invalid frames close with 4400, before hello and after', async (t) => {
  const { tcp } = await chat(t)
  for (const greets of [false, true]) {
    const client = await tcp()
    if (greets) await client.hello()
    for (let i = 0; i < 100; i++) client.say('rubbish')
    let errors = 0
    for (;;) {
      try {
        await client.expect('error')
        errors++
      } catch { break }
    }
    t.match(await client.closed, { code: 4400 })
    t.ok(errors > 0 && errors < 20, `after ${errors} errors`)
  }
})

t.test('unknown properties of a valid message are ignored', async (t) => {
  const client = await (await chat(t)).tcp()
  await client.hello({ future: { a: 1 }, type: 'hello' })
  const deep = '['.repeat(5_000) + ']'.repeat(5_000)
  client.say(`{"type":"ping","id":"1","junk":${deep},"__proto__":{"x":1},"constructor":1}`)
  t.strictSame(await client.next(), { type: 'pong', id: '1' })
})

t.test('a connection may join up to roomsPerMember separate rooms', async (t) => {
  const { member } = await chat(t, { limits: { roomsPerMember: 3 } })
  const [one, other] = [await member({}, 'a', 'b', '__proto__'), await member({}, 'b')]
  t.match(await one.refused({ type: 'join', room: 'd' }), { code: 'too_many_rooms', room: 'd' })
  t.match(await one.refused({ type: 'join', room: 'a' }), { code: 'already_joined', room: 'a' })
  await other.posted('b', 'in b')
  t.match(await one.next(), { type: 'message', room: 'b', text: 'in b' })
  await one.posted('__proto__', 'in the strange one')
  await one.leave('a')
  await one.join('d')
  t.match(await one.refused({ type: 'leave', room: 'a' }), { code: 'not_joined', room: 'a' })
  t.match(await one.refused({ type: 'typing', room: 'a' }), { code: 'not_joined', room: 'a' })
  t.match(await one.refused({ type: 'history', room: 'a', before: 'x', limit: 1 }), { code: 'not_joined', room: 'a' })
  t.match(await other.refused({ type: 'post', room: 'a', id: 'i', text: 'x' }), { code: 'not_joined', room: 'a', id: 'i' })
})

t.test('open rooms are bounded by limits.rooms, and stored rooms are not', async (t) => {
  const { app, member } = await chat(t, { limits: { rooms: 1, roomsPerMember: 1 } })
  const client = await member({}, 'a')
  t.match(await client.refused({ type: 'join', room: 'b' }), { code: 'too_many_rooms', room: 'b' })
  for (const room of ['b', 'c']) await app.chat.publish(room, { text: room })
  await client.posted('a', 'x')
  t.strictSame((await app.chat.history('b')).entries.map(({ text }) => text), ['b'])
  await client.leave('a')
  t.strictSame(texts((await client.join('b')).messages), ['b'], 'a room without members makes room for another')
})

t.test('a repeated post is stored once and acknowledged with its first position', async (t) => {
  const { member, app } = await chat(t)
  const [one, other] = [await member({}, 'a'), await member({}, 'a')]
  const start = (await app.chat.history('a')).head.position
  const post = { type: 'post', room: 'a', text: 'once', id: 'my id', data: { a: [1] } }
  one.say(post)
  const { position } = await one.expect('message')
  await one.expect('ack')
  for (const again of [post, { ...post, since: start }]) {
    one.say(again)
    t.strictSame(await one.next(), { type: 'ack', id: 'my id', room: 'a', position })
  }
  await one.posted('a', 'end')
  t.strictSame(texts(await other.upTo('end')), ['once'])
})

t.test('post ids are scoped by member and room', async (t) => {
  const { member } = await chat(t)
  const one = await member({}, 'a', 'b')
  const session = (await member()).hello
  t.ok(session)
  const other = await member({}, 'a')
  const post = { type: 'post', room: 'a', text: 'x', id: 'i' }
  one.say(post)
  await one.take(2)
  await other.expect('message')
  other.say(post)
  await other.take(2)
  t.match(await one.next(), { type: 'message', text: 'x' }, "another member's post with the same id is another post")
  one.say({ ...post, room: 'b' })
  t.match(await one.take(2), [{ type: 'message', room: 'b' }, { type: 'ack' }], 'so is a post with the same id in another room')
})

t.test('a post repeated on a new connection of the same session is recognised', async (t) => {
  const { tcp } = await chat(t)
  const [one, two] = [await tcp(), await tcp()]
  const { session } = await one.hello()
  await one.join('a')
  const position = await one.posted('a', 'x', { id: 'i' })
  one.socket.terminate()
  await two.hello({ session })
  const { position: start } = await two.join('a')
  two.say({ type: 'post', room: 'a', text: 'x', id: 'i', since: start })
  t.strictSame(await two.next(), { type: 'ack', id: 'i', room: 'a', position })
})

t.test('the way in which the JSON of a post is serialised makes no difference', async (t) => {
  const client = await (await chat(t)).member({}, 'a')
  const post = '{"type":"post","room":"a","id":"ID","text":"x"}'
  const ways = [post, post.replaceAll(':', ' :\n'), '{"text":"x","id":"ID","room":"a","type":"post"}', post.replace('"x"', '"\\u0078"')]
  for (const [i, way] of ways.entries()) {
    client.say(way.replace('ID', `${i}`))
    t.match(await client.take(2), [{ type: 'message', room: 'a', text: 'x' }, { type: 'ack', room: 'a', id: `${i}` }], way)
  }
  for (const text of ['', ' ', 'é 😀', '\u007f', '\u2028', '"', '\\', '\\u0061', '\\"', '\n', '\0', '","text":"y', '"}', '}']) {
    client.say(JSON.stringify({ type: 'post', room: 'a', id: `id ${text}`, text }))
    t.match(await client.take(2), [{ text }, { id: `id ${text}` }], text)
  }
})

t.test('ids and rooms of posts whose text is trimmed keep nothing else alive', async (t) => {
  const store = new MemoryStore({ historyBytes: 64 * 1024 })
  const { member, app } = await chat(t, { backend: backendOf({ store }) })
  const room = 'r'.repeat(64)
  const client = await member({}, room)
  async function post (count: number): Promise<number> {
    for (let i = 0; i < count; i++) {
      client.say({ type: 'post', room, id: randomUUID(), text: 'x'.repeat(15 * 1024) })
      await client.take(2)
    }
    app.lines.length = 0
    return await memoryInUse()
  }
  const before = await post(100)
  const kept = await post(1_500) - before
  t.ok(kept < 8 * 1024 * 1024, `${kept} bytes of 22 MB are kept`)
})

t.test('an id reused for other text or other data is rejected with reused_id', async (t) => {
  const { member } = await chat(t)
  const client = await member({}, 'a')
  await client.posted('a', 'x', { id: 'i' })
  await client.posted('a', 'x', { id: 'j', data: 1 })
  const others = [
    { id: 'i', text: 'y' }, { id: 'i', text: 'x', data: null }, { id: 'i', text: '' },
    { id: 'j', text: 'x' }, { id: 'j', text: 'x', data: 2 }, { id: 'j', text: 'x', data: '1' }, { id: 'j', text: 'x\n1' }, { id: 'j', text: 'x1' }
  ]
  for (const other of others) {
    t.match(await client.refused({ type: 'post', room: 'a', ...other }), { code: 'reused_id', id: other.id, room: 'a' }, JSON.stringify(other))
  }
})

t.test('a repeat that the server can not check is rejected with stale_post and not stored', async (t) => {
  const store = new MemoryStore({ historyEntries: 2, dedupWindow: 0 })
  const { member, app } = await chat(t, { backend: backendOf({ store }) })
  const client = await member({}, 'a')
  const { position: since } = (await app.chat.history('a')).head
  await client.posted('a', '1', { id: 'forgotten' })
  for (const text of ['2', '3', '4', '5', '6']) await client.posted('a', text)
  for (const start of [since, 'rubbish', since.replace(/0$/, '999')]) {
    t.match(await client.refused({ type: 'post', room: 'a', text: '1', id: 'forgotten', since: start }), { code: 'stale_post', id: 'forgotten', room: 'a' })
  }
  const { position } = (await app.chat.history('a')).head
  client.say({ type: 'post', room: 'a', text: '7', id: 'never arrived', since: position })
  t.match(await client.take(2), [{ type: 'message', text: '7' }, { type: 'ack' }])
})

t.test('data may be any JSON with at most 16 levels and is delivered unchanged', async (t) => {
  const client = await (await chat(t)).member({}, 'a')
  const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown
  for (const data of [null, false, 0, '', [], {}, { a: { b: [1, 'ü'] } }, nested(16)]) {
    client.post('a', 'x', { data })
    t.strictSame((await client.expect('message')).data, data)
    await client.expect('ack')
  }
  client.say('{"type":"post","room":"a","text":"x","id":"p","data":{"__proto__":{"polluted":true},"constructor":{"prototype":1}}}')
  const { data } = await client.expect('message')
  t.equal(JSON.stringify(data), '{"__proto__":{"polluted":true},"constructor":{"prototype":1}}')
  t.notOk('polluted' in {})
  await client.expect('ack')
  client.post('a', 'without')
  t.notOk('data' in await client.expect('message'))
  await client.expect('ack')
  for (const levels of [17, 18, 4_000]) {
    t.match(await client.refused({ type: 'post', room: 'a', text: 'x', id: 'deep', data: nested(levels) }), { code: 'invalid', id: 'deep', room: 'a', message: /data.*16/ })
  }
  t.match(await client.refused({ type: 'post', room: 'a', text: 'x', id: 'deep', data: { a: [{ b: nested(14) }] } }), { code: 'invalid' }, 'objects and arrays count alike')
})

t.test('data that violates dataSchema is rejected with an error that states where', async (t) => {
  const dataSchema = { type: 'object', properties: { stars: { type: 'integer', minimum: 1 } }, required: ['stars'], additionalProperties: false }
  const client = await (await chat(t, { dataSchema })).member({}, 'a')
  for (const [data, where] of [[{ stars: '5' }, /data\/stars/], [{}, /stars/], [{ stars: 1, more: 1 }, /data/], [null, /data/], [[1], /data/]] as const) {
    t.match(await client.refused({ type: 'post', room: 'a', text: 'x', id: 'i', data }), { code: 'invalid', message: where, id: 'i', room: 'a' })
  }
  await client.posted('a', 'x', { data: { stars: 5 } })
  await client.posted('a', 'none at all')
})

t.test('names are normalised, and names that cannot be displayed are rejected', async (t) => {
  const { tcp } = await chat(t)
  const shown: Record<string, string> = {
    '  ada   b  ': 'ada b', ﬁ: 'fi', grüße: 'grüße', ü: 'ü', ＡＤＡ: 'ADA', 'a\u00a0b': 'a b', '<b>': '<b>', '': '', [`${'👋'.repeat(32)}`]: '👋'.repeat(32), __proto__: '__proto__'
  }
  for (const [name, expected] of Object.entries(shown)) {
    t.equal((await (await tcp()).hello({ name })).member.name, expected)
  }
  const refused: Record<string, string> = {
    'only spaces': ' ',
    'too long': 'x'.repeat(33),
    'a line break': 'a\nb',
    'a bidi override': '\u202eada',
    'a lone surrogate': 'a\ud83d',
    'a blank letter among others': 'ada\u3164'
  }
  for (const [title, name] of Object.entries(refused)) {
    const client = await tcp()
    t.match(await client.refused({ type: 'hello', name }), { code: 'invalid', message: /^\/name |surrogate/ }, title)
    t.equal((await client.hello({ name: 'ada' })).member.name, 'ada', 'another name is accepted afterwards')
  }
})

t.test('a ping is answered, even before hello', async (t) => {
  const client = await (await chat(t)).tcp()
  client.say({ type: 'ping', id: 'x'.repeat(64) })
  t.strictSame(await client.next(), { type: 'pong', id: 'x'.repeat(64) })
})

t.test('posts of one client arrive in order, and each ack follows its message', async (t) => {
  const { member } = await chat(t)
  const members = await Promise.all([member({}, 'a'), member({}, 'a'), member({}, 'a')])
  const ids = members.map((client) => Array.from({ length: 200 }, (_, i) => client.post('a', `${i}`)))
  const received = await Promise.all(members.map((client) => client.take(600 + 200)))
  const orders = received.map((messages) => messages.flatMap((message) => message.type === 'message' ? [message.position] : []))
  t.strictSame(orders[1], orders[0], 'all members receive one order')
  t.strictSame(orders[2], orders[0])
  t.equal(new Set(orders[0]).size, 600)
  for (const [i, messages] of received.entries()) {
    const acks = messages.flatMap((message) => message.type === 'ack' ? [message] : [])
    t.strictSame(acks.map(({ id }) => id), ids[i])
    const early = acks.filter((ack) => messages.findIndex((message) => message.type === 'message' && message.position === ack.position) > messages.indexOf(ack))
    t.strictSame(early, [])
  }
})

t.test('a frame larger than the payload limit closes with 1009', async (t) => {
  const client = await (await chat(t)).member({}, 'a')
  client.post('a', 'x'.repeat(16 * 1024))
  t.match(await client.closed, { code: 1009 })
})

t.test('requests sent before welcome arrives are handled', async (t) => {
  const client = await (await chat(t)).tcp()
  client.say({ type: 'hello' })
  client.say({ type: 'join', room: 'a' })
  client.say({ type: 'post', room: 'a', text: 'x', id: 'i' })
  client.say({ type: 'leave', room: 'a' })
  client.say({ type: 'ping', id: 'p' })
  t.strictSame((await client.take(5)).map(({ type }) => type).filter((type) => type !== 'message').toSorted(), ['ack', 'joined', 'left', 'pong', 'welcome'])
})

t.test('twenty rooms with much history can be joined at once', async (t) => {
  const { app, injected, tcp } = await chat(t)
  const rooms = Array.from({ length: 20 }, (_, i) => `room${i}`)
  for (const room of rooms) for (let i = 0; i < 30; i++) await app.chat.publish(room, { text: `${i} ${'x'.repeat(4_000)}` })
  for (const client of [await injected(), await tcp()]) {
    await client.hello()
    for (const room of rooms) client.say({ type: 'join', room })
    for (const room of rooms) {
      const joined = await client.expect('joined')
      t.strictSame([joined.room, joined.messages.at(-1)?.text?.slice(0, 2)], [room, '29'])
    }
  }
})

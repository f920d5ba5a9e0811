import t from 'tap'
import fastifyChat, { errors, type ChatEntry } from '../../src/index.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { connect } from '../../src/testing.ts'
import { bare, logged } from '../support/app.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { backendOf, backendWith } from '../support/backend.ts'
import { tick } from '../support/tick.ts'
import { texts, type V1Client } from '../support/v1-client.ts'

/** Connects a member. Resolves with its client, id and session. */
async function named ({ tcp }: ChatApp, name: string, ...rooms: string[]): Promise<{ client: V1Client, id: string, session: string }> {
  const client = await tcp()
  const { member: { id }, session } = await client.hello({ name })
  for (const room of rooms) await client.join(room)
  return { client, id, session }
}

t.test('publish sends a message with or without a sender and data, and runs no prePost', async (t) => {
  const server = await chat(t, { prePost: () => { throw new Error('hooks are for members') } })
  const client = await server.member({}, 'a')
  const position = await server.app.chat.publish('a', { text: 'hello' })
  t.match(await client.next(), { type: 'message', room: 'a', from: null, text: 'hello', position })
  await server.app.chat.publish('a', { text: '', from: { id: 'bot', name: 'Bot' }, data: { a: 1 } })
  t.match(await client.next(), { from: { id: 'bot', name: 'Bot' }, text: '', data: { a: 1 } })
})

t.test('app.chat.publish works in HTTP routes', async (t) => {
  const app = bare(t)
  await app.register(fastifyChat)
  app.post('/say', async (request) => ({ position: await app.chat.publish('a', { text: (request.body as { text: string }).text }) }))
  const client = await connect(app, '/chat?room=a')
  await client.next()
  const answer = await app.inject({ method: 'POST', url: '/say', payload: { text: 'from HTTP' } })
  t.equal(await client.next(), 'from HTTP')
  t.equal((await app.chat.history('a')).head.position, answer.json<{ position: string }>().position)
  const wrong = await app.inject({ method: 'POST', url: '/say', payload: {} })
  t.ok(wrong.statusCode >= 400)
  await app.inject({ method: 'POST', url: '/say', payload: { text: 'still works' } })
  t.equal(await client.next(), 'still works')
  await client.close()
})

t.test('an invalid publication is rejected and leaves the room unchanged', async (t) => {
  const { app, member } = await chat(t)
  const client = await member({}, 'a')
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  const wrong: Record<string, object> = {
    'no text': {},
    'a text that is null': { text: null },
    'a number': { text: 7 },
    bytes: { text: new Uint8Array(3) },
    'circular data': { text: 'x', data: circular },
    'data with a bigint': { text: 'x', data: { n: 10n } },
    'data that is a function': { text: 'x', data: () => {} },
    'from a number': { text: 'x', from: 7 },
    'from a name alone': { text: 'x', from: 'Ada' }
  }
  for (const [title, publication] of Object.entries(wrong)) {
    await t.rejects(app.chat.publish('a', publication as { text: string }), { code: 'FST_CHAT_INVALID_ARGUMENT' }, title)
  }
  await client.posted('a', 'x')
  t.equal((await app.chat.history('a')).head.offset, 1)
  t.strictSame(texts((await (await member()).join('a')).messages), ['x'])
})

t.test('a publication beyond the size limit is rejected, changes nothing and closes no reader', async (t) => {
  const { app, member } = await chat(t, { limits: { chatPayload: 1_024, pendingBytes: 8_192 } })
  const client = await member({}, 'a')
  const wrong = {
    text: { text: 'x'.repeat(2_049) },
    'two-byte text': { text: 'é'.repeat(1_025) },
    'text that JSON escapes': { text: '\u0001'.repeat(342) },
    'text of 8 MB': { text: 'x'.repeat(8_000_000) },
    data: { text: '', data: ['x'.repeat(2_046)] },
    'both together': { text: 'x'.repeat(1_025), data: 'x'.repeat(1_022) },
    'a sender': { text: 'x'.repeat(1_910), from: { id: 'x'.repeat(128), name: 'x'.repeat(11) } }
  }
  for (const [title, publication] of Object.entries(wrong)) {
    await t.rejects(app.chat.publish('a', publication), { code: 'FST_CHAT_POST_TOO_LARGE', statusCode: 413 }, title)
  }
  for (let i = 0; i < 3; i++) await app.chat.publish('a', { text: 'x'.repeat(1_000), data: 'x'.repeat(1_046) })
  for (let i = 1; i <= 3; i++) t.match(await client.next(), { type: 'message', position: new RegExp(`-${i}$`) })
  await client.posted('a', 'still here')
})

t.test('lone surrogates in a publication become U+FFFD; pairs and escapes stay', async (t) => {
  const { app, member } = await chat(t)
  const client = await member({}, 'a')
  const data = { '\ud800': ['\udfff\ud83d', '👋', '\\ud800', '\\\ud800'] }
  const clean = { '\ufffd': ['\ufffd\ufffd', '👋', '\\ud800', '\\\ufffd'] }
  await app.chat.publish('a', { text: 'x\ud83d', data })
  t.match(await client.next(), { text: 'x\ufffd', data: clean })
  t.match((await app.chat.history('a')).entries, [{ text: 'x\ufffd', data: clean }])
})

t.test('each listener and history receive their own copy of the data as it was published', async (t) => {
  const { app, member } = await chat(t)
  const client = await member({}, 'a')
  const heard: ChatEntry[] = []
  for (let i = 0; i < 2; i++) await app.chat.subscribe('a', (entry) => { heard.push(entry) })
  const data = { list: [1] }
  const published = app.chat.publish('a', { text: 'x', data })
  data.list.push(2)
  await published
  await client.next()
  await client.posted('a', 'y', { data: null })
  t.match(heard, [{ data: { list: [1] } }, { data: { list: [1] } }, { data: null }, { data: null }])
  t.not(heard[0]!.data, heard[1]!.data)
  const { entries } = await app.chat.history('a')
  t.strictSame(entries.map((entry) => entry.data), [{ list: [1] }, null])
})

t.test('publish accepts from: null, and a sender whose name is empty', async (t) => {
  const { app, member } = await chat(t)
  const client = await member({}, 'a')
  await app.chat.publish('a', { text: 'x', from: null } as unknown as { text: string })
  t.match(await client.next(), { type: 'message', from: null })
  await app.chat.publish('a', { text: 'x', from: { id: 'bot', name: '' } })
  t.match(await client.next(), { type: 'message', from: { id: 'bot', name: '' } })
})

t.test('an invalid room name is rejected by every call', async (t) => {
  const { app: { chat: calls } } = await chat(t)
  for (const room of ['', 'a b', 'x'.repeat(65), 'a/b', 'ü', undefined, null, 7] as string[]) {
    for (const call of [() => calls.publish(room, { text: 'x' }), () => calls.subscribe(room, () => {}), () => calls.members(room), () => calls.history(room), () => calls.delete(room, 'x'), () => calls.clear(room)]) {
      await t.rejects(call() as Promise<unknown>, { code: 'FST_CHAT_INVALID_ROOM', statusCode: 400 }, String(room))
    }
  }
})

t.test('subscribe delivers each later entry once, until it is stopped', async (t) => {
  const server = await chat(t)
  const client = await server.member({ name: 'ada' }, 'a')
  await client.posted('a', 'before')
  const heard: ChatEntry[] = []
  const stop = await server.app.chat.subscribe('a', (entry) => { heard.push(entry) })
  const bot = await server.app.chat.subscribe('b', (entry) => server.app.chat.publish('a', { text: `heard ${String(entry.text)}` }).then(() => {}))
  const position = await client.posted('a', '1')
  await server.app.chat.publish('b', { text: 'x' })
  t.match(await client.next(), { text: 'heard x' })
  t.match(heard, [{ text: '1', position, from: { name: 'ada' }, offset: 2 }, { text: 'heard x', from: null }])
  stop()
  bot()
  await client.posted('a', '2')
  t.equal(heard.length, 2)
})

t.test('a listener that throws or rejects is logged and does not affect others', async (t) => {
  const { app, member } = await chat(t)
  const client = await member({}, 'a')
  const heard: unknown[] = []
  for (const fails of [() => { throw new Error('a listener') }, async () => { throw new Error('a listener') }, async () => { throw undefined }]) { // eslint-disable-line no-throw-literal
    await app.chat.subscribe('a', fails)
  }
  await app.chat.subscribe('a', ({ text }) => { heard.push(text) })
  for (const text of ['1', '2']) void app.chat.publish('a', { text })
  await client.upTo('2')
  await tick()
  t.strictSame(heard, ['1', '2'])
  t.match(await logged(app, 'a listener of a room failed'), { level: 50, room: 'a', err: { message: 'a listener' } })
})

t.test('a listener may return anything, and throw an error that throws when it is logged', async (t) => {
  const { app, member } = await chat(t)
  const client = await member({}, 'a')
  await app.chat.subscribe('a', (() => 7) as () => void)
  await app.chat.subscribe('a', (() => ({ catch: 'no function' })) as () => void)
  await app.chat.publish('a', { text: '1' })
  await client.upTo('1')
  await tick()
  t.strictSame(app.lines.filter(({ level }) => level > 40), [])
  await app.chat.subscribe('a', () => {
    throw Object.defineProperty(new Error('x'), 'message', { get () { throw new Error('again') } })
  })
  const heard: unknown[] = []
  await app.chat.subscribe('a', ({ text }) => { heard.push(text) })
  for (const text of ['2', '3']) await app.chat.publish('a', { text })
  await client.upTo('3')
  await tick()
  t.strictSame(heard, ['2', '3'])
  t.match(app.lines.filter(({ level }) => level > 40), [{ msg: /^a listener of a room failed/ }, { msg: /^a listener of a room failed/ }])
})

t.test('calling the unsubscribe function twice releases the room once', async (t) => {
  const { app, member } = await chat(t)
  const client = await member({}, 'a')
  const stop = await app.chat.subscribe('a', () => {})
  stop()
  stop()
  t.strictSame(app.chat.rooms(), ['a'])
  await client.posted('a', 'x')
  await client.leave('a')
  t.strictSame(app.chat.rooms(), [])
})

t.test('rooms, members and stats report the current connections', async (t) => {
  const server = await chat(t)
  const { app } = server
  t.match([app.chat.rooms(), app.chat.stats()], [[], { connections: 0, members: 0, rooms: 0 }])
  t.strictSame(await app.chat.members('a'), { members: [], count: 0, stale: false })
  const { client, session, id } = await named(server, 'ada', 'a', 'b')
  const second = await server.tcp()
  await second.hello({ session, name: 'ada' })
  await second.join('a')
  await server.plain('?room=c')
  const greeted = await server.tcp()
  t.strictSame(app.chat.rooms().toSorted(), ['a', 'b', 'c'])
  t.match(app.chat.stats(), { connections: 4, members: 2, rooms: 3 }, 'two connections of a member count once, and a connection without hello does not count')
  await client.presence(({ room, count }) => room === 'a' && count === 1)
  t.strictSame(await app.chat.members('a'), { members: [{ id, name: 'ada' }], count: 1, stale: false })
  await greeted.end()
  t.strictSame(await app.chat.members('nobody'), { members: [], count: 0, stale: false })
  t.notOk(app.chat.rooms().includes('nobody'), 'asking for its members opens no room')
})

t.test('history returns entries, the newest 50 or a page before a position', async (t) => {
  const { app } = await chat(t)
  for (let i = 1; i <= 60; i++) await app.chat.publish('a', { text: `${i}` })
  const newest = await app.chat.history('a')
  t.match(newest, { complete: true, more: true, head: { offset: 60 }, entries: { length: 50 } })
  const page = await app.chat.history('a', { before: newest.entries[0]!.position, limit: 3 })
  t.strictSame(page.entries.map(({ text }) => text), ['8', '9', '10'])
  t.match(await app.chat.history('a', { before: 'rubbish', limit: 1 }), { complete: false, entries: [{ text: '60' }] })
  t.match(await app.chat.history('nobody'), { entries: [], complete: true, more: false })
})

t.test('delete removes text and data of an entry, and its position stays', async (t) => {
  const server = await chat(t)
  const client = await server.member({}, 'a')
  const positions = [await client.posted('a', '1'), await client.posted('a', 'secret', { data: 'secret' }), await client.posted('a', '3')]
  await server.app.chat.delete('a', positions[1]!)
  const other = await server.member()
  const { messages } = await other.join('a', { after: positions[0]! })
  t.strictSame(messages.map(({ text, position, data }) => [text, position, data]), [['', positions[1], undefined], ['3', positions[2], undefined]])
  await t.rejects(server.app.chat.delete('a', 'rubbish'), { code: 'FST_CHAT_NOT_KEPT', statusCode: 404 })
  await client.posted('a', 'goes on')
})

for (const [title, options, shown] of [
  ['a reason', { reason: 'be gone' }, 'be gone'],
  ['no reason', undefined, 'kicked by a moderator'],
  ['an empty reason', { reason: '' }, 'kicked by a moderator'],
  ['the longest reason', { reason: `x${'é'.repeat(61)}` }, `x${'é'.repeat(61)}`]
] as const) {
  t.test(`kick with ${title} closes all connections of a member with 4403; it may reconnect`, async (t) => {
    const server = await chat(t)
    const { client, id, session } = await named(server, 'ada', 'a')
    const second = await server.tcp()
    await second.hello({ session })
    const other = await server.member({}, 'a')
    await server.app.chat.kick(id, options)
    for (const each of [client, second]) t.strictSame(await each.closed, { code: 4403, reason: shown })
    await other.posted('a', 'still here')
    const again = await server.tcp()
    t.equal((await again.hello({ session })).member.id, id)
    await server.app.chat.kick('nobody')
  })
}

t.test('mute refuses posts on current and later connections until unmute', async (t) => {
  const server = await chat(t)
  const { client, id, session } = await named(server, 'ada', 'a')
  const bob = await server.member({}, 'a')
  await server.app.chat.mute(id, { duration: 1_000_000, reason: 'too loud' })
  t.strictSame(await client.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { type: 'error', code: 'muted', message: 'muted: too loud', id: 'i', room: 'a', request: 'post' })
  const second = await server.tcp()
  await second.hello({ session })
  await second.join('a')
  t.match(await second.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code: 'muted' })
  await bob.posted('a', 'is heard')
  t.match([await client.next(), await second.next()], [{ text: 'is heard' }, { text: 'is heard' }], 'a muted member still receives messages')
  await server.app.chat.unmute(id)
  await client.posted('a', 'again', { id: 'i' })
  t.match(await second.next(), { text: 'again' })
  await second.posted('a', 'on both')
})

t.test('a mute ends after its duration', async (t) => {
  const server = await chat(t)
  const { client, id } = await named(server, 'ada', 'a')
  await server.app.chat.mute(id, { duration: 30 })
  for (let ended = false; !ended;) {
    client.post('a', 'x')
    ended = (await client.next()).type === 'message'
  }
  await client.expect('ack')
  t.pass()
})

t.test('ban closes with 4403 and refuses later connections until unban', async (t) => {
  const server = await chat(t)
  const { client, id, session } = await named(server, 'ada', 'a')
  await server.app.chat.ban(id, { duration: 1_000_000, reason: 'x'.repeat(123) })
  t.match(await client.closed, { code: 4403 })
  const again = await server.tcp()
  again.say({ type: 'hello', session })
  again.say({ type: 'join', room: 'a' })
  t.strictSame(await again.closed, { code: 4403, reason: 'x'.repeat(123) })
  await server.member({ name: 'another' }, 'a')
  await server.app.chat.unban(id)
  const lifted = await server.tcp()
  await lifted.hello({ session })
  await lifted.join('a')
  await lifted.posted('a', 'back')
})

t.test('posts of a banned member that were waiting are not stored', async (t) => {
  const slow = gate()
  const server = await chat(t, {
    prePost: async (draft) => {
      await slow.pass()
      return draft
    }
  })
  const { client, id } = await named(server, 'ada', 'a')
  for (let i = 0; i < 10; i++) client.post('a', `${i}`)
  await slow.reached
  await server.app.chat.ban(id, { duration: 1_000_000 })
  slow.open()
  t.match(await client.closed, { code: 4403 })
  await tick()
  t.ok((await server.app.chat.history('a')).entries.length <= 1)
})

t.test('posts that a client sent before it closed are stored', async (t) => {
  const slow = gate()
  const server = await chat(t, {
    prePost: async (draft) => {
      await slow.pass()
      return draft
    }
  })
  const { client } = await named(server, 'ada', 'a')
  const bob = await server.member({}, 'a')
  for (let i = 0; i < 10; i++) client.post('a', `${i}`)
  await slow.reached
  client.socket.close()
  slow.open()
  t.strictSame(texts(await bob.take(10)), Array.from({ length: 10 }, (_, i) => `${i}`))
})

t.test('check rejects while the store is unavailable', async (t) => {
  let up = false
  const { app } = await chat(t, { backend: backendWith((works) => ({ check: async () => up ? await works.check() : await Promise.reject(new errors.StoreUnavailable()) })) })
  await t.rejects(app.chat.check(), { code: 'FST_CHAT_UNAVAILABLE', statusCode: 503 })
  up = true
  await t.resolves(app.chat.check())
})

t.test('a store passed as an option stays open, and calls reject once it is closed', async (t) => {
  const store = new MemoryStore()
  const { app } = await chat(t, { backend: backendOf({ store }) })
  await app.chat.publish('a', { text: 'x' })
  await app.close()
  await t.resolves(store.check())
  await store.close()
  for (const call of [() => app.chat.publish('a', { text: 'x' }), () => app.chat.history('a'), () => app.chat.delete('a', 'x'), () => app.chat.clear('a'), () => app.chat.check()]) {
    await t.rejects(call() as Promise<unknown>, { code: 'FST_CHAT_STORE_CLOSED' })
  }
})

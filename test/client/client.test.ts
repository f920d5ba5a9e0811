import t, { type Test } from 'tap'
import { ChatClient, ChatError, ClientRoom, type Message, type Joined, type RoomEvents } from '../../src/client/node.ts'
import { backoff } from '../../src/client/backoff.ts'
import { iteration } from '../../src/client/room/iteration.ts'
import type { RoomClient } from '../../src/client/room/room-client.ts'
import { roomReads } from '../../src/client/room/room-reads.ts'
import { StoreUnavailable } from '../../src/errors.ts'
import type { FastifyChatOptions } from '../../src/index.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import type { Store } from '../../src/store.ts'
import { connect } from '../../src/testing.ts'
import { build, listen } from '../support/app.ts'
import { chatClient, fixJitter, nextEvent, next, state } from '../support/chat-client.ts'
import { fakeServer, joined, message } from '../support/fake-server.ts'
import { backendOf } from '../support/backend.ts'

async function serve (t: Test, options: FastifyChatOptions = {}) {
  const app = await build(t, options)
  return { app, port: await listen(app) }
}

const text = ({ text }: Message) => text

t.test('a post reaches both members, and its promise resolves with its position', async (t) => {
  const { port } = await serve(t)
  const ada = await chatClient(t, port, { name: 'ada' }).join('lobby')
  const bob = await chatClient(t, port, { name: 'bob' }).join('lobby')
  const both = Promise.all([nextEvent(ada, 'message'), nextEvent(bob, 'message')])
  const position = await ada.post('hello', { mood: 'good' })
  for (const received of await both) {
    t.match(received, { room: 'lobby', position, from: { name: 'ada' }, text: 'hello', data: { mood: 'good' } })
  }
  t.equal(ada.position, position)
})

t.test('events between join and the first listener are kept, even if it is attached late', async (t) => {
  const { app, port } = await serve(t)
  await app.chat.publish('lobby', { text: 'before' })
  const room = await chatClient(t, port).join('lobby')
  const watcher = await chatClient(t, port).join('lobby')
  const seen = nextEvent(watcher, 'message')
  await app.chat.publish('lobby', { text: 'meanwhile' })
  await seen
  const both = Promise.all([nextEvent(room, 'joined'), nextEvent(room, 'message')])
  const [first, live] = await both
  t.match(first, { again: false, complete: true, messages: [{ text: 'before' }] })
  t.equal(live.text, 'meanwhile')
})

for (const [how, code] of [['ends the room', 'not_joined'], ['closes the client', 'closed']] as const) {
  t.test(`events before the server ${how} are kept for the first listener and iteration`, async (t) => {
    const { port } = await fakeServer(t, ({ type, room }) => {
      if (type !== 'join') return undefined
      const said = [joined(room), message(room, 'p1', 'one'), message(room, 'p2', 'two')]
      if (code === 'not_joined') said.push({ type: 'left', room })
      return (socket) => {
        for (const each of said) socket.send(JSON.stringify(each))
        socket.close(4403, 'kicked')
      }
    })
    const client = chatClient(t, port)
    const closed = next(client, 'closed')
    const room = await client.join('lobby')
    await closed
    const seen = written(room)
    const iterated: unknown[] = []
    await t.rejects(async () => { for await (const { text } of room) iterated.push(text) }, { code })
    t.same(iterated, ['one', 'two'])
    t.same(seen, ['joined', 'one', 'two', `left: ${code}`])
    await t.rejects(room[Symbol.asyncIterator]().next(), { code }, 'also for later iterations')
    await t.rejects(room.post('late'), { code })
  })
}

t.test('an iteration that starts in the left event rejects with its error', async (t) => {
  const room = aRoom()
  room.end(new ChatError('forbidden', 'no more'), false)
  const iterated = new Promise<unknown>((resolve) => room.on('left', () => resolve(room[Symbol.asyncIterator]().next())))
  await t.rejects(iterated, { code: 'forbidden' })
})

for (const how of ['leave', 'close'] as const) {
  t.test(`a listener that calls ${how}() receives no more kept events, nor does an iteration`, async (t) => {
    const { port } = await fakeServer(t, ({ type, room }) => type === 'join'
      ? [joined(room), message(room, 'p1', 'one'), message(room, 'p2', 'two'), { type: 'error', code: 'internal', message: 'all was said' }]
      : undefined)
    const client = chatClient(t, port)
    const said = new Promise((resolve) => client.on('error', resolve))
    const room = await client.join('lobby')
    await said
    const seen = written(room)
    room.on('message', () => how === 'leave' ? room.leave() : client.close())
    const iterated: unknown[] = []
    for await (const { text } of room) iterated.push(text)
    t.same(seen, ['joined', 'one'])
    t.same(iterated, [])
  })
  t.test(`no kept event is delivered after ${how}()`, async (t) => {
    const { port } = await fakeServer(t)
    const client = chatClient(t, port)
    const room = await client.join('lobby')
    const seen = written(room)
    if (how === 'leave') room.leave()
    else client.close()
    for await (const { text } of room) t.fail(String(text))
    t.same(seen, [])
  })
}

t.test('leave() discards the kept events of a room that the server ended', async (t) => {
  const room = aRoom()
  say(room, 'one', 'two')
  room.end(new ChatError('forbidden', 'no more'), false)
  const seen = written(room)
  room.on('message', () => room.leave())
  for await (const { text } of room) t.fail(String(text))
  t.same(seen, ['joined', 'one'])
})

t.test('a queued event is not delivered once a listener has left the room', async (t) => {
  const room = aRoom()
  await nextEvent(room, 'joined')
  const seen = written(room)
  room.on('message', ({ text }) => {
    if (text === 'one') say(room, 'two')
    room.leave()
  })
  say(room, 'one')
  t.same(seen, ['one'])
})

t.test('a room without listeners', async (t) => {
  const ada = { id: 'a', name: 'ada' }
  const thousand = Array.from({ length: 1_000 }, (_, i) => String(i))
  const gap: Partial<RoomEvents['joined']> = { complete: false, messages: [], members: [ada], count: 2, stale: true, position: '999', again: false }
  const crowded = (after?: string) => {
    const room = aRoom(after)
    room.receive({ type: 'presence', room: 'lobby', joined: [ada], left: [], count: 2, stale: true })
    say(room, ...thousand.slice(1))
    return room
  }
  await t.test('keeps 1,000 events, without typing', async (t) => {
    const room = aRoom()
    room.receive({ type: 'typing', room: 'lobby', from: ada })
    say(room, ...thousand.slice(1))
    const seen = written(room)
    await nextEvent(room, 'message', ({ text }) => text === '999')
    t.same(seen, ['joined', ...thousand.slice(1)])
  })
  await t.test('replaces more events by a joined with complete: false', async (t) => {
    const room = crowded()
    say(room, 'kept')
    const seen = written(room)
    t.match(await nextEvent(room, 'joined'), gap)
    say(room, 'live')
    t.same(seen, ['joined', 'kept', 'live'])
  })
  await t.test('replaces them repeatedly', async (t) => {
    const room = crowded()
    say(room, ...thousand)
    room.end(new ChatError('forbidden', 'no more'), false)
    const seen = written(room)
    await nextEvent(room, 'left')
    t.same(seen, ['joined', 'left: forbidden'])
  })
  await t.test('sets again if a position was requested', async (t) => {
    t.match(await nextEvent(crowded('p'), 'joined'), { ...gap, again: true })
  })
  await t.test('an iteration that overflows rejects, and the next continues with live messages', async (t) => {
    const room = crowded()
    await t.rejects(room[Symbol.asyncIterator]().next(), { code: 'overflow' })
    const live = room[Symbol.asyncIterator]().next()
    say(room, 'live')
    t.match(await live, { value: { text: 'live' } })
  })
})

t.test('join loads as much history as requested', async (t) => {
  const { app, port } = await serve(t)
  for (const text of ['one', 'two', 'three']) await app.chat.publish('lobby', { text })
  const room = await chatClient(t, port).join('lobby', { history: 2 })
  const { messages } = await nextEvent(room, 'joined')
  t.same(messages.map(text), ['two', 'three'])
})

t.test('a position stored by the app resumes with a later client', async (t) => {
  const { app, port } = await serve(t)
  await app.chat.publish('lobby', { text: 'read' })
  const before = chatClient(t, port)
  const { position } = await before.join('lobby')
  before.close()
  await app.chat.publish('lobby', { text: 'missed' })
  const room = await chatClient(t, port).join('lobby', { after: position })
  t.match(await nextEvent(room, 'joined'), { again: true, complete: true, messages: [{ text: 'missed' }] })
})

t.test('iteration yields each message once and ends when the room is left', async (t) => {
  const { app, port } = await serve(t)
  const room = await chatClient(t, port).join('lobby')
  for (const text of ['one', 'two', 'three']) await app.chat.publish('lobby', { text })
  const seen = []
  for await (const { text } of room) {
    seen.push(text)
    if (text === 'three') room.leave()
  }
  t.same(seen, ['one', 'two', 'three'])
  for await (const { text } of room) seen.push(text)
  t.equal(seen.length, 3, 'a room that was left yields nothing')
})

t.test('an iteration', async (t) => {
  const said = (text: string) => message('lobby', text, text) as unknown as Message
  await t.test('answers concurrent next() calls in order', async (t) => {
    const loop = iteration(() => {})
    const both = Promise.all([loop.next(), loop.next(), loop.next()])
    loop.push(said('one'))
    loop.push(said('two'))
    loop.end()
    t.same((await both).map(({ value }) => (value as Message | undefined)?.text), ['one', 'two', undefined])
  })
  await t.test('is iterable itself', async (t) => {
    const loop = iteration(() => {})
    loop.push(said('one'))
    loop.end()
    for await (const { text } of loop) t.equal(text, 'one')
    t.plan(1)
  })
  await t.test('yields nothing after return()', async (t) => {
    const loop = iteration(() => {})
    loop.push(said('one'))
    await loop.return()
    t.same(await loop.next(), { done: true, value: undefined })
  })
  await t.test('that falls 10,000 messages behind yields them, then rejects', async (t) => {
    const loop = iteration(() => {})
    for (let i = 0; i < 10_000; i++) loop.push(said('x'))
    for (let i = 0; i < 10_000; i++) await loop.next()
    await t.rejects(loop.next(), { code: 'overflow' })
    t.same(await loop.next(), { done: true, value: undefined })
  })
  await t.test('rejects only the first waiting next()', async (t) => {
    const loop = iteration(() => {})
    const first = t.rejects(loop.next(), { code: 'forbidden' })
    const second = loop.next()
    loop.end(new ChatError('forbidden', 'no more'))
    await first
    t.same(await second, { done: true, value: undefined })
  })
})

t.test('members and typing reach the other member', async (t) => {
  const { port } = await serve(t)
  const ada = await chatClient(t, port, { name: 'ada' }).join('lobby')
  const presence = nextEvent(ada, 'presence', ({ joined }) => joined.some(({ name }) => name === 'bob'))
  const bob = await chatClient(t, port, { name: 'bob' }).join('lobby')
  await presence
  t.same([...ada.members.values()].map(({ name }) => name).sort(), ['ada', 'bob'])
  t.equal(ada.count, 2)
  const typing = nextEvent(ada, 'typing')
  bob.typing()
  t.equal((await typing).name, 'bob')
})

t.test('two concurrent history requests are both answered', async (t) => {
  const { app, port } = await serve(t)
  for (const text of ['one', 'two', 'three']) await app.chat.publish('lobby', { text })
  const room = await chatClient(t, port).join('lobby', { history: 0 })
  const newest = await app.chat.history('lobby', { limit: 1 })
  const before = newest.entries[0]!.position
  const [first, second] = await Promise.all([room.history(before, 1), room.history(before, 2)])
  t.same(first.messages.map(text), ['two'])
  t.equal(first.more, true)
  t.same(second.messages.map(text), ['one', 'two'])
  await t.rejects(room.history(before, 0), { code: 'invalid' })
  t.match(await room.history('of-no-room-1'), { complete: false, messages: [] })
  room.leave()
  await t.rejects(room.history(before), { code: 'left' })
})

t.test('join', async (t) => {
  await t.test('returns one room to all callers while it is joined', async (t) => {
    const { port } = await serve(t)
    const client = chatClient(t, port)
    t.equal(client.join('lobby'), client.join('lobby'))
    t.equal(await client.join('lobby'), await client.join('lobby'))
  })
  await t.test("rejects with the server's error", async (t) => {
    const { port } = await serve(t, { authorize: ({ action }) => action !== 'join', limits: { roomsPerMember: 1 } })
    const client = chatClient(t, port)
    await t.rejects(client.join('lobby'), { name: 'ChatError', code: 'forbidden' })
    await t.rejects(client.join('lobby'), { code: 'forbidden' }, 'and sends a new request')
    await t.rejects(client.join('lobby', { history: 1.5 }), { code: 'invalid' })
    await t.rejects(client.join('not a room'), { code: 'invalid' })
  })
  await t.test('is retried while the server is unavailable', async (t) => {
    const store = failing(new MemoryStore(), 'follow', 2)
    t.teardown(() => store.close())
    const { port } = await serve(t, { backend: backendOf({ store }) })
    t.equal((await chatClient(t, port).join('lobby')).name, 'lobby')
  })
  await t.test('after leave returns another room, without the messages between', async (t) => {
    const { app, port } = await serve(t)
    const client = chatClient(t, port)
    const first = await client.join('lobby')
    first.on('message', () => t.fail('a message of a room that was left'))
    first.leave()
    const joining = client.join('lobby')
    await app.chat.publish('lobby', { text: 'later' })
    const second = await joining
    t.not(second, first)
    await t.rejects(first.post('too late'), { code: 'left' })
    await second.post('here')
    t.match(await nextEvent(second, 'joined'), { again: false })
  })
})

t.test('leave while joining', async (t) => {
  await t.test('rejects the join, and leaves once the server has answered', async (t) => {
    let asked = 0
    const { port, requests } = await fakeServer(t, ({ type, room }) => type === 'join'
      ? ++asked === 1 ? [joined(room), message(room, 'p1', 'old')] : [joined(room), message(room, 'p2', 'new')]
      : undefined)
    const client = chatClient(t, port)
    await state(client, 'online')
    const first = t.rejects(client.join('lobby'), { code: 'left' })
    client.leave('lobby')
    const room = await client.join('lobby', { history: 7 })
    await first
    t.equal((await nextEvent(room, 'message')).text, 'new')
    t.match(requests, [{ type: 'hello' }, { type: 'join' }, { type: 'leave' }, { type: 'join', history: 7 }])
    t.notHas(requests[3], { after: String })
  })
  await t.test('of a refused join sends the next join', async (t) => {
    let asked = 0
    const { port } = await fakeServer(t, ({ type, room }) => type === 'join' && ++asked === 1
      ? [{ type: 'error', code: 'forbidden', message: 'not you', room }]
      : undefined)
    const client = chatClient(t, port)
    await state(client, 'online')
    const first = t.rejects(client.join('lobby'), { code: 'left' })
    client.leave('lobby')
    t.equal((await client.join('lobby')).name, 'lobby')
    await first
  })
  await t.test('before a connection never sends the join', async (t) => {
    const { port, requests } = await fakeServer(t)
    const client = chatClient(t, port)
    const first = t.rejects(client.join('lobby'), { code: 'left' })
    client.leave('lobby')
    client.leave('another')
    await client.join('other')
    await first
    t.match(requests, [{ type: 'hello' }, { type: 'join', room: 'other' }])
    t.equal(requests.length, 2)
  })
})

t.test('a post', async (t) => {
  await t.test('that the app refuses rejects with its message', async (t) => {
    const { port } = await serve(t, { prePost: () => { throw new Error('no swearing') } })
    const room = await chatClient(t, port).join('lobby')
    await t.rejects(room.post('damn'), { code: 'refused', message: /no swearing/ })
  })
  await t.test('for which prePost returns an invalid result rejects without a reconnect', async (t) => {
    const calls: unknown[] = []
    const { port } = await serve(t, {
      prePost: (draft) => {
        calls.push(draft.text)
        return draft.text === 'bad' ? {} as typeof draft : draft
      }
    })
    const room = await chatClient(t, port).join('lobby')
    await t.rejects(room.post('bad'), { code: 'refused' })
    t.ok(await room.post('good'))
    t.strictSame(calls, ['bad', 'good'])
  })
  await t.test('that is too large is never sent, and the connection stays open', async (t) => {
    const { port } = await serve(t, { limits: { chatPayload: 1_000 } })
    const room = await chatClient(t, port).join('lobby')
    await t.rejects(room.post('ä'.repeat(500)), { code: 'too_large' })
    t.ok(await room.post('ä'.repeat(300)))
  })
  await t.test('with data that is not JSON rejects', async (t) => {
    const { port } = await serve(t)
    const room = await chatClient(t, port).join('lobby')
    await t.rejects(room.post('one', 1n), TypeError)
  })
  await t.test('refused with unavailable is resent, with later posts behind it in order', async (t) => {
    const store = failing(new MemoryStore(), 'append', 2)
    t.teardown(() => store.close())
    const { app, port } = await serve(t, { backend: backendOf({ store }) })
    const room = await chatClient(t, port).join('lobby')
    // The first post is refused twice, and later posts wait behind it.
    await room.post('one')
    await Promise.all(['two', 'three'].map((text) => room.post(text)))
    const { entries } = await app.chat.history('lobby')
    t.same(entries.map(({ text }) => text), ['one', 'two', 'three'])
  })
  await t.test('beyond the queue limit rejects at once', async (t) => {
    const { port } = await fakeServer(t, ({ type }) => type === 'post' ? [] : undefined)
    const client = chatClient(t, port, { queue: 2 })
    const room = await client.join('lobby')
    const waiting = [room.post('one'), room.post('two')]
    await t.rejects(room.post('three'), { code: 'overflow' })
    client.close()
    for (const post of waiting) await t.rejects(post, { code: 'closed' })
  })
})

t.test('a lost history is reported as joined with complete: false, and posts still work', async (t) => {
  const { app, port } = await serve(t)
  const room = await chatClient(t, port).join('lobby')
  await room.post('old')
  const lost = nextEvent(room, 'joined', ({ again }) => again)
  await app.chat.clear('lobby')
  t.match(await lost, { again: true, complete: false, messages: [] })
  t.ok(await room.post('new'))
})

t.test("a listener that throws doesn't affect others and is reported as an uncaught error", async (t) => {
  const { port } = await serve(t)
  const room = await chatClient(t, port).join('lobby')
  const reported: unknown[] = []
  const { queueMicrotask } = globalThis
  t.teardown(() => { globalThis.queueMicrotask = queueMicrotask })
  room.on('message', () => { throw new Error('mine') })
  const other = nextEvent(room, 'message')
  await nextEvent(room, 'joined')
  globalThis.queueMicrotask = (report) => { try { report() } catch (error) { reported.push(error) } }
  await room.post('hello')
  t.equal((await other).text, 'hello')
  t.match(reported, [{ message: 'mine' }])
})

t.test('an event that a listener causes follows the current one, for all listeners', async (t) => {
  fixJitter(t, 1)
  const client = new ChatClient('ws://nowhere', { connect: () => { throw new Error('no network') }, minDelay: 1e6 })
  t.teardown(() => client.close())
  const seen: string[] = []
  client.on('status', ({ state }) => { if (state === 'waiting' && seen.length === 0) client.reconnect() })
  client.on('status', ({ state }) => seen.push(state))
  await new Promise<void>((resolve) => client.on('status', ({ state }) => { if (state === 'waiting' && seen.length > 2) resolve() }))
  t.same(seen, ['waiting', 'connecting', 'waiting'])
})

t.test('an error that belongs to no promise is an error event', async (t) => {
  const { port } = await fakeServer(t, ({ type }) => type === 'typing' ? [{ type: 'error', code: 'not_joined', message: 'no' }] : undefined)
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const error = new Promise<ChatError>((resolve) => client.on('error', resolve))
  room.typing()
  t.match(await error, { code: 'not_joined', message: 'no' })
})

t.test("an error code that this client doesn't know is passed through", async (t) => {
  const { port } = await fakeServer(t, ({ type, room }) => type === 'join' ? [{ type: 'error', code: 'weather', message: 'rain', room }] : undefined)
  const error = await chatClient(t, port).join('lobby').catch((cause: ChatError) => cause)
  if (error instanceof ChatError && error.code === 'weather') t.pass('the types allow the comparison')
  t.plan(1)
})

t.test("a message type that this client doesn't know is ignored", async (t) => {
  const { port } = await fakeServer(t, ({ type, room }) => type === 'join' ? [{ type: 'weather', room }, { type: 'toString' }, { type: 'hasOwnProperty' }, joined(room)] : undefined)
  t.ok(await chatClient(t, port).join('lobby'))
})

t.test("a client runs over the app's own injected connection", async (t) => {
  const app = await build(t)
  const client = new ChatClient('/chat', { connect: async (url, protocol) => (await connect(app, url, { protocol })).socket })
  t.teardown(() => client.close())
  const room = await client.join('lobby')
  const said = nextEvent(room, 'message')
  const position = await room.post('hello')
  t.equal((await said).position, position)
})

t.test("in Node the global WebSocket is not used, because it can't be terminated", async (t) => {
  const { port } = await serve(t)
  const theirs = globalThis.WebSocket
  t.teardown(() => { globalThis.WebSocket = theirs })
  globalThis.WebSocket = class { constructor () { t.fail('it was used') } } as unknown as typeof WebSocket
  t.equal((await chatClient(t, port).join('lobby')).name, 'lobby')
})

t.test('the token function is called for each connection; if it throws the attempt fails', async (t) => {
  const { port } = await serve(t, { authenticate: (_, hello) => ({ id: String(hello?.token), name: 'ada' }) })
  let asked = 0
  const client = chatClient(t, port, {
    token: async () => {
      if (++asked === 1) throw new Error('no token today')
      return `token-${asked}`
    }
  })
  t.match(await state(client, 'waiting'), { code: 1006, reason: /no token today/ })
  t.match(await state(client, 'online'), { member: { id: 'token-2', name: 'ada' } })
})

t.test("a refused hello closes the client with the server's reason", async (t) => {
  const { port } = await serve(t)
  const client = chatClient(t, port, { name: '\u202e' })
  const join = t.rejects(client.join('lobby'), { code: 'closed', message: /name/ })
  t.match(await state(client, 'closed'), { code: 4400, reason: /name/ })
  await join
})

t.test('a client with the session of an earlier one has the same member', async (t) => {
  const { port } = await serve(t)
  const first = chatClient(t, port)
  const { session, member } = await state(first, 'online')
  first.close()
  t.same((await state(chatClient(t, port, { session }), 'online')).member, member)
})

/** Returns a joined room without a client. */
function aRoom (after?: string): ClientRoom {
  const reads = roomReads({ send: () => Infinity, isOwn: () => false }, backoff(1, 1))
  const leave = () => room.end(new ChatError('left', 'it was left'), true)
  const client = { reads: { open: () => reads }, leave } as unknown as RoomClient
  const room: ClientRoom = new ClientRoom('lobby', { position: after }, client)
  room.receive(joined('lobby') as unknown as Joined)
  return room
}

function say (room: ClientRoom, ...texts: string[]): void {
  for (const text of texts) room.receive(message('lobby', text, text) as unknown as Parameters<ClientRoom['receive']>[0])
}

/** Records the room's events from now on. */
function written (room: ClientRoom): string[] {
  const seen: string[] = []
  room.on('joined', () => seen.push('joined'))
  room.on('message', ({ text }) => seen.push(String(text)))
  room.on('typing', () => seen.push('typing'))
  room.on('left', ({ code }) => seen.push(`left: ${code}`))
  return seen
}

/** Returns the store with a method that fails this many times. */
function failing (store: Store, method: 'append' | 'follow', times: number): Store {
  return new Proxy(store, {
    get (target, name) {
      const value = Reflect.get(target, name) as (...args: unknown[]) => unknown
      return name !== method
        ? value.bind(target)
        : (...args: unknown[]) => times-- > 0 ? Promise.reject(new StoreUnavailable()) : value.apply(target, args)
    }
  })
}

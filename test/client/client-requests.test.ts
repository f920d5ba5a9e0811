import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { chat } from '../support/chat-app.ts'
import { chatClient, fixJitter, next, state } from '../support/chat-client.ts'
import { fakeServer, joined, welcome } from '../support/fake-server.ts'

t.test("requests keep within the server's rate limits: none is refused, and posts get through", async (t) => {
  const { port } = await chat(t, { limits: { messageRate: 200, messageBurst: 10, roomsPerMember: 40 } })
  const received: string[] = []
  const client = chatClient(t, port, {
    connect (url, protocol) {
      const socket = new WebSocket(url, protocol)
      socket.on('message', (data: Buffer) => received.push(data.toString()))
      return socket
    }
  })
  const rooms = await Promise.all(Array.from({ length: 40 }, (_, i) => client.join(`room-${i}`)))
  const pages = Promise.all(rooms.map((room) => room.history(room.position!)))
  for (let i = 0; i < 1_000; i++) rooms[i % 2]!.typing()
  t.equal(new Set(await Promise.all(rooms.map((room) => room.post('hello')))).size, 40)
  t.equal((await pages).length, 40)
  t.strictSame(received.filter((text) => text.includes('rate_limited')), [])
  t.equal(client.status.state, 'online')
})

t.test('typing is sent at most once a second for each room', async (t) => {
  let time = performance.now()
  t.intercept(performance, 'now', { value: () => time })
  const { port, requests } = await fakeServer(t)
  const client = chatClient(t, port)
  const rooms = await Promise.all(['a', 'b'].map((name) => client.join(name)))
  for (const [ms, sent] of [[0, 2], [999, 2], [1, 4], [0, 4]] as const) {
    time += ms
    for (let i = 0; i < 1_000; i++) rooms[i % 2]!.typing()
    await rooms[0]!.post('hello')
    t.equal(requests.filter(({ type }) => type === 'typing').length, sent)
  }
})

t.test('rate-limited history requests are retried once each and answered in order', async (t) => {
  let refusals = 3
  const { port, requests } = await fakeServer(t, ({ type, room, before }) => {
    if (type !== 'history') return undefined
    if (refusals-- > 0) return [{ type: 'error', code: 'rate_limited', message: 'not yet', retryAfter: 1, request: type, room }]
    return [{ type: 'history', room, before, messages: [], more: before === 'p1', complete: true }]
  })
  const room = await chatClient(t, port).join('lobby')
  const pages = await Promise.all(['p1', 'p2', 'p3', 'p4'].map((before) => room.history(before)))
  t.strictSame(pages.map(({ more }) => more), [true, false, false, false])
  t.equal(requests.filter(({ type }) => type === 'history').length, 4 + 3)
})

t.test('a refused history request rejects with its code, and the others resolve', async (t) => {
  const { port } = await fakeServer(t, ({ type, room, before }) => {
    if (type !== 'history') return undefined
    if (before === 'p1') return [{ type: 'error', code: 'unavailable', message: 'not now', request: type, room }]
    return [{ type: 'history', room, before, messages: [], more: false, complete: true }]
  })
  const room = await chatClient(t, port).join('lobby')
  const [refused, given] = [room.history('p1'), room.history('p2')]
  await t.rejects(refused, { code: 'unavailable', message: 'not now' })
  t.match(await given, { complete: true })
})

t.test('a refused leave is not retried, and the room can be joined', async (t) => {
  const { port, requests } = await fakeServer(t, ({ type, room }) => type === 'leave'
    ? [{ type: 'error', code: 'not_joined', message: 'nobody is there', request: type, room }]
    : undefined)
  const client = chatClient(t, port)
  const first = await client.join('lobby')
  first.leave()
  t.not(await client.join('lobby'), first)
  t.strictSame(requests.map(({ type }) => type), ['hello', 'join', 'leave', 'join'])
})

t.test('history requests, sent or waiting, reject when the room is left', async (t) => {
  const { port, requests } = await fakeServer(t, ({ type }) => {
    if (type === 'hello') return [{ ...welcome, limits: { rate: 1, burst: 10 } }]
    return type === 'history' ? [] : undefined
  })
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const pages = [room.history('p1'), room.history('p2')]
  room.leave()
  for (const page of pages) await t.rejects(page, { code: 'left' })
  client.close()
  t.notOk(requests.some(({ before }) => before === 'p2'))
})

t.test('a sent post rejects as unknown, not as left, when its room is left while offline', async (t) => {
  const { port, server } = await fakeServer(t, ({ type }) => type === 'post' ? (socket) => socket.terminate() : undefined)
  fixJitter(t, 1)
  const client = chatClient(t, port, { minDelay: 1e6, maxDelay: 1e6 })
  const room = await client.join('lobby')
  const [sent, unsent] = [room.post('perhaps stored'), next(client, 'waiting').then(() => room.post('never sent'))]
  await state(client, 'waiting')
  server.close()
  const settled = [t.rejects(sent, { code: 'unknown' }), t.rejects(unsent, { code: 'left' })]
  await Promise.resolve()
  room.leave()
  await Promise.all(settled)
})

t.test('invalid requests reject locally, because the server would close the connection', async (t) => {
  const { port, requests } = await fakeServer(t)
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const wrong: Array<() => Promise<unknown>> = [
    () => room.post('half a character: \ud83d'),
    () => room.post('', { key: ['\udc00'] }),
    () => room.post(7 as unknown as string),
    () => room.history(''),
    () => room.history('x'.repeat(129)),
    () => room.history('p', 0),
    () => room.history('p', 1_001),
    () => room.history('p', 1.5),
    () => client.join('a room'),
    () => client.join('other', { after: 'x'.repeat(129) }),
    () => client.join('other', { history: -1 })
  ]
  for (const ask of wrong) await t.rejects(ask(), { code: 'invalid' }, String(ask))
  await room.post('\\ud83d, and a whole one: 😀', '\\\\udc00')
  t.strictSame(requests.map(({ type }) => type), ['hello', 'join', 'post'])
})

t.test("the retry of a rate-limited leave doesn't remove a member that has rejoined", async (t) => {
  const leaves: unknown[] = []
  let again: () => void
  const otherAgain = new Promise<void>((resolve) => { again = resolve })
  const { port } = await fakeServer(t, ({ type, room }) => {
    if (type !== 'leave') return undefined
    const first = !leaves.includes(room)
    leaves.push(room)
    if (!first && room === 'other') again()
    const refusal = { type: 'error', code: 'rate_limited', message: 'not yet', retryAfter: 20, request: type, room }
    return first ? room === 'other' ? [refusal] : [refusal, { type: 'left', room }] : undefined
  })
  fixJitter(t, 0)
  const client = chatClient(t, port)
  const rooms = await Promise.all(['lobby', 'other'].map((name) => client.join(name)))
  rooms[0]!.leave()
  await rooms[1]!.post('what was answered before this has come')
  const second = await client.join('lobby')
  second.on('left', ({ message }) => t.fail(message))
  // The retry of this leave is due no earlier than that of the first would be.
  rooms[1]!.leave()
  await otherAgain
  await second.post('still here')
  t.strictSame(leaves, ['lobby', 'other', 'other'])
})

t.test('a join in flight at a disconnect is sent once on the next connection', async (t) => {
  const { port, requests, server } = await fakeServer(t, ({ type, room }, connection) => {
    if (type === 'hello') return [{ ...welcome, limits: { rate: 10, burst: 2 } }]
    return type === 'join' ? connection === 1 ? (socket) => socket.terminate() : [joined(room)] : undefined
  })
  const client = chatClient(t, port)
  const rooms = ['a', 'b', 'c'].map((name) => client.join(name))
  await once(server, 'connection')
  for (const room of await Promise.all(rooms)) t.ok(room.position)
  t.strictSame(requests.map(({ type, room }) => room ?? type), ['hello', 'a', 'hello', 'a', 'b', 'c'])
})

t.test('a join that waits for the rate limit is not sent if the room was left meanwhile', async (t) => {
  const { port, requests } = await fakeServer(t, ({ type }) => type === 'hello' ? [{ ...welcome, limits: { rate: 20, burst: 4 } }] : undefined)
  const client = chatClient(t, port)
  await state(client, 'online')
  const [, , left, again] = ['a', 'b', 'left', 'again'].map((name) => client.join(name))
  client.leave('left')
  await t.rejects(left!, { code: 'left' })
  client.leave('again')
  await t.rejects(again!, { code: 'left' })
  const joined = await Promise.all([client.join('again', { history: 7 }), client.join('last')])
  t.strictSame(joined.map(({ name }) => name), ['again', 'last'])
  t.match(requests.map(({ type, room, history }) => [type, room, history]), [
    ['hello'], ['join', 'a'], ['join', 'b'], ['join', 'last'], ['join', 'again', 7]
  ])
  t.equal(requests.length, 5)
})

for (const [name, crypto] of Object.entries({ 'without crypto': undefined, 'without crypto.getRandomValues': {} })) {
  t.test(`posts have different ids ${name}, as in React Native`, async (t) => {
    t.intercept(globalThis, 'crypto', { value: crypto })
    const { port, requests } = await fakeServer(t)
    const room = await chatClient(t, port).join('lobby')
    await Promise.all(Array.from({ length: 100 }, (_, i) => room.post(`${i}`)))
    const ids = requests.filter(({ type }) => type === 'post').map(({ id }) => String(id))
    t.equal(new Set(ids).size, 100)
    t.ok(ids.every((id) => /^[0-9a-z-]{16,64}$/.test(id)), String(ids[0]))
  })
}

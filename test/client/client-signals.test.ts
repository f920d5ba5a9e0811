import t, { type Test } from 'tap'
import { chatClient, nextEvent, state } from '../support/chat-client.ts'
import { fakeServer, joined, message, welcome, welcomeWithSignals, type Answer } from '../support/fake-server.ts'

const ada = { id: 'ada', name: 'Ada' }

/** Resolves with a room of a server that supports signals. */
async function inRoom (t: Test, answer: Answer = () => undefined, hello: object = welcomeWithSignals) {
  const fake = await fakeServer(t, (message, connection) => answer(message, connection) ?? (
    message.type === 'hello' ? [{ type: 'welcome', ...hello }] : undefined))
  const client = chatClient(t, fake.port)
  return { client, room: await client.join('lobby'), ...fake }
}

t.test('a signal is sent to the room, and received with its sender', async (t) => {
  const { client, room, requests } = await inRoom(t, ({ type, room, data }) => type === 'signal'
    ? [{ type, room, from: ada, data }]
    : undefined)
  t.strictSame(client.features, ['signals'])
  const received = nextEvent(room, 'signal')
  t.equal(room.signal({ raised: 'hand' }), true)
  t.match(await received, { from: ada, data: { raised: 'hand' } })
  const nothing = nextEvent(room, 'signal')
  t.equal(room.signal(null), true, 'null is a JSON value')
  t.match(await nothing, { from: ada, data: null })
  t.strictSame(requests.slice(2), [
    { type: 'signal', room: 'lobby', data: { raised: 'hand' } },
    { type: 'signal', room: 'lobby', data: null }
  ])
})

t.test('a signal that the server would refuse throws, and is not sent', async (t) => {
  const { room, requests } = await inRoom(t, undefined, { ...welcomeWithSignals, limits: { payload: 100 } })
  t.throws(() => room.signal(undefined), TypeError)
  t.throws(() => room.signal(1n), TypeError)
  t.throws(() => room.signal('\ud83d'), { code: 'invalid' })
  t.throws(() => room.signal('é'.repeat(40)), { code: 'too_large' })
  t.equal(room.signal('e'.repeat(40)), true)
  await room.post('last')
  t.strictSame(requests.map(({ type }) => type), ['hello', 'join', 'signal', 'post'])
})

t.test('a server without signals is sent none, and no end of typing', async (t) => {
  const { room, requests } = await inRoom(t, undefined, welcome)
  t.throws(() => room.signal('x'), { code: 'unsupported' })
  room.typing()
  room.typing(false)
  await room.post('last')
  t.strictSame(requests.slice(2).map(({ type }) => type), ['typing', 'post'])
})

t.test('a signal is dropped while offline, and beyond the rate limit', async (t) => {
  const { client, room, requests } = await inRoom(t, ({ type }) => type === 'signal' ? (socket) => socket.terminate() : undefined,
    { ...welcomeWithSignals, limits: { rate: 0.001, burst: 4 } })
  const waiting = state(client, 'waiting')
  t.equal(room.signal('first'), true, 'half of the burst is used; the join has taken one')
  t.equal(room.signal('beyond'), false)
  await waiting
  t.equal(room.signal('offline'), false)
  await nextEvent(room, 'joined', ({ again }) => again)
  t.strictSame(requests.filter(({ type }) => type === 'signal').map(({ data }) => data), ['first'])
})

t.test('a signal that the server refuses emits an error, unless the room has ended', async (t) => {
  const { client, room } = await inRoom(t, ({ type, room, data }) => type === 'signal'
    ? [{ type: 'error', code: data, message: 'no', request: type, room }]
    : undefined)
  const seen: string[] = []
  client.on('error', ({ code }) => seen.push(code))
  for (const code of ['not_joined', 'muted', 'rate_limited']) room.signal(code)
  await room.post('last')
  t.strictSame(seen, ['muted', 'rate_limited'])
})

t.test('typing is sent once a second, and its end once after it', async (t) => {
  const { room, requests } = await inRoom(t)
  room.typing(false)
  room.typing()
  room.typing()
  room.typing(false)
  room.typing(false)
  room.typing()
  await room.post('last')
  t.strictSame(requests.slice(2).map(({ id, text, ...rest }) => rest), [
    { type: 'typing', room: 'lobby' },
    { type: 'typing', room: 'lobby', on: false },
    { type: 'post', room: 'lobby' }
  ])
})

t.test('the typing event has the sender, and whether it is typing', async (t) => {
  const { room } = await inRoom(t, ({ type, room }) => type === 'signal'
    ? [{ type: 'typing', room, from: ada }, { type: 'typing', room, from: ada, on: false }, { type: 'typing', room, from: ada, on: true }]
    : undefined)
  const seen: object[] = []
  room.on('typing', (typing) => seen.push(typing))
  room.signal('go')
  await room.post('last')
  t.strictSame(seen, [{ ...ada, on: true }, { ...ada, on: false }, { ...ada, on: true }])
})

t.test('signals that arrive before the first listener are dropped', async (t) => {
  const { room } = await inRoom(t, ({ type, room }) => type === 'join'
    ? [joined(room), { type: 'signal', room, from: ada, data: 'early' }, message(room, 'p1', 'one')]
    : undefined)
  await room.post('after them')
  const seen: unknown[] = []
  room.on('signal', ({ data }) => seen.push(data))
  await nextEvent(room, 'message')
  t.strictSame(seen, [])
})

t.test('data that the app sends to the member is an event of the client', async (t) => {
  const { client, room } = await inRoom(t, ({ type }) => type === 'signal'
    ? [{ type: 'direct', data: { unread: 2 } }, { type: 'direct', data: null }]
    : undefined)
  const seen: unknown[] = []
  client.on('direct', ({ data }) => seen.push(data))
  room.signal('go')
  await room.post('last')
  t.strictSame(seen, [{ unread: 2 }, null])
})

for (const invalid of [{ type: 'signal', room: 'lobby', from: ada }, { type: 'signal', room: 'lobby', from: null, data: 1 }, { type: 'direct' },
  { type: 'typing', room: 'lobby' }]) {
  t.test(`an invalid message ends the connection: ${JSON.stringify(invalid)}`, async (t) => {
    const { client, room } = await inRoom(t, ({ type }) => type === 'signal' ? [invalid] : undefined)
    const waiting = state(client, 'waiting')
    room.signal('go')
    t.match(await waiting, { reason: /invalid/ })
  })
}

t.test('members have the data of the app: in the status, on joining, and when it changes', async (t) => {
  const bob = { id: 'bob', name: 'Bob', data: { role: 'guest' } }
  const { client, room } = await inRoom(t, ({ type, room }) => {
    if (type === 'join') return [joined(room, { members: [bob, ada] })]
    return type === 'signal' ? [{ type: 'presence', room, joined: [{ ...bob, data: { role: 'host' } }], left: [], count: 2 }] : undefined
  }, { ...welcomeWithSignals, member: bob })
  t.strictSame((await state(client, 'online')).member, bob)
  t.strictSame([...room.members.values()], [bob, ada])
  const presence = nextEvent(room, 'presence')
  room.signal('go')
  t.match(await presence, { joined: [{ data: { role: 'host' } }] })
  t.strictSame(room.members.get('bob')?.data, { role: 'host' })
  t.equal(room.count, 2)
})

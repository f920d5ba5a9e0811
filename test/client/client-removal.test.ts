import { once } from 'node:events'
import t, { type Test } from 'tap'
import { chatClient, nextEvent, state } from '../support/chat-client.ts'
import { fakeServer, joined, welcomeWithChanges, type Answer } from '../support/fake-server.ts'

const reason = { code: 'removed', message: 'spam' }
const removed = (room: unknown) => ({ type: 'left', room, ...reason })
const notJoined = (request: string, room: unknown, id?: unknown) => ({ type: 'error', code: 'not_joined', message: 'join first', request, room, id })

/** Resolves with a client that is in a room, and with what the server received. The server permits `inFlight` requests at once. */
async function inRoom (t: Test, answer: Answer, inFlight = 50) {
  const { port, requests, server } = await fakeServer(t, (message, connection) => message.type === 'hello'
    ? [{ ...welcomeWithChanges, limits: { rate: 10_000, burst: 2 * inFlight } }]
    : answer(message, connection))
  const client = chatClient(t, port)
  return { client, room: await client.join('lobby'), requests, server }
}

t.test('a removal ends the room with its code and its reason', async (t) => {
  const { room } = await inRoom(t, ({ type, room }) => type === 'typing' ? [removed(room)] : undefined)
  const left = nextEvent(room, 'left')
  const iterated = t.rejects(async () => { for await (const { text } of room) t.fail(String(text)) }, reason)
  room.typing()
  t.match(await left, reason)
  await iterated
  await t.rejects(room.post('late'), reason)
  await t.rejects(room.history('p0'), reason)
  t.equal(room.signal('late'), false)
})

for (const [name, given] of [['without a reason', {}], ['with an empty reason', { message: '' }]] as const) {
  t.test(`a removal ${name} has a message`, async (t) => {
    const { room } = await inRoom(t, ({ type, room }) => type === 'typing' ? [{ type: 'left', room, code: 'removed', ...given }] : undefined)
    const left = nextEvent(room, 'left')
    room.typing()
    t.match(await left, { code: 'removed', message: 'the server ended the membership' })
  })
}

t.test('a removal rejects the posts, changes and pages of the room, and no others', async (t) => {
  const { client, room } = await inRoom(t, ({ type, room, id }) => {
    if (room === 'lobby' && type === 'post') return [removed(room), notJoined(type, room, id)]
    return undefined
  }, 1)
  const other = await client.join('other')
  const requests = [room.post('in flight'), room.post('waiting'), room.edit('p0', 'waiting'), room.history('p0')]
  const [elsewhere] = await Promise.all([other.post('elsewhere'), ...requests.map((request) => t.rejects(async () => { await request }, reason))])
  t.ok(elsewhere)
})

t.test('a post in flight at a removal resolves if it was stored', async (t) => {
  const { room } = await inRoom(t, ({ type, room, id }) => type === 'post'
    ? [removed(room), { type: 'ack', id, room, position: 'p1' }]
    : undefined)
  t.equal(await room.post('stored before'), 'p1')
  await t.rejects(room.post('late'), reason)
})

t.test('a room that was left by removal is not joined again, also not after a reconnect', async (t) => {
  const { client, room, requests, server } = await inRoom(t, ({ type, room }, connection) =>
    type === 'typing' && connection === 1 ? [removed(room)] : undefined)
  await client.join('other')
  const left = nextEvent(room, 'left')
  room.typing()
  await left
  const rejoined = once(server, 'connection')
  for (const socket of server.clients) socket.terminate()
  await rejoined
  await client.join('last')
  t.strictSame(requests.map(({ type, room }) => room ?? type), ['hello', 'lobby', 'other', 'lobby', 'hello', 'other', 'last'])
  t.not(await client.join('lobby'), room, 'the app may join it again')
})

t.test('a removal that crosses a leave does not end a later join', async (t) => {
  const { client, room, requests } = await inRoom(t, ({ type, room }) => type === 'leave' ? [removed(room), notJoined(type, room)] : undefined)
  room.leave()
  const second = await client.join('lobby')
  second.on('left', ({ message }) => t.fail(message))
  t.ok(await second.post('still here'))
  t.strictSame(requests.map(({ type }) => type), ['hello', 'join', 'leave', 'join', 'post'])
})

t.test('a removal during a join rejects it, and the join is not repeated', async (t) => {
  const { client, requests } = await inRoom(t, ({ type, room }) => type === 'join'
    ? room === 'staff' ? [{ type: 'left', room, code: 'forbidden', message: 'not you' }] : [joined(room)]
    : undefined)
  await t.rejects(client.join('staff'), { code: 'forbidden', message: 'not you' })
  await client.join('last')
  t.equal(requests.filter(({ room }) => room === 'staff').length, 1)
})

t.test('a room that the app has left is joined again after a removal during its join', async (t) => {
  let joins = 0
  const { client } = await inRoom(t, ({ type, room }) => type === 'join' && room === 'staff' && ++joins === 1 ? [removed(room)] : undefined)
  const first = t.rejects(client.join('staff'), { code: 'left' })
  client.leave('staff')
  const second = await client.join('staff')
  await first
  t.equal(second.name, 'staff')
  t.equal(joins, 2)
})

t.test('typing and signals that cross a removal cause no error event', async (t) => {
  const { client, room } = await inRoom(t, ({ type, room }) => type === 'typing'
    ? [removed(room), notJoined('typing', room), notJoined('signal', room), { type: 'error', code: 'internal', message: 'the last one' }]
    : undefined)
  const error = new Promise((resolve) => client.on('error', resolve))
  room.typing()
  t.match(await error, { message: 'the last one' })
  await state(client, 'online')
})

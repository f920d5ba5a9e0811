import t, { type Test } from 'tap'
import { connect } from '../../src/testing.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { protocol, V1Client, type Message } from '../support/v1-client.ts'

const A = '203.0.113.1'
const B = '203.0.113.2'

/** Opens a member on an injected connection from this address. */
async function member (t: Test, { app }: ChatApp, remoteAddress: string): Promise<V1Client> {
  const connection = await connect(app, '/chat', { protocol, remoteAddress })
  t.teardown(() => connection.socket.terminate())
  const client = new V1Client(connection)
  await client.hello()
  return client
}

async function answer (client: V1Client, room: string): Promise<Message> {
  client.say({ type: 'join', room })
  return await client.next()
}

/** Joins rooms until one is refused. Returns the number of joined rooms, and the refusal. */
async function joinAll (clients: readonly V1Client[], name: string, most: number): Promise<[joined: number, refusal: Message | undefined]> {
  for (let i = 0; i < most; i++) {
    const answered = await answer(clients[i % clients.length]!, `${name}-${i}`)
    if (answered.type !== 'joined') return [i, answered]
  }
  return [most, undefined]
}

const tooMany = { type: 'error', code: 'too_many_rooms', message: 'room limit reached for this address' }

t.test('one address can open at most half of the rooms that remain', async (t) => {
  const room = await chat(t, { limits: { rooms: 40 } })
  const crowd = await Promise.all(Array.from({ length: 4 }, () => member(t, room, A)))
  const [joined, refusal] = await joinAll(crowd, 'a', 40)
  t.equal(joined, 20, 'half of all rooms')
  t.match(refusal, { ...tooMany, room: 'a-20', request: 'join' })
  const other = await member(t, room, B)
  t.equal((await joinAll([other], 'b', 40))[0], 10, 'half of the remaining rooms')
  t.equal((await answer(await member(t, room, A), 'b-0')).type, 'joined', 'a room that is already open')
  t.equal((await answer(await member(t, room, '203.0.113.3'), 'c')).type, 'joined')
})

t.test('limits.roomsPerAddress bounds the rooms of an address, IPv6 by its /64', async (t) => {
  const room = await chat(t, { limits: { roomsPerAddress: 3 } })
  const [one, same, other] = [await member(t, room, '2001:db8::1'), await member(t, room, '2001:db8::2'), await member(t, room, '2001:db8:0:1::1')]
  t.equal((await joinAll([one, same], 'a', 10))[0], 3)
  t.equal((await joinAll([other], 'b', 10))[0], 3)
  await one.leave('a-0')
  t.equal((await answer(same, 'a-9')).type, 'joined', 'a room without members frees its slot at once')
  t.match(await answer(one, 'a-8'), tooMany)
})

t.test('a room is charged to an address that has a member in it', async (t) => {
  const room = await chat(t, { limits: { roomsPerAddress: 1 } })
  const [first, second] = [await member(t, room, A), await member(t, room, B)]
  await first.join('x')
  t.match(await answer(first, 'y'), tooMany)
  await second.join('x')
  await first.leave('x')
  t.equal((await answer(first, 'y')).type, 'joined', 'its former room is no longer charged to it')
  t.match(await answer(second, 'z'), tooMany, 'it is the only member of the other room')
  await second.leave('x')
  t.match(await answer(first, 'x'), tooMany, 'a member that returns to a lingering room is charged for it')
})

t.test("rooms that the app opens are not bounded and don't change an address's charge", async (t) => {
  const room = await chat(t, { limits: { roomsPerAddress: 1 } })
  for (const name of ['a', 'b', 'c']) await room.app.chat.subscribe(name, () => {})
  const client = await member(t, room, A)
  await client.join('x')
  await client.leave('x')
  await room.app.chat.members('x')
  t.equal((await answer(client, 'x')).type, 'joined')
  t.match(await answer(client, 'y'), tooMany, "a lookup by the app doesn't remove the charge")
})

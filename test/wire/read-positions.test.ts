import t from 'tap'
import { memory, type FastifyChatOptions } from '../../src/index.ts'
import { backendWith } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { served } from '../support/served-store.ts'
import { tick } from '../support/tick.ts'
import { texts } from '../support/v1-client.ts'

/** The token of a client is the id of its member. */
const authenticate: FastifyChatOptions['authenticate'] = (_, { token, name }) => ({ id: token ?? name! })

t.test('welcome announces read positions', async (t) => {
  const { tcp } = await chat(t)
  t.ok((await (await tcp()).hello()).features?.includes('readPositions'))
})

t.test('joined has the read position of a member and the number of unread messages', async (t) => {
  const { member } = await chat(t, { authenticate })
  const [ada, bob] = [await member({ token: 'ada' }, 'a'), await member({ token: 'bob' })]
  const first = await bob.join('a')
  t.notOk('readPosition' in first || 'unread' in first, 'no read position')
  const positions = [await ada.posted('a', '1'), await ada.posted('a', '2'), await ada.posted('a', '3')]
  await bob.take(3)
  bob.say({ type: 'markRead', room: 'a', position: positions[0] })
  await bob.leave('a')
  t.match(await bob.join('a'), { readPosition: positions[0], unread: 2 })
  await bob.end()
  const later = await member({ token: 'bob' })
  t.match(await later.join('a'), { readPosition: positions[0], unread: 2 }, 'another connection')
  const resumed = await member({ token: 'bob', changes: true })
  t.match(await resumed.join('a', { after: positions[1] }), { complete: true, readPosition: positions[0], unread: 1 + 1 }, 'a resume')
})

t.test('a read position never moves back; unknown messages and rooms are refused', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const [ada, bob] = [await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a')]
  const [one, two] = [await ada.posted('a', '1'), await ada.posted('a', '2')]
  await bob.take(2)
  for (const position of [two, one]) bob.say({ type: 'markRead', room: 'a', position })
  await bob.leave('a')
  t.match(await bob.join('a'), { readPosition: two, unread: 0 })
  t.match(await bob.refused({ type: 'markRead', room: 'a', position: 'x' }), { code: 'not_kept', room: 'a', request: 'markRead' })
  t.match(await bob.refused({ type: 'markRead', room: 'b', position: one }), { code: 'not_joined', room: 'b', request: 'markRead' })
  await app.chat.clear('a')
  t.match(await bob.expect('joined'), { complete: false, readPosition: two, unread: 0 }, 'cleared')
  t.match(await bob.refused({ type: 'markRead', room: 'a', position: two }), { code: 'not_kept' }, 'no longer kept')
  await app.chat.publish('a', { text: '3' })
  await bob.expect('message')
  await bob.leave('a')
  t.match(await bob.join('a'), { readPosition: two, unread: 1 }, 'of an earlier epoch')
})

t.test('the other connections of a member in the room receive its read position', async (t) => {
  const { member } = await chat(t, { authenticate })
  const [ada, one, two, three] = [
    await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a'), await member({ token: 'bob' }, 'a'), await member({ token: 'bob' })
  ]
  const positions = [await ada.posted('a', '1'), await ada.posted('a', '2')]
  for (const client of [one, two]) await client.take(2)
  one.say({ type: 'markRead', room: 'a', position: positions[1] })
  t.strictSame(await two.next(), { type: 'readPosition', room: 'a', position: positions[1] })
  two.say({ type: 'markRead', room: 'a', position: positions[0] })
  for (const client of [ada, one, two, three]) {
    client.say({ type: 'ping', id: 'last' })
    t.equal((await client.next()).type, 'pong', 'nothing else')
  }
})

t.test('a post moves the read position of its author, also that of a plain client', async (t) => {
  const { app, member, plain } = await chat(t, { authenticate })
  const ada = await member({ token: 'ada' }, 'lobby')
  const [one, two] = [await member({ token: 'bob' }, 'lobby'), await member({ token: 'bob' }, 'lobby')]
  await ada.posted('lobby', '1')
  for (const client of [one, two]) await client.expect('message')
  const position = await one.posted('lobby', '2')
  t.match(await two.expect('message'), { position })
  t.strictSame(await app.chat.unread('bob'), [{ room: 'lobby', unread: 0, position }])
  const carl = await plain('?name=carl&self=1')
  carl.socket.send('3')
  await carl.next()
  t.match(await app.chat.unread('carl'), [{ room: 'lobby', unread: 0 }])
  await two.expect('message')
  two.say({ type: 'ping', id: 'last' })
  t.equal((await two.next()).type, 'pong', 'no readPosition for an own message')
})

t.test('rooms answers with the rooms of a member in pages, without those that authorize refuses', async (t) => {
  const asked: string[] = []
  const { app, member } = await chat(t, {
    authenticate,
    limits: { roomsPerMember: 200 },
    authorize: ({ action, room }) => {
      if (action === 'history') asked.push(room)
      return action !== 'history' || room !== 'r003'
    }
  })
  const names = Array.from({ length: 60 }, (_, i) => `r${`${i}`.padStart(3, '0')}`)
  const [ada, bob] = [await member({ token: 'ada' }), await member({ token: 'bob' })]
  for (const name of names) {
    await ada.join(name)
    await ada.posted(name, `of ${name}`)
    await app.chat.publish(name, { text: `to ${name}`, data: { n: 1 } })
    await ada.expect('message')
  }
  bob.say({ type: 'rooms', id: '1' })
  t.strictSame(await bob.next(), { type: 'rooms', id: '1', rooms: [] })
  ada.say({ type: 'rooms', id: '2' })
  const page = await ada.expect('rooms')
  t.strictSame(page.rooms.map(({ room }) => room), names.slice(0, 50).filter((name) => name !== 'r003'))
  t.match(page, { id: '2', next: 'r049' })
  t.match(page.rooms[0], { room: 'r000', unread: 1, last: { room: 'r000', text: 'to r000', data: { n: 1 } } })
  t.strictSame(asked, names.slice(0, 50))
  ada.say({ type: 'rooms', id: '3', after: page.next })
  const rest = await ada.expect('rooms')
  t.strictSame(rest.rooms.map(({ room }) => room), names.slice(50))
  t.notOk('next' in rest)
})

t.test('a page of rooms has at most 64 KiB of messages', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const ada = await member({ token: 'ada' }, 'a', 'b', 'c')
  for (const room of ['a', 'b', 'c']) {
    await ada.posted(room, 'mine')
    await app.chat.publish(room, { text: 'x'.repeat(40 * 1024) })
    await ada.expect('message')
  }
  for (const [after, next] of [[undefined, 'a'], ['a', 'b'], ['b', undefined]] as const) {
    ada.say({ type: 'rooms', id: '1', after })
    const page = await ada.expect('rooms')
    t.equal(page.rooms.length, 1)
    t.equal(page.next, next)
  }
})

t.test('a client without changes does not receive a streaming message as the last one', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const [old, current] = [await member({ token: 'ada' }, 'a'), await member({ token: 'ada', changes: true })]
  await old.posted('a', '1')
  const stream = app.chat.createWriteStream('a')
  stream.write('text')
  await current.join('a')
  for (const [client, hasLast] of [[old, false], [current, true]] as const) {
    client.say({ type: 'rooms', id: '1' })
    const answer = await client.expect('rooms')
    t.equal(answer.rooms[0]?.unread, 1)
    t.equal('last' in answer.rooms[0]!, hasLast)
  }
  stream.end()
})

t.test('a room from which a member is removed while it requests its rooms is left out', async (t) => {
  const asked = gate()
  const { app, member } = await chat(t, {
    authenticate,
    authorize: async ({ action, room }) => {
      if (action === 'history' && room === 'b') await asked.pass()
      return true
    }
  })
  const ada = await member({ token: 'ada' }, 'a', 'b', 'c')
  for (const room of ['a', 'b', 'c']) await ada.posted(room, 'mine')
  await ada.leave('c')
  ada.say({ type: 'rooms', id: '1' })
  await asked.reached
  await app.chat.removeMember('a', 'ada')
  await app.chat.removeMember('c', 'ada')
  await ada.expect('left')
  asked.open()
  t.strictSame((await ada.expect('rooms')).rooms.map(({ room }) => room), ['b'])
})

t.test('authorize is called again for a member whose rights are revoked while it requests rooms', async (t) => {
  const asked = gate()
  let isMember = true
  const { app, member } = await chat(t, {
    authenticate,
    authorize: async ({ action, room }) => {
      const answer = isMember || room !== 'a'
      if (action === 'history' && room === 'b') await asked.pass()
      return answer
    }
  })
  const ada = await member({ token: 'ada' }, 'a', 'b')
  for (const room of ['a', 'b']) await ada.posted(room, 'mine')
  ada.say({ type: 'rooms', id: '1' })
  await asked.reached
  isMember = false
  await app.chat.reauthorize({ room: 'a' })
  await ada.expect('left')
  asked.open()
  t.strictSame((await ada.expect('rooms')).rooms.map(({ room }) => room), ['b'])
})

t.test('forget and removeMember remove the read position, also one that waits to be written', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const ada = await member({ token: 'ada' }, 'a', 'b')
  await ada.posted('a', '1')
  await ada.posted('b', '1')
  ada.say({ type: 'forget', room: 'a' })
  ada.say({ type: 'ping', id: '1' })
  await ada.expect('pong')
  t.match(await app.chat.unread('ada'), [{ room: 'b' }])
  await ada.posted('b', '2')
  await app.chat.removeMember('b', 'ada')
  t.strictSame(await app.chat.unread('ada'), [])
  await ada.expect('left')
  const again = await ada.join('b')
  t.notOk('readPosition' in again || 'unread' in again)
  await ada.leave('a')
  ada.say({ type: 'forget', room: 'a' })
  ada.say({ type: 'ping', id: '2' })
  await ada.expect('pong')
})

t.test('a member that authenticate does not name keeps its read positions on its connection', async (t) => {
  let calls = 0
  const count = async <T>(result: Promise<T>): Promise<T> => { calls++; return await result }
  const { app, member, store } = await served(t, (works) => ({
    markRead: (...args) => count(works.markRead(...args)),
    readPositions: (...args) => count(works.readPositions(...args)),
    forgetRead: (...args) => count(works.forgetRead(...args))
  }))
  const ada = await member({}, 'a')
  const bob = await member({}, 'a')
  const [one] = [await ada.posted('a', '1'), await ada.posted('a', '2')]
  await bob.take(2)
  bob.say({ type: 'markRead', room: 'a', position: one })
  await bob.leave('a')
  t.match(await bob.join('a'), { readPosition: one, unread: 1 })
  bob.say({ type: 'rooms', id: '1' })
  t.match(await bob.expect('rooms'), { rooms: [{ room: 'a', unread: 1, position: one, last: { text: '2' } }] })
  bob.say({ type: 'forget', room: 'a' })
  bob.say({ type: 'rooms', id: '2' })
  t.strictSame((await bob.expect('rooms')).rooms, [])
  const ids = [(await (await member()).join('a')).members.map(({ id }) => id)].flat()
  await app.chat.removeMember('a', ids[0]!)
  t.equal(calls, 0)
  for (const id of ids) {
    t.strictSame(await store.readPositions(id), [])
    t.strictSame(await app.chat.unread(id), [])
  }
})

t.test('a connection that is closed during its join leaves the read position to the other ones', async (t) => {
  const waits = gate()
  let isHeld = false
  const backend = backendWith((works) => ({
    async read (...args) {
      if (!isHeld) return await works.read(...args)
      isHeld = false
      await waits.pass()
      throw new Error('unavailable')
    }
  }))
  const { app, member } = await chat(t, { authenticate, backend })
  const [ada, one, two] = [await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a'), await member({ token: 'bob' })]
  const positions = [await ada.posted('a', '1'), await ada.posted('a', '2')]
  await one.take(2)
  one.say({ type: 'markRead', room: 'a', position: positions[0] })
  one.say({ type: 'rooms', id: '1' })
  t.match(await one.expect('rooms'), { rooms: [{ room: 'a', position: positions[0] }] })
  isHeld = true
  two.say({ type: 'join', room: 'a' })
  await waits.reached
  // The member enters the room meanwhile.
  ada.say({ type: 'ping', id: '1' })
  await ada.expect('pong')
  two.socket.terminate()
  while (app.chat.stats().connections > 2) await tick()
  waits.open()
  ada.say({ type: 'ping', id: '2' })
  await ada.expect('pong')
  one.say({ type: 'markRead', room: 'a', position: positions[1], again: true })
  one.say({ type: 'ping', id: '1' })
  t.equal((await one.next()).type, 'pong', 'the read position is still known')
  t.match(await app.chat.unread('bob'), [{ room: 'a', position: positions[1] }])
})

for (const held of ['readPositions', 'read'] as const) {
  t.test(`a mark by another connection while a join waits for ${held} is not lost`, async (t) => {
    const waits = gate()
    let isHeld = false
    const hold = async <T>(result: Promise<T>): Promise<T> => {
      const value = await result
      if (isHeld) await waits.pass()
      return value
    }
    const backend = backendWith((works) => ({
      readPositions: (...args) => held === 'readPositions' ? hold(works.readPositions(...args)) : works.readPositions(...args),
      read: (...args) => held === 'read' ? hold(works.read(...args)) : works.read(...args)
    }))
    const { member } = await chat(t, { authenticate, backend })
    const [ada, one, two] = [await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a'), await member({ token: 'bob' })]
    const positions = [await ada.posted('a', '1'), await ada.posted('a', '2')]
    await one.take(2)
    one.say({ type: 'markRead', room: 'a', position: positions[0] })
    isHeld = true
    two.say({ type: 'join', room: 'a' })
    await waits.reached
    isHeld = false
    one.say({ type: 'markRead', room: 'a', position: positions[1] })
    one.say({ type: 'ping', id: '1' })
    await one.expect('pong')
    waits.open()
    const { messages, readPosition, unread } = await two.expect('joined')
    t.strictSame(texts(messages), ['1', '2'])
    const isCounted = held === 'readPositions'
    t.strictSame({ readPosition, unread }, isCounted ? { readPosition: positions[1], unread: 0 } : { readPosition: positions[0], unread: 1 })
    if (!isCounted) t.strictSame(await two.next(), { type: 'readPosition', room: 'a', position: positions[1] })
  })
}

t.test('a client that has caught up receives a read position beyond its first page', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const ada = await member({ token: 'ada' }, 'a')
  const start = await ada.posted('a', 'start')
  const text = 'x'.repeat(20 * 1024)
  for (let i = 0; i < 10; i++) await app.chat.publish('a', { text })
  const received = await ada.take(10)
  const { position } = received[7] as { position: string }
  ada.say({ type: 'markRead', room: 'a', position })
  const later = await member({ token: 'ada' })
  const joined = await later.join('a', { after: start })
  t.notOk('unread' in joined || 'readPosition' in joined)
  t.ok(joined.messages.length < 8)
  const rest = await later.take(10 - joined.messages.length)
  t.ok(rest.every(({ type }) => type === 'message'))
  t.strictSame(await later.next(), { type: 'readPosition', room: 'a', position })
  const behind = await member({ token: 'ada' })
  ada.say({ type: 'forget', room: 'a' })
  ada.say({ type: 'markRead', room: 'a', position: start })
  ada.say({ type: 'ping', id: '1' })
  await ada.expect('pong')
  const { messages, unread } = await behind.join('a', { after: start })
  t.equal(unread, messages.length, 'those that follow are not counted')
})

t.test('the app can not forge a read position', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const ada = await member({ token: 'ada' }, 'a')
  const position = await ada.posted('a', '1')
  const data = { read: [{ room: 'a', position, offset: 9, at: 9e12 }] }
  await app.chat.sendToMember('ada', data)
  t.strictSame(await ada.next(), { type: 'direct', data })
  ada.say({ type: 'ping', id: '1' })
  t.equal((await ada.next()).type, 'pong')
})

t.test('no read position is read, marked or sent before authorize has allowed the join', async (t) => {
  const { app, member } = await chat(t, { authenticate, authorize: ({ member: { id }, action }) => id !== 'bob' || action !== 'join' })
  const ada = await member({ token: 'ada' }, 'a')
  const position = await ada.posted('a', '1')
  const bob = await member({ token: 'bob' })
  t.match(await bob.refused({ type: 'join', room: 'a' }), { code: 'forbidden' })
  t.match(await bob.refused({ type: 'markRead', room: 'a', position }), { code: 'not_joined' })
  t.strictSame(await app.chat.unread('bob'), [])
})

t.test('a client without changes that marks a late message has read the messages before it too', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const ada = await member({ token: 'ada' }, 'a')
  const stream = app.chat.createWriteStream('a')
  await new Promise<void>((resolve) => { stream.write('text', () => resolve()) })
  await app.chat.publish('a', { text: 'during' })
  t.match(await ada.expect('message'), { text: 'during' })
  stream.end()
  const { position } = await ada.expect('message')
  ada.say({ type: 'markRead', room: 'a', position })
  await ada.leave('a')
  t.match(await ada.join('a'), { unread: 0 })
})

t.test('forget sends forgotten to the other connections of the member in the room', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const [ada, one, two, elsewhere] = [
    await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a'), await member({ token: 'bob' }, 'a'), await member({ token: 'bob' }, 'b')
  ]
  const position = await ada.posted('a', '1')
  for (const client of [one, two]) await client.expect('message')
  one.say({ type: 'markRead', room: 'a', position })
  t.strictSame(await two.next(), { type: 'readPosition', room: 'a', position })
  one.say({ type: 'forget', room: 'a' })
  t.strictSame(await two.next(), { type: 'forgotten', room: 'a' })
  for (const client of [ada, one, two, elsewhere]) {
    client.say({ type: 'ping', id: 'last' })
    t.equal((await client.next()).type, 'pong', 'nothing else')
  }
  t.strictSame(await app.chat.unread('bob'), [])
  elsewhere.say({ type: 'forget', room: 'a' })
  elsewhere.say({ type: 'ping', id: 'last' })
  t.equal((await elsewhere.next()).type, 'pong')
  two.say({ type: 'ping', id: 'last' })
  t.equal((await two.next()).type, 'pong', 'there was no read position')
})

t.test('forgotten reaches other nodes, and clients that know the read position from a message', async (t) => {
  const backend = memory()
  const nodes = [await chat(t, { backend, authenticate }), await chat(t, { backend, authenticate })] as const
  const [one, two] = [await nodes[0].member({ token: 'bob' }, 'a'), await nodes[1].member({ token: 'bob' }, 'a')]
  await one.posted('a', '1')
  await two.expect('message')
  one.say({ type: 'rooms', id: '1' })
  t.match(await one.expect('rooms'), { rooms: [{ room: 'a' }] })
  await two.expect('readPosition')
  one.say({ type: 'forget', room: 'a' })
  t.strictSame(await two.next(), { type: 'forgotten', room: 'a' })
  await two.leave('a')
  t.notOk('readPosition' in await two.join('a'))
})

t.test('a repeated mark does not bring a removed read position back', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const [ada, bob] = [await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a')]
  const positions = [await ada.posted('a', '1'), await ada.posted('a', '2')]
  await bob.take(2)
  bob.say({ type: 'markRead', room: 'a', position: positions[0] })
  bob.say({ type: 'markRead', room: 'a', position: positions[1], again: true })
  bob.say({ type: 'rooms', id: '1' })
  t.match(await bob.expect('rooms'), { rooms: [{ room: 'a', position: positions[1] }] }, 'it moves the read position')
  bob.say({ type: 'forget', room: 'a' })
  bob.say({ type: 'markRead', room: 'a', position: positions[1], again: true })
  t.strictSame(await bob.next(), { type: 'forgotten', room: 'a' })
  t.strictSame(await app.chat.unread('bob'), [])
  bob.say({ type: 'markRead', room: 'a', position: positions[0] })
  t.strictSame(await bob.next(), { type: 'readPosition', room: 'a', position: positions[0] }, 'the client may have dropped the mark')
  bob.say({ type: 'markRead', room: 'a', position: positions[1] })
  bob.say({ type: 'ping', id: 'last' })
  t.equal((await bob.next()).type, 'pong')
  t.match(await app.chat.unread('bob'), [{ room: 'a', position: positions[1] }])
})

t.test('the read position moves to a post that a join has answered, and the client receives it', async (t) => {
  const stored = gate()
  const backend = backendWith((works) => ({
    async append (...args) {
      const appended = await works.append(...args)
      await stored.pass()
      return appended
    }
  }))
  const { member } = await chat(t, { authenticate, backend })
  const [one, two] = [await member({ token: 'bob' }, 'a'), await member({ token: 'bob' })]
  one.say({ type: 'post', room: 'a', id: '1', text: '1' })
  await stored.reached
  const { messages: [message], readPosition } = await two.join('a')
  t.equal(readPosition, undefined)
  stored.open()
  t.strictSame(await two.next(), { type: 'readPosition', room: 'a', position: message!.position })
})

t.test('a connection that removes the read position receives the next one at the same message', async (t) => {
  const { member } = await chat(t, { authenticate })
  const [ada, one, two] = [await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a'), await member({ token: 'bob' }, 'a')]
  const position = await ada.posted('a', '1')
  for (const bob of [one, two]) await bob.expect('message')
  one.say({ type: 'markRead', room: 'a', position })
  t.match(await two.expect('readPosition'), { position })
  two.say({ type: 'forget', room: 'a' })
  await one.expect('forgotten')
  one.say({ type: 'markRead', room: 'a', position })
  t.match(await two.expect('readPosition'), { position })
})

t.test('a mark repeated during a removal does not bring the read position back', async (t) => {
  const lookUp = gate()
  let isHeld = false
  const backend = backendWith((works) => ({
    async get (...args) {
      if (isHeld) await lookUp.pass()
      return await works.get(...args)
    }
  }))
  const { app, member } = await chat(t, { authenticate, backend })
  const [ada, one, two] = [await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a'), await member({ token: 'bob' })]
  const positions = [await ada.posted('a', '1'), await ada.posted('a', '2')]
  await one.take(2)
  one.say({ type: 'markRead', room: 'a', position: positions[0] })
  one.say({ type: 'rooms', id: '1' })
  await one.expect('rooms')
  isHeld = true
  one.say({ type: 'markRead', room: 'a', position: positions[1], again: true })
  await lookUp.reached
  two.say({ type: 'forget', room: 'a' })
  t.strictSame(await one.next(), { type: 'forgotten', room: 'a' })
  lookUp.open()
  t.strictSame(await one.next(), { type: 'forgotten', room: 'a' })
  t.strictSame(await app.chat.unread('bob'), [])
})

t.test('a repeated mark of a member that authenticate does not name creates its read position', async (t) => {
  const { member } = await chat(t)
  const [ada, bob] = [await member({}, 'a'), await member({}, 'a')]
  const position = await ada.posted('a', '1')
  await bob.expect('message')
  bob.say({ type: 'markRead', room: 'a', position, again: true })
  bob.say({ type: 'rooms', id: '1' })
  t.match(await bob.expect('rooms'), { rooms: [{ room: 'a', position }] })
})

t.test('a suspended connection receives forgotten when its rights are known', async (t) => {
  const answers: Array<ReturnType<typeof gate>> = []
  let isHeld = false
  const { app, member } = await chat(t, {
    authenticate,
    async authorize ({ member: { id }, action }) {
      if (!isHeld || id !== 'bob' || action !== 'join') return true
      const answer = gate()
      answers.push(answer)
      await answer.pass()
      return true
    }
  })
  const [one, two] = [await member({ token: 'bob' }, 'a'), await member({ token: 'bob' })]
  const position = await one.posted('a', '1')
  isHeld = true
  await app.chat.reauthorize({ room: 'a', member: 'bob' })
  two.say({ type: 'forget', room: 'a' })
  two.say({ type: 'ping', id: '1' })
  await two.expect('pong')
  one.say({ type: 'ping', id: '1' })
  t.equal((await one.next()).type, 'pong')
  while (answers.length === 0) {
    one.say({ type: 'ping', id: '1' })
    await one.expect('pong')
  }
  isHeld = false
  for (const answer of answers) answer.open()
  t.strictSame(await one.next(), { type: 'forgotten', room: 'a' })
  one.say({ type: 'markRead', room: 'a', position })
  t.strictSame(await one.next(), { type: 'readPosition', room: 'a', position })
})

t.test('a removed member receives no forgotten after left', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const clients = [await member({ token: 'ada' }, 'a'), await member({ token: 'ada' }, 'a')] as const
  await clients[0].posted('a', '1')
  await clients[1].expect('message')
  await app.chat.removeMember('a', 'ada')
  for (const client of clients) {
    t.match(await client.next(), { type: 'left', room: 'a', code: 'removed' })
    client.say({ type: 'ping', id: '1' })
    t.equal((await client.next()).type, 'pong')
  }
})

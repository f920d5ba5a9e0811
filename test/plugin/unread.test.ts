import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import t from 'tap'
import { errors, type FastifyChatOptions } from '../../src/index.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { countingBackend } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { served } from '../support/served-store.ts'

/** The token of a client is the id of its member. */
const authenticate: FastifyChatOptions['authenticate'] = (_, { token }) => ({ id: token! })

t.test('unread counts exactly the named rooms, also those without a read position', async (t) => {
  const { app: { chat: app }, member } = await chat(t, { authenticate, backend: memory({ historyEntries: 100 }) })
  const ada = await member({ token: 'ada' }, 'b', 'c')
  const first = await ada.posted('b', '1')
  await app.publish('b', { text: '2' })
  await ada.expect('message')
  const own = await ada.posted('c', '1')
  for (const text of ['1', '2', '3']) await app.publish('a', { text })
  t.strictSame(await app.unread('bob'), [])
  t.strictSame(await app.unread('bob', { rooms: ['b', 'a'] }), [{ room: 'b', unread: 2 }, { room: 'a', unread: 3 }])
  const read = { room: 'b', unread: 1, position: first }
  t.strictSame(await app.unread('ada'), [read, { room: 'c', unread: 0, position: own }])
  t.strictSame(await app.unread('ada', { rooms: ['unused', 'b', 'a', 'b'] }), [{ room: 'unused', unread: 0 }, read, { room: 'a', unread: 3 }, read])
  t.strictSame(await app.unread('ada', { rooms: [] }), [])
  t.strictSame(await app.unread('ada', { rooms: undefined }), await app.unread('ada'))
})

t.test('unread without authenticate counts all kept messages of the named rooms', async (t) => {
  const { app: { chat: app }, member } = await chat(t)
  const ada = await member({}, 'a')
  await ada.posted('a', '1')
  const [id] = (await app.members('a')).members.map(({ id }) => id)
  t.strictSame(await app.unread(id!, { rooms: ['a'] }), [{ room: 'a', unread: 1 }])
  t.strictSame(await app.unread(id!), [])
})

t.test('a count of 1,000 rooms does not create or use a room', async (t) => {
  let uses = 0
  const { app: { chat: app }, store } = await served(t, (works) => ({
    async read (room, query) {
      if (query.use !== false) uses++
      return await works.read(room, query)
    }
  }))
  await app.publish('r7', { text: '1' })
  const rooms = Array.from({ length: 1_000 }, (_, i) => `r${i}`)
  const counted = await app.unread('ada', { rooms })
  t.strictSame(counted, rooms.map((room) => ({ room, unread: room === 'r7' ? 1 : 0 })))
  t.equal(uses, 0)
  t.strictSame(app.rooms(), [])
  for await (const names of store.rooms()) t.strictSame(names, ['r7'])
})

t.test('unread rejects wrong arguments before it reads anything', async (t) => {
  const { backend, calls } = countingBackend('readPositions')
  const { app: { chat: app } } = await chat(t, { authenticate, backend })
  const wrong: Array<[args: unknown[], argument: RegExp]> = [
    [[''], /'memberId'/],
    [['ada', null], /'query' must be an object with rooms/],
    [['ada', ['a']], /'query' must be an object with rooms|'query.0'/],
    [['ada', { room: 'a' }], /'query.room'/],
    [['ada', { rooms: 'a' }], /'query.rooms' must be an array of at most 1000 room names/],
    [['ada', { rooms: null }], /'query.rooms'/],
    [['ada', { rooms: Array(1_001).fill('a') }], /'query.rooms' must be an array of at most 1000 room names/]
  ]
  for (const [args, message] of wrong) await t.rejects(app.unread(...args as [string]), { code: 'FST_CHAT_INVALID_ARGUMENT', message }, `${message}`)
  for (const name of ['', 'no room!', 7, undefined]) await t.rejects(app.unread('ada', { rooms: ['a', name as string] }), errors.InvalidRoom)
  await t.rejects(app.unread('ada', { rooms: Array<string>(1) }), errors.InvalidRoom, 'a hole')
  t.equal(calls(), 0)
})

t.test('messages that the app posts for a member move its read position', async (t) => {
  const { app: { chat: app }, member } = await chat(t, { authenticate })
  const from = { id: 'ada', name: '' }
  const before = await app.publish('a', { text: '1' })
  const position = await app.publish('a', { text: '2', from })
  t.strictSame(await app.unread('ada'), [{ room: 'a', unread: 0, position }], 'without a connection')
  const ada = await member({ token: 'ada' })
  t.match(await ada.join('a', { after: before }), { readPosition: position, unread: 0 })
  const stream = app.createWriteStream('a', { from })
  await once(stream, 'ready')
  t.match(await app.unread('ada'), [{ room: 'a', unread: 0, position: stream.position }])
  await finished(stream.end())
  await app.publish('a', { text: '4', from: { id: 'bob', name: '' } })
  t.match(await app.unread('ada'), [{ room: 'a', unread: 1, position: stream.position }])
})

t.test('messages that the app posts for a member are gathered, and kept at the end', async (t) => {
  const backend = memory()
  const counting = countingBackend('markRead')
  const { app } = await chat(t, { authenticate, backend: counting.backend })
  for (let i = 0; i < 100; i++) await app.chat.publish('a', { text: `${i}`, from: { id: 'bot', name: '' } })
  t.equal(counting.calls(), 0)
  await app.close()
  t.equal(counting.calls(), 1)
  const [near, far] = [await chat(t, { authenticate, backend }), await chat(t, { authenticate, backend })]
  const position = await near.app.chat.publish('a', { text: '1', from: { id: 'bot', name: '' } })
  await near.app.close()
  t.strictSame(await far.app.chat.unread('bot'), [{ room: 'a', unread: 0, position }])
})

t.test('without authenticate, a message of the app moves no read position', async (t) => {
  let writes = 0
  const { app } = await served(t, () => ({ async markRead () { writes++ } }))
  await app.chat.publish('a', { text: '1', from: { id: 'ada', name: '' } })
  await finished(app.chat.createWriteStream('a', { from: { id: 'ada', name: '' } }).end('2'))
  await app.close()
  t.equal(writes, 0)
})

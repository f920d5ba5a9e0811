import t from 'tap'
import { errors, type FastifyChatOptions } from '../../src/index.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { backendWith } from '../support/backend.ts'
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

t.test('a count of 1,000 rooms creates none of them and is no use of one', async (t) => {
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
  let calls = 0
  const backend = backendWith((works) => ({
    async readPositions (...args) {
      calls++
      return await works.readPositions(...args)
    }
  }))
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
  t.equal(calls, 0)
})

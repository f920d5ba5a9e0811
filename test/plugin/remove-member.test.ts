import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import { lmdb } from '../../src/drivers/lmdb/backend.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { ReadTurns } from '../../src/rooms/replay/read-turns.ts'
import { backendOf, backendWith } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { directory } from '../support/directory.ts'
import { gate } from '../support/gate.ts'
import { tick } from '../support/tick.ts'
import { texts } from '../support/v1-client.ts'
import type { Chat, FastifyChatOptions } from '../../src/index.ts'

const authenticate: FastifyChatOptions['authenticate'] = (request, { token }) => ({ id: token ?? String(request.headers['x-id'] ?? 'plain') })

t.test('every connection of a removed member receives left, and a plain one is closed with 4403', async (t) => {
  const server = await chat(t, { authenticate })
  const bob = await server.member({ token: 'bob' }, 'lobby')
  const clients = [await server.member({ token: 'plain' }, 'lobby', 'other'), await server.member({ token: 'plain', changes: true }, 'lobby')]
  const plain = await server.plain()
  await server.app.chat.removeMember('lobby', 'plain', { reason: 'so it is' })
  await server.app.chat.publish('lobby', { text: 'x' })
  for (const client of clients) {
    t.strictSame(await client.next(), { type: 'left', room: 'lobby', code: 'removed', message: 'so it is' })
    t.match(await client.refused({ type: 'post', room: 'lobby', text: 'x', id: 'i' }), { code: 'not_joined' })
  }
  t.strictSame(await plain.closed, { code: 4403, reason: 'so it is' })
  await clients[0]!.posted('other', 'in another room')
  t.match(await bob.next(), { type: 'message', text: 'x' })
})

t.test('a removal has a default reason, and is reported as a leave', async (t) => {
  const left: string[] = []
  const published: unknown[] = []
  const onEvent = (event: unknown) => { published.push((event as { member: { id: string } }).member.id) }
  subscribe('fastify-chat:member.leave', onEvent)
  t.teardown(() => unsubscribe('fastify-chat:member.leave', onEvent))
  const server = await chat(t, { authenticate, onLeave: ({ id }, room) => { left.push(`${id} ${room}`) } })
  const [ada, bob] = [await server.member({ token: 'ada' }, 'a'), await server.member({ token: 'bob' }, 'a')]
  await server.app.chat.removeMember('a', 'ada')
  t.match(await ada.next(), { type: 'left', message: 'removed by a moderator' })
  t.strictSame(left, ['ada a'])
  t.strictSame(published, ['ada'])
  const presence = await bob.presence(({ left }) => left.length > 0)
  t.match(presence, { left: [{ id: 'ada' }], count: 1 })
  await ada.end()
  t.strictSame(left, ['ada a'], 'once')
})

t.test('a removed member may join again', async (t) => {
  const server = await chat(t, { authenticate })
  const ada = await server.member({ token: 'ada' }, 'a')
  for (let i = 0; i < 10; i++) {
    await server.app.chat.removeMember('a', 'ada')
    await ada.expect('left')
    await server.app.chat.publish('a', { text: 'meanwhile' })
    t.strictSame(texts((await ada.join('a', { history: 1 })).messages), ['meanwhile'])
    await ada.posted('a', `${i}`)
  }
})

for (const [name, open] of Object.entries({ memory: () => memory(), LMDB: (t: Test) => lmdb({ path: directory(t) }) })) {
  t.test(`without authorize, a removal holds although the room is cleared in the same tick, on ${name}`, async (t) => {
    const server = await chat(t, { authenticate, backend: open(t) })
    const ada = await server.member({ token: 'ada' }, 'a')
    await Promise.all([server.app.chat.removeMember('a', 'ada'), server.app.chat.clear('a'), server.app.chat.publish('a', { text: 'secret' })])
    t.match(await ada.next(), { type: 'left', code: 'removed' })
    t.match(await ada.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code: 'not_joined' })
  })
}

t.test('without authorize, a join that is under way during the removal is refused', async (t) => {
  const waits = gate()
  let isHeld = false
  const server = await chat(t, {
    authenticate,
    backend: backendWith((works) => ({
      async read (...args) {
        const page = await works.read(...args)
        if (isHeld) await waits.pass()
        return page
      }
    }))
  })
  const bob = await server.member({ token: 'bob' }, 'a')
  const ada = await server.member({ token: 'ada' })
  isHeld = true
  ada.say({ type: 'join', room: 'a' })
  await waits.reached
  await server.app.chat.removeMember('a', 'ada')
  await server.app.chat.publish('a', { text: 'x' })
  t.match(await bob.next(), { text: 'x' })
  isHeld = false
  waits.open()
  t.match(await ada.next(), { type: 'error', request: 'join', code: 'forbidden' })
  await ada.join('a')
})

t.test('a member that is removed before it has entered the room is not in it afterwards', async (t) => {
  const [turn, entering] = [gate(), gate()]
  let isHeld = false
  const roster = new MemoryRoster()
  const enter = roster.enter.bind(roster)
  roster.enter = async (...args) => {
    if (isHeld) await entering.pass()
    await enter(...args)
  }
  const server = await chat(t, { authenticate, backend: backendOf({ roster }) })
  const bob = await server.member({ token: 'bob' }, 'a')
  const ada = await server.member({ token: 'ada', changes: true })
  const { position: after, revision } = await ada.join('a')
  await ada.leave('a')
  isHeld = true
  t.intercept(ReadTurns.prototype, 'wait', { value: () => isHeld ? turn.pass() : undefined })
  ada.say({ type: 'join', room: 'a', after, revision })
  await Promise.all([turn.reached, entering.reached])
  await server.app.chat.removeMember('a', 'ada')
  await server.app.chat.publish('a', { text: 'x' })
  t.match(await bob.next(), { text: 'x' })
  turn.open()
  await tick()
  isHeld = false
  entering.open()
  t.match(await ada.next(), { type: 'error', request: 'join', code: 'forbidden' })
  t.match(await ada.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code: 'not_joined' })
  await ada.join('a')
})

for (const side of ['before', 'after']) {
  t.test(`a page ${side} a position is kept back until the room has an earlier removal`, async (t) => {
    let deliver: (() => void) | undefined
    const waits = gate()
    let isHeld = false
    const server = await chat(t, {
      authenticate,
      backend: backendWith((works) => ({
        // A feed that is behind the store.
        follow: async (room, receive) => await works.follow(room, (page) => {
          if (!isHeld) return receive(page)
          const before = deliver
          deliver = () => { before?.(); receive(page) }
        }),
        async read (room, query) {
          const page = await works.read(room, query)
          if (isHeld) setImmediate(() => { waits.pass().catch(() => {}) })
          return page
        }
      }))
    })
    const ada = await server.member({ token: 'ada' }, 'a')
    const position = await ada.posted('a', 'known')
    isHeld = true
    await server.app.chat.removeMember('a', 'ada', { reason: 'no' })
    await server.app.chat.publish('a', { text: 'secret' })
    ada.say({ type: 'history', room: 'a', [side]: position, limit: 10 })
    await waits.reached
    isHeld = false
    deliver!()
    t.match(await ada.next(), { type: 'left', message: 'no' })
    t.match(await ada.next(), { type: 'error', code: 'forbidden', request: 'history' })
  })
}

t.test('a post that waits in prePost during the removal is refused, and not stored', async (t) => {
  const waits = gate()
  const server = await chat(t, { authenticate, prePost: async (draft) => { await waits.pass(); return draft } })
  const [ada, bob] = [await server.member({ token: 'ada' }, 'a'), await server.member({ token: 'bob' }, 'a')]
  ada.post('a', 'x')
  await waits.reached
  await server.app.chat.removeMember('a', 'ada')
  await ada.expect('left')
  waits.open()
  t.match(await ada.expect('error'), { code: 'forbidden', request: 'post' })
  await server.app.chat.publish('a', { text: 'end' })
  t.match(await bob.next(), { text: 'end' })
})

const wrong: ReadonlyArray<readonly [title: string, code: string, call: (chat: Chat) => Promise<void>]> = [
  ['a room name that is none', 'FST_CHAT_INVALID_ROOM', (chat) => chat.removeMember('a room', 'ada')],
  ['an empty id', 'FST_CHAT_INVALID_ARGUMENT', (chat) => chat.removeMember('a', '')],
  ['a long reason', 'FST_CHAT_INVALID_ARGUMENT', (chat) => chat.removeMember('a', 'ada', { reason: 'x'.repeat(124) })],
  ['an unknown option', 'FST_CHAT_INVALID_ARGUMENT', (chat) => chat.removeMember('a', 'ada', { why: 'no' } as object)],
  ['no object', 'FST_CHAT_INVALID_ARGUMENT', (chat) => chat.reauthorize('a' as unknown as object)],
  ['a room of reauthorize that is none', 'FST_CHAT_INVALID_ROOM', (chat) => chat.reauthorize({ room: '' })],
  ['an address', 'FST_CHAT_INVALID_ARGUMENT', (chat) => chat.reauthorize({ member: 'address:::1' })],
  ['an unknown property', 'FST_CHAT_INVALID_ARGUMENT', (chat) => chat.reauthorize({ rooms: ['a'] } as object)]
]

t.test('a wrong argument is rejected with a code, and changes nothing', async (t) => {
  const server = await chat(t, { authenticate, authorize: () => true })
  const ada = await server.member({ token: 'ada' }, 'a')
  for (const [title, code, call] of wrong) await t.rejects(call(server.app.chat), { code }, title)
  await ada.posted('a', 'x')
})

t.test('a join allowed before the removal is refused by a node that did not follow the room', async (t) => {
  const members = new Set(['ada', 'bob'])
  const waits = gate()
  const shared = memory()
  const first = await chat(t, { authenticate, backend: shared })
  const second = await chat(t, {
    authenticate,
    backend: shared,
    authorize: async ({ member: { id }, action }) => {
      const isAllowed = members.has(id)
      if (action === 'join') await waits.pass()
      return isAllowed
    }
  })
  const bob = await first.member({ token: 'bob' }, 'a')
  const ada = await second.member({ token: 'ada' })
  ada.say({ type: 'join', room: 'a' })
  await waits.reached
  members.delete('ada')
  await first.app.chat.removeMember('a', 'ada')
  await first.app.chat.publish('a', { text: 'x' })
  t.match(await bob.next(), { text: 'x' })
  waits.open()
  t.match(await ada.next(), { type: 'error', code: 'forbidden', request: 'join' })
})

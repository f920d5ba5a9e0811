import { setImmediate as turn } from 'node:timers/promises'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { StoreUnknown } from '../../src/errors.ts'
import { memory, type Backend, type FastifyChatOptions, type ReadPosition, type Store } from '../../src/index.ts'
import { parseMemberMessage } from '../../src/rooms/member-message.ts'
import { ReadPositions } from '../../src/rooms/read-positions.ts'
import { backendWith, countingBackend } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { HeldClock } from '../support/held-clock.ts'

/** The token of a client is the id of its member. */
const authenticate: FastifyChatOptions['authenticate'] = (_, { token }) => ({ id: token! })

const device = { reportRead () {} }

/** Read positions on a store in memory with a held clock. `calls` replaces methods of the store. */
async function held (t: Test, calls: (works: Store) => Partial<Store> = () => ({})) {
  const works = new MemoryStore()
  const written: ReadonlyArray<ReadPosition>[] = []
  const overridden = calls(works)
  const store: Pick<Store, 'markRead' | 'readPositions' | 'forgetRead'> = {
    async markRead (id, positions) {
      await (overridden.markRead ?? works.markRead.bind(works))(id, positions)
      written.push(positions)
    },
    readPositions: async (...args) => await works.readPositions(...args),
    forgetRead: async (...args) => await works.forgetRead(...args)
  }
  const roster = new MemoryRoster()
  t.teardown(async () => { await Promise.all([works.close(), roster.close()]) })
  const clock = new HeldClock()
  const positions = new ReadPositions(store, roster, fastify().log, clock.after)
  const append = async (room: string) => {
    const appended = await works.append(room, { from: null, body: 'x' })
    return { at: 0, ...appended }
  }
  return { positions, clock, written, append, works, roster }
}

t.test('the moves of a member are written together, once in two seconds', async (t) => {
  const { positions, clock, written, append } = await held(t)
  const reads = positions.begin('ada', device)
  for (const room of ['a', 'b', 'a']) {
    reads.mark(room, await append(room), device)
    await turn()
  }
  clock.pass(1_999)
  await turn()
  t.strictSame(written, [])
  clock.pass(1)
  await turn()
  t.match(written, [[{ room: 'a', offset: 2 }, { room: 'b', offset: 1 }]])
  reads.mark('a', await append('a'), device)
  clock.pass(1_999)
  await turn()
  t.equal(written.length, 1)
  clock.pass(1)
  await turn()
  t.match(written[1], [{ room: 'a', offset: 3 }])
  t.equal(clock.waiting, 0)
})

t.test('the moves of a member are written at once when its last connection ends', async (t) => {
  const { positions, written, append } = await held(t)
  const other = { reportRead () {} }
  const reads = positions.begin('ada', device)
  positions.begin('ada', other)
  reads.mark('a', await append('a'), device)
  positions.end('ada', device)
  await turn()
  t.strictSame(written, [])
  positions.end('ada', other)
  await turn()
  t.match(written, [[{ room: 'a' }]])
})

t.test('a failed write is repeated, with newer moves', async (t) => {
  let isFailing = true
  const { positions, clock, written, append, works } = await held(t, (works) => ({
    async markRead (...args) {
      if (isFailing) throw new Error('unavailable')
      await works.markRead(...args)
    }
  }))
  const reads = positions.begin('ada', device)
  reads.mark('a', await append('a'), device)
  reads.mark('b', await append('b'), device)
  clock.pass(2_000)
  await turn()
  reads.mark('a', await append('a'), device)
  await t.rejects(positions.list('ada'))
  positions.end('ada', device)
  await turn()
  isFailing = false
  clock.pass(2_000)
  await turn()
  t.equal(written.length, 1)
  t.match(await works.readPositions('ada'), [{ room: 'a', offset: 2 }, { room: 'b', offset: 1 }])
  clock.pass(2_000)
  await turn()
  t.equal(written.length, 1)
})

t.test('the writes of a member without connections are abandoned after 30 failures', async (t) => {
  let calls = 0
  let isFailing = true
  const { positions, clock, append, works } = await held(t, (works) => ({
    async markRead (...args) {
      calls++
      if (isFailing) throw new Error('unavailable')
      await works.markRead(...args)
    }
  }))
  const reads = positions.begin('ada', device)
  reads.mark('a', await append('a'), device)
  for (let i = 0; i < 40; i++) {
    clock.pass(2_000)
    await turn()
  }
  t.equal(calls, 40, 'repeated while there is a connection')
  positions.end('ada', device)
  await turn()
  clock.pass(2_000)
  await turn()
  t.equal(calls, 41)
  t.equal(clock.waiting, 0)
  positions.posted('bob', 'a', await append('a'))
  for (let i = 0; i < 40; i++) {
    clock.pass(2_000)
    await turn()
  }
  t.equal(calls, 41 + 30)
  t.equal(clock.waiting, 0)
  isFailing = false
  t.strictSame([await positions.list('ada'), await positions.list('bob')], [[], []])
  t.strictSame(await works.readPositions('ada'), [])
})

t.test('a read position that is forgotten during a failed write is not written again', async (t) => {
  let fail!: (error: Error) => void
  const { positions, clock, append, works } = await held(t, (works) => ({
    markRead: async (...args) => await (fail === undefined ? new Promise((_resolve, reject) => { fail = reject }) : works.markRead(...args))
  }))
  const reads = positions.begin('ada', device)
  reads.mark('a', await append('a'), device)
  reads.mark('b', await append('b'), device)
  clock.pass(2_000)
  const forgotten = positions.forget('ada', 'a')
  fail(new Error('unavailable'))
  await forgotten
  t.match((await positions.list('ada')).map(({ room }) => room), ['b'])
  t.match((await works.readPositions('ada')).length, 1)
})

t.test('a post that is stored late does not replace a later move', async (t) => {
  const { positions, written, append } = await held(t)
  const reads = positions.begin('ada', device)
  const [first, second] = [await append('a'), await append('a')]
  reads.mark('a', second, device)
  reads.posted('a', first)
  await positions.list('ada')
  t.match(written, [[{ room: 'a', offset: 2 }]])
})

t.test('a message of the node itself that arrives after a removal is ignored', async (t) => {
  const { positions, append, roster } = await held(t)
  const sent: string[] = []
  await roster.attend('ada', (data) => sent.push(data))
  const reads = positions.begin('ada', device)
  await reads.use('a', true)
  reads.mark('a', await append('a'), device)
  t.match(await positions.list('ada'), [{ room: 'a' }])
  await positions.forget('ada', 'a')
  await turn()
  t.equal(sent.length, 2)
  positions.receive('ada', parseMemberMessage(sent[0]!)!)
  await turn()
  t.equal(reads.of('a'), undefined)
})

t.test('a post that is repeated, because its outcome was unknown, moves the read position', async (t) => {
  let isUnknown = true
  const backend = backendWith((works) => ({
    async append (...args) {
      const appended = await works.append(...args)
      if (!isUnknown) return appended
      isUnknown = false
      throw new StoreUnknown('no answer')
    }
  }))
  const { app, member } = await chat(t, { backend, authenticate })
  const ada = await member({ token: 'ada' })
  const { position: since } = await ada.join('a')
  const post = { type: 'post', room: 'a', id: '1', text: '1' }
  ada.say(post)
  t.match(await ada.take(2), [{ type: 'error', code: 'unknown' }, { type: 'message' }])
  t.strictSame(await app.chat.unread('ada'), [])
  ada.say({ ...post, since })
  const { position } = await ada.expect('ack')
  ada.say({ type: 'rooms', id: '2' })
  await ada.expect('rooms')
  t.strictSame(await app.chat.unread('ada'), [{ room: 'a', unread: 0, position }])
})

t.test('moves that wait are written before the backend is closed', async (t) => {
  const backend = memory()
  const other = await chat(t, { backend, authenticate })
  const { app, member } = await chat(t, { backend, authenticate })
  const ada = await member({ token: 'ada' }, 'a')
  const position = await ada.posted('a', '1')
  await app.close()
  t.match(await other.app.chat.unread('ada'), [{ room: 'a', unread: 0, position }])
  const again = await other.member({ token: 'ada' })
  t.match(await again.join('a'), { readPosition: position, unread: 0 })
})

/** Starts two nodes that share a backend. */
async function nodes (t: Test, backend: Backend = memory()) {
  return [await chat(t, { backend, authenticate }), await chat(t, { backend, authenticate })] as const
}

t.test('connections to another node receive a read position when it is written', async (t) => {
  const [near, far] = await nodes(t)
  const ada = await near.member({ token: 'ada' }, 'a')
  const [one, two] = [await near.member({ token: 'bob' }, 'a'), await far.member({ token: 'bob' }, 'a')]
  const [, position] = [await ada.posted('a', '1'), await ada.posted('a', '2')]
  for (const client of [one, two]) await client.take(2)
  one.say({ type: 'markRead', room: 'a', position })
  one.say({ type: 'rooms', id: '1' })
  t.match(await one.expect('rooms'), { rooms: [{ room: 'a', unread: 0, position }] })
  t.strictSame(await two.next(), { type: 'readPosition', room: 'a', position })
  await two.leave('a')
  t.match(await two.join('a'), { readPosition: position, unread: 0 })
})

t.test('a removal on one node removes the read position that waits on another', async (t) => {
  const [near, far] = await nodes(t)
  const ada = await far.member({ token: 'ada' }, 'a', 'b')
  await ada.posted('a', '1')
  await ada.posted('b', '1')
  await ada.leave('b')
  await near.app.chat.removeMember('a', 'ada')
  await near.app.chat.removeMember('b', 'ada')
  await ada.expect('left')
  await turn()
  t.strictSame(await far.app.chat.unread('ada'), [])
  await ada.end()
  t.strictSame(await near.app.chat.unread('ada'), [])
})

t.test('the members of a cleared room receive their own number of unread messages', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const clients = [await member({ token: 'ada', changes: true }, 'a'), await member({ token: 'bob' }, 'a'), await member({ token: 'carl', changes: true }, 'a')]
  const [ada, bob, carl] = clients as [typeof clients[0], typeof clients[0], typeof clients[0]]
  const position = await ada.posted('a', '1')
  await bob.expect('message')
  await carl.expect('message')
  bob.say({ type: 'markRead', room: 'a', position })
  bob.say({ type: 'ping', id: '1' })
  await bob.expect('pong')
  await app.chat.clear('a')
  for (const client of [ada, bob]) t.match(await client.expect('joined'), { complete: false, readPosition: position, unread: 0, messages: [] })
  const joined = await carl.expect('joined')
  t.notOk('readPosition' in joined || 'unread' in joined)
})

t.test('many members that mark one message cost one look-up', async (t) => {
  const { backend, calls } = countingBackend('get')
  const { member } = await chat(t, { backend, authenticate })
  const ada = await member({ token: 'ada' }, 'a')
  const others = [await member({ token: 'bob' }, 'a'), await member({ token: 'carl' }, 'a'), await member({ token: 'dora' }, 'a')]
  const position = await ada.posted('a', '1')
  for (const other of others) {
    await other.expect('message')
    other.say({ type: 'markRead', room: 'a', position })
    other.say({ type: 'ping', id: '1' })
    await other.expect('pong')
  }
  t.equal(calls(), 1)
})

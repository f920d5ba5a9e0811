import { setImmediate as turn } from 'node:timers/promises'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { StoreUnknown } from '../../src/errors.ts'
import { memory, type Backend, type FastifyChatOptions, type ReadPosition, type Store } from '../../src/index.ts'
import { parseMemberMessage } from '../../src/rooms/reads/member-message.ts'
import { ReadPositions } from '../../src/rooms/reads/read-positions.ts'
import { backendWith, countingBackend, storeWith } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { HeldClock } from '../support/held-clock.ts'
import { open } from '../support/websocket-client.ts'

/** The token of a client is the id of its member. */
const authenticate: FastifyChatOptions['authenticate'] = (request, { token }) => ({ id: token ?? (request.query as { token: string }).token })

const device = { reportRead () {}, reportPosted () {}, reportForgotten () {} }

/** Returns a function that appends an entry. It resolves with the cursor of the entry. */
function appendsTo (works: Store) {
  return async (room: string) => ({ at: 0, ...await works.append(room, { from: null, body: 'x' }) })
}

/** Read positions on a store in memory with a held clock. `calls` replaces methods of the store. */
async function held (t: Test, calls: (works: Store) => Partial<Store> = () => ({})) {
  const works = new MemoryStore()
  const written: ReadonlyArray<ReadPosition>[] = []
  const called = storeWith(works, calls)
  const store = storeWith(called, () => ({
    async markRead (id, positions) {
      await called.markRead(id, positions)
      written.push(positions)
    }
  }))
  const roster = new MemoryRoster()
  t.teardown(async () => { await Promise.all([works.close(), roster.close()]) })
  const clock = new HeldClock()
  const positions = new ReadPositions(store, roster, fastify().log, clock.after)
  return { positions, clock, written, append: appendsTo(works), works, roster }
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

t.test('the writes of members whose moves begin within 50 ms share a timer', async (t) => {
  const { positions, clock, written, append } = await held(t)
  const move = async (id: string) => positions.begin(id, device).mark('a', await append('a'), device)
  for (const id of ['ada', 'bob', 'eve']) await move(id)
  t.equal(clock.waiting, 2, 'one for the writes, and one for the 50 ms')
  clock.pass(50)
  await move('kim')
  t.equal(clock.waiting, 3)
  clock.pass(1_950)
  await turn()
  t.equal(written.length, 3)
  clock.pass(50)
  await turn()
  t.equal(written.length, 4)
  t.equal(clock.waiting, 0)
})

t.test('the moves of a member are written at once when its last connection ends', async (t) => {
  const { positions, written, append } = await held(t)
  const other = { ...device }
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

/** A store whose writes fail until `works` is called. `calls`: number of writes. */
function failing (): { readonly markRead: (works: Store) => Pick<Store, 'markRead'>, readonly calls: () => number, readonly works: () => void } {
  let [calls, isFailing] = [0, true]
  return {
    calls: () => calls,
    works: () => { isFailing = false },
    markRead: (works) => ({
      async markRead (...args) {
        calls++
        if (isFailing) throw new Error('unavailable')
        await works.markRead(...args)
      }
    })
  }
}

t.test('a failed write is repeated, with newer moves', async (t) => {
  const { markRead, works: recover } = failing()
  const { positions, clock, written, append, works } = await held(t, markRead)
  const reads = positions.begin('ada', device)
  reads.mark('a', await append('a'), device)
  reads.mark('b', await append('b'), device)
  clock.pass(2_000)
  await turn()
  reads.mark('a', await append('a'), device)
  await t.rejects(positions.list('ada'))
  positions.end('ada', device)
  await turn()
  recover()
  clock.pass(60_000)
  await turn()
  t.equal(written.length, 1)
  t.match(await works.readPositions('ada'), [{ room: 'a', offset: 2 }, { room: 'b', offset: 1 }])
  clock.pass(60_000)
  await turn()
  t.equal(written.length, 1)
})

t.test('the writes of a member without connections are abandoned after a minute', async (t) => {
  const { markRead, calls, works: recover } = failing()
  const { positions, clock, append, works } = await held(t, markRead)
  const reads = positions.begin('ada', device)
  reads.mark('a', await append('a'), device)
  for (let i = 0; i < 10; i++) {
    clock.pass(60_000)
    await turn()
  }
  t.equal(calls(), 10, 'repeated while there is a connection')
  positions.end('ada', device)
  await turn()
  t.equal(calls(), 11)
  t.equal(clock.waiting, 0)
  positions.posted('bob', 'a', await append('a'))
  let ms = 0
  for (; clock.waiting > 0; ms += 1_000) {
    clock.pass(1_000)
    await turn()
  }
  t.equal(ms > 60_000 && ms < 150_000, true, `${ms} ms`)
  recover()
  t.strictSame([await positions.list('ada'), await positions.list('bob')], [[], []])
  t.strictSame(await works.readPositions('ada'), [])
})

t.test('failed writes are retried with increasing random delays, and none is lost', async (t) => {
  const { markRead, calls, works: recover } = failing()
  const { positions, clock, append, works } = await held(t, markRead)
  const members = Array.from({ length: 200 }, (_, i) => `m${i}`)
  const cursor = await append('a')
  for (const id of members) positions.begin(id, device).mark('a', cursor, device)
  for (let ms = 0; ms < 120_000; ms += 1_000) {
    clock.pass(1_000)
    await turn()
  }
  const perSecond: number[] = []
  for (let ms = 0; ms < 60_000; ms += 1_000) {
    const before = calls()
    clock.pass(1_000)
    await turn()
    perSecond.push(calls() - before)
  }
  t.equal(perSecond.reduce((sum, count) => sum + count, 0) <= 2 * members.length, true, 'at most one in 30 s')
  t.equal(Math.max(...perSecond) < members.length / 5, true, `${perSecond}`)
  recover()
  clock.pass(60_000)
  await turn()
  for (const id of members) t.match(await works.readPositions(id), [{ room: 'a', offset: 1 }])
  t.equal(clock.waiting, 0)
})

t.test('while writes fail, the newest 1,000 moves of a member wait', async (t) => {
  const first = gate()
  let calls = 0
  const { positions, written, append } = await held(t, (works) => ({
    async markRead (...args) {
      if (++calls > 1) return await works.markRead(...args)
      await first.pass()
      throw new Error('unavailable')
    }
  }))
  const cursor = await append('a')
  const reads = positions.begin('ada', device)
  const mark = (from: number) => { for (let i = from; i < from + 1_000; i++) reads.mark(`room ${i}`, { ...cursor, at: i }, device) }
  mark(0)
  const failed = t.rejects(reads.flush())
  await first.reached
  mark(1_000)
  first.open()
  await failed
  await reads.flush()
  t.equal(written[0]?.length, 1_000)
  t.ok(written[0]?.every(({ at }) => at >= 1_000))
})

t.test('after a write that succeeds, a failure is repeated within 4 s again', async (t) => {
  const { markRead, calls, works: recover } = failing()
  let other = false
  const { positions, clock, append } = await held(t, (works) => ({
    async markRead (...args) {
      if (other) throw new Error('unavailable')
      await markRead(works).markRead(...args)
    }
  }))
  const reads = positions.begin('ada', device)
  reads.mark('a', await append('a'), device)
  for (let i = 0; i < 5; i++) {
    clock.pass(60_000)
    await turn()
  }
  recover()
  clock.pass(60_000)
  await turn()
  t.equal(calls(), 6)
  other = true
  reads.mark('a', await append('a'), device)
  clock.pass(2_000)
  await turn()
  other = false
  clock.pass(4_000)
  await turn()
  t.equal(calls(), 7)
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
  t.equal(sent.length, 3)
  positions.receive('ada', parseMemberMessage(sent[0]!)!)
  await turn()
  t.equal(reads.of('a'), undefined)
})

t.test('a post that is repeated, because its outcome was unknown, moves the read position', async (t) => {
  let isUnknown = false
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
  await ada.join('a')
  const since = await ada.posted('a', '0')
  const post = { type: 'post', room: 'a', id: '1', text: '1' }
  isUnknown = true
  ada.say(post)
  t.match(await ada.take(2), [{ type: 'error', code: 'unknown' }, { type: 'message' }])
  t.match(await app.chat.unread('ada'), [{ room: 'a', position: since }])
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

t.test('a post that is stored after the close does not call the store', async (t) => {
  const { positions, written, append, clock } = await held(t)
  await positions.close()
  const cursor = await append('a')
  await positions.with('ada', async (reads) => { reads.posted('a', cursor) })
  clock.pass(60_000)
  await turn()
  t.strictSame(written, [])
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

/** Two nodes on one store in memory. `deliver` passes on their messages. `calls` replaces methods of the store of the first one, `farCalls` of the other one. */
async function twoHeld (t: Test, calls: (works: Store) => Partial<Store> = () => ({}), farCalls: typeof calls = () => ({})) {
  const works = new MemoryStore()
  const clock = new HeldClock()
  const sent: Array<{ from: number, data: string }> = []
  const nodes = [calls, farCalls].map((replaced, from) => {
    const send = async (_: string, data: string) => { sent.push({ from, data }); return true }
    return new ReadPositions(storeWith(works, replaced), { send }, fastify().log, clock.after)
  })
  t.teardown(async () => { await works.close() })
  return {
    nodes: nodes as [ReadPositions, ReadPositions],
    clock,
    works,
    sent,
    append: appendsTo(works),
    /** Delivers the messages that were sent since the last call. */
    deliver: async () => {
      for (const { from, data } of sent.splice(0)) nodes[1 - from]!.receive('ada', parseMemberMessage(data)!)
      await turn()
    }
  }
}

/** A store whose removals wait at a gate. */
function lateRemovals (): { readonly late: ReturnType<typeof gate>, readonly forgetRead: (works: Store) => Pick<Store, 'forgetRead'> } {
  const late = gate()
  return {
    late,
    forgetRead: (works) => ({
      async forgetRead (...args) {
        await late.pass()
        await works.forgetRead(...args)
      }
    })
  }
}

t.test('a removal that the store executes late keeps a later mark of another node', async (t) => {
  const { late, forgetRead } = lateRemovals()
  const { nodes: [near, far], works, append, deliver } = await twoHeld(t, forgetRead)
  const [one, two] = [await append('a'), await append('a')]
  const [here, there] = [near.begin('ada', device), far.begin('ada', device)]
  for (const reads of [here, there]) await reads.use('a', true)
  here.mark('a', one, device)
  await here.flush()
  await deliver()
  const forgotten = here.forget('a')
  await deliver()
  t.strictSame([here.of('a'), there.of('a')], [undefined, undefined])
  there.mark('a', two, device)
  await there.flush()
  late.open()
  await forgotten
  t.match(await works.readPositions('ada'), [{ room: 'a', offset: two.offset }])
})

t.test('a removal that the store executes late keeps a later mark of the same node and message', async (t) => {
  const { late, forgetRead } = lateRemovals()
  const { nodes: [near], works, append, clock } = await twoHeld(t, forgetRead)
  const one = await append('a')
  const reads = near.begin('ada', device)
  await reads.use('a', true)
  reads.mark('a', one, device)
  await reads.flush()
  const forgotten = reads.forget('a')
  reads.mark('a', one, device)
  clock.pass(2_000)
  const listed = reads.list()
  await late.reached
  late.open()
  await forgotten
  t.match(await listed, [{ room: 'a', offset: 1 }])
  t.match(await works.readPositions('ada'), [{ room: 'a', offset: 1 }])
  t.match(reads.of('a'), { offset: 1 })
})

t.test('a removal removes what waits on another node, and what that node is writing', async (t) => {
  const { nodes: [near, far], works, append, deliver, clock } = await twoHeld(t)
  const cursors = [await append('a'), await append('b')] as const
  const there = far.begin('ada', device)
  for (const room of ['a', 'b']) await there.use(room, true)
  there.mark('a', cursors[0], device)
  const writing = there.flush()
  there.mark('b', cursors[1], device)
  const forgotten = ['a', 'b'].map(async (room) => await near.forget('ada', room))
  await deliver()
  await Promise.all([writing, ...forgotten])
  clock.pass(60_000)
  await turn()
  t.strictSame(await works.readPositions('ada'), [])
  t.strictSame([there.of('a'), there.of('b')], [undefined, undefined])
})

t.test('a move that another node has reported before it received a removal is removed', async (t) => {
  const { nodes: [near, far], works, append, deliver, sent } = await twoHeld(t)
  const one = await append('a')
  const [here, there] = [near.begin('ada', device), far.begin('ada', device)]
  for (const reads of [here, there]) await reads.use('a', true)
  there.mark('a', one, device)
  // The store reads for the removal before the write of the other node. The report of that write arrives after the removal.
  const forgotten = here.forget('a')
  await there.flush()
  await forgotten
  t.equal(sent.length, 2)
  await deliver()
  await deliver()
  t.strictSame([here.of('a'), there.of('a')], [undefined, undefined])
  t.strictSame(await works.readPositions('ada'), [])
})

t.test('a removal rejects if the store fails, and the stored read position then applies', async (t) => {
  let isFailing = true
  const { nodes: [near], works, append } = await twoHeld(t, (works) => ({
    async forgetRead (...args) {
      if (isFailing) throw new Error('unavailable')
      await works.forgetRead(...args)
    }
  }))
  const reads = near.begin('ada', device)
  await reads.use('a', true)
  reads.mark('a', await append('a'), device)
  await reads.flush()
  await t.rejects(near.forget('ada', 'a'), { message: 'unavailable' })
  t.match(await works.readPositions('ada'), [{ room: 'a' }])
  await reads.use('a', true)
  t.match(reads.of('a'), { offset: 1 })
  isFailing = false
  await near.forget('ada', 'a')
  t.strictSame(await works.readPositions('ada'), [])
})

t.test('a connection that joins during a removal receives no removed position', async (t) => {
  const { late, forgetRead } = lateRemovals()
  const { nodes: [near], append } = await twoHeld(t, forgetRead)
  const reads = near.begin('ada', device)
  await reads.use('a', true)
  reads.mark('a', await append('a'), device)
  await reads.flush()
  const forgotten = reads.forget('a')
  await late.reached
  const known = reads.use('a', true)
  await turn()
  late.open()
  await Promise.all([forgotten, known])
  t.equal(reads.of('a'), undefined)
})

t.test('a removal on another node while a join loads the read position is noticed', async (t) => {
  const loading = gate()
  const { nodes: [near, far], works, append, deliver } = await twoHeld(t, undefined, (works) => ({
    async readPositions (...args) {
      const kept = await works.readPositions(...args)
      await loading.pass()
      return kept
    }
  }))
  await works.markRead('ada', [{ room: 'a', ...await append('a') }])
  const there = far.begin('ada', device)
  const known = there.use('a', true)
  await loading.reached
  await near.forget('ada', 'a')
  await deliver()
  loading.open()
  await known
  t.equal(there.of('a'), undefined)
})

const removers: ReadonlyArray<readonly [string, (node: ReadPositions) => Promise<void>]> = [
  ['a position that is loaded before another node removes it from the store is removed', (node) => node.begin('ada', device).forget('a')],
  ['a connection that joins again before the app has removed the position is notified', (node) => node.forget('ada', 'a')]
]

for (const [title, remove] of removers) {
  t.test(title, async (t) => {
    const { late, forgetRead } = lateRemovals()
    const { nodes: [near, far], works, append, deliver } = await twoHeld(t, forgetRead)
    await works.markRead('ada', [{ room: 'a', ...await append('a') }])
    const forgotten: string[] = []
    const there = far.begin('ada', { ...device, reportForgotten: (room) => forgotten.push(room) })
    const removal = remove(near)
    await deliver()
    await there.use('a', true)
    t.match(there.of('a'), { offset: 1 })
    late.open()
    await removal
    await deliver()
    t.equal(there.of('a'), undefined)
    t.strictSame(forgotten, ['a'])
  })
}

t.test('a join receives no position that was removed without a report to its node', async (t) => {
  const [near, far] = await nodes(t)
  const bot = await open(t, `ws://127.0.0.1:${far.port}/chat?room=a&token=ada`)
  await bot.next()
  bot.socket.send('1')
  t.equal(await bot.next(), '1')
  t.match(await far.app.chat.unread('ada'), [{ room: 'a', unread: 0 }])
  const device = await near.member({ token: 'ada' })
  device.say({ type: 'forget', room: 'a' })
  device.say({ type: 'rooms', id: '1' })
  t.match(await device.expect('rooms'), { rooms: [] })
  const joined = await (await far.member({ token: 'ada' })).join('a')
  t.notOk('readPosition' in joined || 'unread' in joined)
})

t.test('a connection whose view is replaced during a removal receives forgotten after the view', async (t) => {
  const reading = gate()
  let isHeld = false
  const { app, member } = await chat(t, {
    authenticate,
    backend: backendWith((works) => ({
      async read (...args) {
        const page = await works.read(...args)
        if (isHeld) await reading.pass()
        return page
      }
    }))
  })
  const [one, two] = [await member({ token: 'ada' }, 'a'), await member({ token: 'ada' }, 'a')]
  const position = await one.posted('a', '1')
  await two.expect('message')
  isHeld = true
  await app.chat.clear('a')
  await reading.reached
  one.say({ type: 'forget', room: 'a' })
  one.say({ type: 'ping', id: '1' })
  await one.expect('pong')
  reading.open()
  t.match(await two.expect('joined'), { complete: false, readPosition: position })
  t.strictSame(await two.next(), { type: 'forgotten', room: 'a' })
})

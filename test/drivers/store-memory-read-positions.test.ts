import { mock } from 'node:test'
import t from 'tap'
import { fill } from '../../src/contract/store/entries.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { READ_POSITIONS_TTL, type ReadPosition } from '../../src/store.ts'
import { holdDate } from '../support/held-clock.ts'

const mark = (room: string, at: number, epoch = 'epoch'): ReadPosition => ({ room, offset: at, position: `${epoch}-${at}-${at}`, at })
const many = Array.from({ length: 100 }, (_, i) => mark(`room ${i}`, 1))

/** Resolves with those of the members that have read positions. Their records are used by this. */
async function membersOf (store: MemoryStore, members: readonly string[]): Promise<string[]> {
  const positions = await Promise.all(members.map((member) => store.readPositions(member)))
  return members.filter((_, i) => positions[i]!.length > 0)
}

async function roomsOf (store: MemoryStore): Promise<string[]> {
  const rooms: string[] = []
  for await (const page of store.rooms()) rooms.push(...page)
  return rooms.toSorted()
}

t.test('records and idle rooms share storeBytes, and the least recently used of them go first', async (t) => {
  holdDate(t)
  const store = new MemoryStore({ storeBytes: 100_000 })
  t.teardown(() => store.close())
  const post = async (...rooms: string[]) => {
    for (const room of rooms) {
      mock.timers.tick(1)
      await fill(store, room, 1, 'x'.repeat(20_000))
    }
  }
  const markMany = async (member: string) => {
    mock.timers.tick(1)
    await store.markRead(member, many)
  }
  await markMany('ada')
  await post('b')
  await markMany('cy')
  await post('d')
  mock.timers.tick(1)
  await store.readPositions('ada', 'room 7')
  await post('e')
  t.ok(store.bytes > 90_000, `${store.bytes} bytes`)
  t.strictSame(await roomsOf(store), ['b', 'd', 'e'])
  await post('f')
  t.strictSame(await roomsOf(store), ['d', 'e', 'f'], 'b is the least recently used')
  await post('g')
  t.strictSame(await roomsOf(store), ['d', 'e', 'f', 'g'], 'then a record')
  t.strictSame(await membersOf(store, ['ada', 'cy']), ['ada'], 'the one that was not read')
  await markMany('dee')
  t.strictSame(await roomsOf(store), ['e', 'f', 'g'], 'a mark removes a room')
  await post('h', 'i', 'j', 'k')
  t.strictSame(await roomsOf(store), ['h', 'i', 'j', 'k'])
  t.strictSame(await membersOf(store, ['ada', 'dee']), ['dee'])
  t.ok(store.bytes <= 100_000)
})

t.test('a mark for which no bytes can be freed is BUSY and changes nothing', async (t) => {
  const store = new MemoryStore({ storeBytes: 100_000 })
  t.teardown(() => store.close())
  await store.markRead('ada', [mark('a', 1)])
  const feed = await store.follow('followed', () => {})
  await fill(store, 'followed', 1, 'x'.repeat(97_000))
  const before = store.bytes
  for (let i = 0; i < 3; i++) await t.rejects(store.markRead('ada', many), { code: 'FST_CHAT_BUSY' })
  t.equal(store.bytes, before)
  t.strictSame(await store.readPositions('ada'), [mark('a', 1)], 'a record is not removed for its own growth')
  await store.markRead('ada', [mark('a', 2)])
  t.strictSame(await store.readPositions('ada'), [mark('a', 2)])
  await t.rejects(store.markRead('bob', many), { code: 'FST_CHAT_BUSY' })
  feed.stop()
  for (const member of ['ada', 'bob']) await store.markRead(member, many)
  t.ok((await store.readPositions('ada')).length >= 100)
  t.strictSame(await store.readPositions('bob'), many.toSorted((a, b) => a.room < b.room ? -1 : 1))
})

t.test('bytes are freed when read positions are forgotten or replaced', async (t) => {
  const store = new MemoryStore()
  t.teardown(() => store.close())
  const empty = store.bytes
  await store.markRead('ada', [mark('a', 1)])
  const one = store.bytes
  await store.markRead('ada', [mark('a', 2)])
  t.equal(store.bytes, one)
  await store.markRead('ada', [mark('a', 1_000_000_000)])
  t.ok(store.bytes > one)
  await store.markRead('ada', Array.from({ length: 2_000 }, (_, i) => mark(`room ${i}`.padEnd(10), i + 1)))
  const full = store.bytes
  await store.markRead('ada', Array.from({ length: 2_000 }, (_, i) => mark(`more ${i}`.padEnd(10), i + 1)))
  t.ok(Math.abs(store.bytes - full) < full / 10, 'a record is bounded')
  for (const { room } of await store.readPositions('ada')) await store.forgetRead('ada', room)
  t.equal(store.bytes, empty)
})

t.test('a record is removed 90 days after its last use', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1e12 })
  t.teardown(() => mock.timers.reset())
  const store = new MemoryStore({ roomTtl: READ_POSITIONS_TTL / 2 })
  t.teardown(() => store.close())
  const empty = store.bytes
  for (const member of ['ada', 'bob', 'cy', 'dee']) await store.markRead(member, [mark('a', 5)])
  const each = (store.bytes - empty) / 4
  mock.timers.tick(READ_POSITIONS_TTL - 60_000)
  t.strictSame(await membersOf(store, ['ada']), ['ada'])
  await store.markRead('bob', [mark('a', 4)])
  await store.markRead('bob', [])
  mock.timers.tick(60_000)
  t.ok(store.bytes - empty < 2.5 * each)
  t.strictSame(await membersOf(store, ['ada', 'bob', 'cy', 'dee']), ['ada', 'bob'], 'a mark and a read are uses')
  mock.timers.tick(READ_POSITIONS_TTL + 60_000)
  t.equal(store.bytes, empty)
})

t.test('read positions do not count as a use of their rooms', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1e12 })
  t.teardown(() => mock.timers.reset())
  const store = new MemoryStore({ roomTtl: 600_000 })
  t.teardown(() => store.close())
  const [position] = await fill(store, 'a', 1)
  for (let i = 0; i < 10; i++) {
    mock.timers.tick(60_000)
    await store.markRead('ada', [{ room: 'a', offset: 1, position: position!, at: 1e12 }])
    await store.read('a', { limit: 0, maxBytes: 0, use: false, readPosition: position })
    await store.forgetRead('ada', 'a')
  }
  t.strictSame(await roomsOf(store), [])
})

t.test('a mark of a later epoch with a lower time, after a clock was set back, is ignored', async (t) => {
  const store = new MemoryStore()
  t.teardown(() => store.close())
  await store.markRead('ada', [mark('a', 5)])
  await store.markRead('ada', [mark('a', 4, 'later')])
  t.strictSame(await store.readPositions('ada'), [mark('a', 5)])
  await store.markRead('ada', [{ ...mark('a', 5, 'later'), offset: 1 }])
  t.match(await store.readPositions('ada'), [{ offset: 1 }])
})

t.test('a list of read positions does not change after it was returned', async (t) => {
  const store = new MemoryStore()
  t.teardown(() => store.close())
  await store.markRead('ada', [mark('a', 1), mark('b', 1)])
  const positions = await store.readPositions('ada')
  await store.markRead('ada', [mark('a', 2), mark('0', 2)])
  await store.forgetRead('ada', 'b')
  t.strictSame(positions, [mark('a', 1), mark('b', 1)])
})

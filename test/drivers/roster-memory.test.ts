import { mock } from 'node:test'
import t from 'tap'
import { rosterContract } from '../../src/contract/roster.ts'
import { Watcher } from '../../src/contract/roster/watcher.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'

void rosterContract(t.test, { open: (_, { grace }) => new MemoryRoster({ grace, coalesce: 20 }) })

t.test('the defaults are a 5 s grace, 100 ms to coalesce changes, and 100 listed members', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const roster = new MemoryRoster()
  const watcher = await Watcher.ofRoom(roster, 'a')
  for (let i = 0; i < 101; i++) await roster.enter('a', `c${i}`, { id: `${i}`, name: '' })
  mock.timers.tick(99)
  t.strictSame(watcher.told.map(({ count }) => count), [0])
  mock.timers.tick(1)
  t.strictSame(watcher.told.map(({ members, count }) => [members.length, count]), [[0, 0], [100, 101]])
  await roster.leave('a', 'c0')
  mock.timers.tick(4_999)
  mock.timers.tick(1)
  t.equal(watcher.told.length, 2)
  mock.timers.tick(100)
  t.strictSame(watcher.told.map(({ count }) => count), [0, 101, 100])
})

t.test('each leave starts a grace of its own', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const roster = new MemoryRoster({ grace: 1_000, coalesce: 1 })
  const watcher = await Watcher.ofRoom(roster, 'a')
  const ada = { id: 'ada', name: 'ada' }
  await roster.enter('a', 'c1', ada)
  mock.timers.tick(1)
  await roster.leave('a', 'c1')
  mock.timers.tick(900)
  await roster.enter('a', 'c2', ada)
  await roster.leave('a', 'c2')
  mock.timers.tick(900)
  t.equal(watcher.last?.count, 1)
  mock.timers.tick(100)
  mock.timers.tick(1)
  t.equal(watcher.last?.count, 0)
})

import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { all, bodies, edit, fill, reauthorization, removal, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { MemoryStore, type MemoryStoreOptions } from '../../src/drivers/memory/store.ts'

function open (t: Test, options: MemoryStoreOptions = {}): MemoryStore {
  const store = new MemoryStore(options)
  t.teardown(() => store.close())
  return store
}

t.test('controls are charged, and at most ten for each kept entry are remembered', async (t) => {
  const store = open(t, { historyEntries: 10 })
  const [position] = await fill(store, 'a', 1)
  const { bytes } = store
  const revisions: string[] = []
  for (const i of upTo(100)) revisions.push((await store.control('a', removal(`${i}`))).revision)
  const grown = store.bytes - bytes
  t.ok(grown > 100 * 60 && grown < 100 * 120)
  for (const i of upTo(100)) revisions.push((await store.control('a', removal(`${i}`))).revision)
  t.equal(store.bytes - bytes, grown)
  const honoured = await Promise.all(revisions.map(async (revision) => (await store.read('a', { ...all, after: position!, revision })).complete))
  t.strictSame(honoured, upTo(200).map((i) => i >= 100), 'those, and the one before them')
})

t.test('a control older than dedupWindow is forgotten, unless an older change is of a kept entry', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'] })
  t.teardown(() => mock.timers.reset())
  const store = open(t, { historyEntries: 10, dedupWindow: 1_000, roomTtl: Infinity })
  const { revision: beginning } = await store.read('a', all)
  const [position] = await fill(store, 'a', 1)
  const isHonoured = async (revision: string) => (await store.read('a', { ...all, after: position!, revision })).complete
  await store.control('a', removal('ada'))
  const { bytes } = store
  mock.timers.tick(1_000)
  await store.control('a', removal('ada'))
  t.strictSame([await isHonoured(beginning), store.bytes], [false, bytes])
  const { revision } = await store.read('a', all)
  await store.amend('a', position!, edit('edited'))
  await store.control('a', reauthorization)
  mock.timers.tick(1_000)
  await store.control('a', reauthorization)
  t.equal(await isHonoured(revision), true)
  t.ok(store.bytes > bytes)
})

t.test('the time of a change after a control does not decrease when the clock goes back', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1e12 })
  t.teardown(() => mock.timers.reset())
  const store = open(t)
  const [position] = await fill(store, 'a', 1)
  const follower = await Follower.of(store, 'a')
  mock.timers.setTime(1e12 + 5_000)
  await store.control('a', removal('ada'))
  mock.timers.setTime(1e12 + 1_000)
  await store.amend('a', position!, edit('edited'))
  await follower.until(() => follower.changes.length > 0)
  t.equal(follower.changes[0]!.at, 1e12 + 5_000)
})

t.test('controls count in storeBytes: other rooms are evicted, or the control is BUSY', async (t) => {
  const store = open(t, { storeBytes: 50_000 })
  const [other] = await fill(store, 'other', 1)
  await store.follow('a', () => {})
  while (store.bytes < 49_800) await fill(store, 'a', 1)
  t.not(await store.get('other', other!), undefined)
  await store.control('a', removal('ada'))
  t.equal(await store.get('other', other!), undefined)
  t.ok(store.bytes <= 50_000)
  // Followed rooms are never evicted.
  for (let i = 0; store.bytes < 50_000 - 2_000; i++) await store.follow(`room ${i}`, () => {})
  await store.clear('a')
  for (let i = 0; store.bytes < 50_000 - 600; i++) await store.follow('a', () => {})
  const { head } = await store.read('a', all)
  await t.rejects(store.control('a', removal('ada')), { code: 'FST_CHAT_BUSY' })
  t.strictSame((await store.read('a', all)).head, head)
})

t.test('a follower receives all controls of a tick, even those that are forgotten, unchanged', async (t) => {
  const store = open(t, { historyEntries: 1 })
  const follower = await Follower.of(store, 'a')
  const control = { remove: { member: 'ada', reason: 'before' } }
  const made = upTo(50).map(() => store.control('a', control))
  control.remove.reason = 'after'
  await fill(store, 'a', 1, 'end')
  await follower.has('end')
  t.equal(follower.pages.length, 1)
  t.strictSame(follower.controls, (await Promise.all(made)).map((change) => ({ change, control: removal('ada', 'before') })))
  t.strictSame(bodies(follower), ['end'])
})

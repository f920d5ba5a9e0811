import { mock } from 'node:test'
import t from 'tap'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import type { Page } from '../../src/store.ts'
import { memoryInUse } from '../support/memory.ts'
import { storeContract } from '../../src/contract/store.ts'
import { bodies, deletion, fill, numbers, says } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { tick } from '../support/tick.ts'

const all = { limit: Infinity, maxBytes: Infinity }
const bytes = (page: Page) => page.entries.reduce((sum, { body }) => sum + body.length, 0)

void storeContract(t.test, { open: (_, bounds) => new MemoryStore(bounds), capabilities: { historyAge: true } })

t.test('times follow the clock but never decrease', async (t) => {
  const store = new MemoryStore()
  const clock = t.intercept(Date, 'now', { value: () => 2_000, writable: true, configurable: true })
  await store.append('a', says('x'))
  clock.restore()
  t.intercept(Date, 'now', { value: () => 1_000, writable: true, configurable: true })
  await store.append('a', says('x'))
  t.strictSame((await store.read('a', all)).entries.map(({ at }) => at), [2_000, 2_000])
})

t.test('a room keeps its newest entries up to historyEntries', async (t) => {
  const store = new MemoryStore({ historyEntries: 3 })
  for (let i = 1; i <= 5_000; i++) {
    await store.append('a', says(String(i)))
    if (i % 777 === 0) t.strictSame(bodies(await store.read('a', all)), [i - 2, i - 1, i].map(String))
  }
  const page = await store.read('a', all)
  t.strictSame([numbers(page), page.head.offset, page.more], [[4_998, 4_999, 5_000], 5_000, false])
})

t.test('a room keeps its newest entries up to historyBytes, and always the last', async (t) => {
  const store = new MemoryStore({ historyBytes: 10_000 })
  await fill(store, 'a', 50, 'ā'.repeat(500))
  const page = await store.read('a', all)
  t.ok(bytes(page) * 2 <= 10_000, 'bytes, not characters')
  t.ok(bytes(page) * 2 >= 5_000)
  t.equal(page.entries.at(-1)?.offset, 50)
  await store.append('a', says('y'.repeat(20_000)))
  t.strictSame(numbers(await store.read('a', all)), [51])
})

t.test('entries older than historyAge are removed, also from rooms that nobody uses', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1e12 })
  t.teardown(() => mock.timers.reset())
  const store = new MemoryStore({ historyAge: 90_000, dedupWindow: 100_000 })
  const empty = store.bytes
  await store.append('used', says('1', { key: 'k', hash: 'h' }))
  await fill(store, 'idle', 100)
  const full = store.bytes
  mock.timers.tick(60_000)
  await fill(store, 'used', 1)
  mock.timers.tick(29_999)
  t.strictSame(numbers(await store.read('used', all)), [1, 2])
  mock.timers.tick(1)
  t.strictSame(numbers(await store.read('used', all)), [2], 'also between two sweeps')
  t.equal((await store.find('used', 'k'))?.offset, 1, 'the key is remembered longer')
  t.equal((await store.append('used', says('1', { key: 'k', hash: 'h' }))).again, true)
  mock.timers.tick(90_000)
  t.ok(store.bytes - empty < (full - empty) / 5, `${store.bytes} of ${full} bytes are left`)
  t.match(await store.read('idle', all), { entries: [], head: { offset: 100 } })
  await t.rejects(store.append('used', says('new', { key: 'n', since: (await store.read('idle', all)).head.position })), { code: 'FST_CHAT_STALE' })
  t.equal((await store.append('used', says('new', { key: 'n', since: (await store.read('used', all)).head.position }))).offset, 3)
  await store.close()
})

t.test('trimmed entries are freed', async (t) => {
  const store = new MemoryStore({ historyBytes: 2 * 1024 * 1024 })
  const before = await memoryInUse()
  for (let i = 0; i < 100; i++) await store.append('a', says(Buffer.alloc(1024 * 1024)))
  const held = await memoryInUse() - before
  t.ok(held < 8 * 1024 * 1024, `${held} bytes are used`)
  t.equal((await store.read('a', all)).entries.length > 0, true)
})

t.test('entries removed to stay within storeBytes are freed', async (t) => {
  const store = new MemoryStore({ historyBytes: 1024 * 1024 * 1024, storeBytes: 4 * 1024 * 1024 })
  await store.follow('a', () => {})
  const before = await memoryInUse()
  for (let i = 0; i < 100; i++) {
    await store.append('a', says(Buffer.alloc(1024 * 1024)))
    await tick()
  }
  const held = await memoryInUse() - before
  t.ok(held < 16 * 1024 * 1024, `${held} bytes are used`)
})

t.test('a key is removed soon after its entry once dedupWindow is over', async (t) => {
  const store = new MemoryStore({ historyEntries: 3, dedupWindow: 0 })
  for (const key of ['k1', 'k2', 'k3', 'k4', 'k5']) {
    t.equal((await store.append('a', says(key, { key }))).again, false)
    t.equal((await store.append('a', says(key, { key }))).again, true)
  }
  for (const key of ['k3', 'k4', 'k5']) t.ok(await store.find('a', key), 'its entry is kept')
  for (const key of ['k6', 'k7', 'k8']) await store.append('a', says(key, { key }))
  t.equal(await store.find('a', 'k1'), undefined)
  t.equal((await store.find('a', 'k6'))?.offset, 6)
})

t.test('keys expire also when later entries have none', async (t) => {
  const store = new MemoryStore({ historyEntries: 2, dedupWindow: 0 })
  for (let i = 1; i <= 5; i++) await store.append('a', says('x', { key: `k${i}` }))
  await fill(store, 'a', 10)
  for (let i = 1; i <= 5; i++) t.equal(await store.find('a', `k${i}`), undefined)
})

t.test('a key outlives its entry by dedupWindow, up to ten times as many keys as entries', async (t) => {
  const store = new MemoryStore({ historyEntries: 2, dedupWindow: 60_000 })
  const keys: string[] = []
  for (let i = 1; i <= 50; i++) {
    keys.push(`k${i}`)
    await store.append('a', says('x', { key: `k${i}` }))
    const found = await Promise.all(keys.map((key) => store.find('a', key)))
    const known = found.filter((cursor) => cursor !== undefined)
    t.ok(known.length <= 20, `${known.length} keys of ${i}`)
    t.ok(known.length >= Math.min(i, 10), `${known.length} keys of ${i}`)
    t.strictSame(known, found.slice(-known.length), 'the newest')
  }
})

t.test('the oldest known key decides whether a repeat is STALE', async (t) => {
  const store = new MemoryStore({ historyEntries: 2, dedupWindow: 0 })
  const cursors = []
  for (let i = 1; i <= 6; i++) cursors.push(await store.append('a', says('x', { key: `k${i}` })))
  await t.rejects(store.append('a', says('x', { key: 'k3', since: cursors[1]!.position })), { code: 'FST_CHAT_STALE' })
  t.equal((await store.append('a', says('x', { key: 'new', since: cursors[2]!.position }))).offset, 7, 'k4, k5 and k6 are known, so this is a new post')
})

t.test('the least recently used room is evicted first, a followed room never', async (t) => {
  const store = new MemoryStore({ rooms: 3 })
  const feed = await store.follow('followed', () => {})
  const [kept] = await fill(store, 'kept', 1)
  const [lost] = await fill(store, 'lost', 1)
  await store.read('kept', all)
  await fill(store, 'new', 1)
  const [followed] = await fill(store, 'followed', 1)
  t.equal((await store.read('kept', { ...all, after: kept! })).complete, true)
  t.equal((await store.read('followed', { ...all, after: followed! })).complete, true)
  t.equal((await store.read('lost', { ...all, after: lost! })).complete, false)
  feed.stop()
  await fill(store, 'a', 3)
  await fill(store, 'b', 3)
  await fill(store, 'c', 3)
  t.equal((await store.read('followed', { ...all, after: followed! })).complete, false, 'it is evicted once it is no longer followed')
})

t.test('a room beyond the limit is BUSY while all others are followed', async (t) => {
  const store = new MemoryStore({ rooms: 2 })
  const feed = await store.follow('a', () => {})
  await store.follow('b', () => {})
  for (const call of [() => store.append('c', says('x')), () => store.read('c', all), () => store.follow('c', () => {})]) {
    await t.rejects(call() as Promise<unknown>, { code: 'FST_CHAT_BUSY' })
  }
  await store.append('a', says('x'))
  feed.stop()
  await store.append('c', says('x'))
})

t.test('storeBytes is kept by evicting unfollowed rooms, then by trimming followed ones', async (t) => {
  const store = new MemoryStore({ storeBytes: 100_000 })
  const follower = await Follower.of(store, 'followed')
  const names = ['followed', ...Array.from({ length: 30 }, (_, i) => `room ${i}`)]
  for (const name of names) await fill(store, name, 10, 'x'.repeat(1_000))
  const pages = []
  for (const name of names) pages.push(await store.read(name, all))
  t.ok(pages.reduce((sum, page) => sum + bytes(page), 0) <= 100_000)
  t.equal(pages.at(-1)?.entries.length, 10, 'the room written last is whole')
  t.equal(pages[1]?.entries.length, 0)
  t.equal(pages[0]?.entries.at(-1)?.offset, 10, 'a followed room keeps its newest entries')
  await fill(store, 'followed', 500, 'x'.repeat(1_000))
  t.ok(bytes(await store.read('followed', all)) <= 100_000, 'also the room being written')
  t.equal((await store.read('followed', all)).head.offset, 510)
  await follower.until(() => follower.entries.length === 510)
  t.strictSame(follower.numbers.at(-1), 510, 'its follower has missed nothing')
})

t.test('a post that followed rooms leave no bytes for is BUSY and changes nothing', async (t) => {
  const store = new MemoryStore({ storeBytes: 2 * 1024 * 1024 })
  const followers: Follower[] = []
  for (let i = 0; i < 200; i++) followers.push(await Follower.of(store, `room ${i}`))
  const outcomes = []
  for (let i = 0; i < 200; i++) {
    outcomes.push(await store.append(`room ${i}`, says('x'.repeat(16 * 1024))).then(() => 'stored', ({ code }: { code: string }) => code))
  }
  t.strictSame([...new Set(outcomes)], ['stored', 'FST_CHAT_BUSY'])
  t.ok(store.bytes <= 2 * 1024 * 1024)
  const stored = outcomes.filter((outcome) => outcome === 'stored').length
  t.ok(stored > 100, `${stored} stored`)
  await tick()
  t.equal(followers.reduce((sum, { entries }) => sum + entries.length, 0), stored)
  for (const [i, outcome] of outcomes.entries()) t.equal((await store.read(`room ${i}`, all)).head.offset, outcome === 'stored' ? 1 : 0)
  t.equal((await store.append('room 0', says('y'))).offset, 2, 'a smaller post is accepted')
  t.strictSame(bodies(await store.read('room 0', all)).at(-1), 'y')
  followers[1]!.feed.stop()
  t.equal((await store.append('room 199', says('x'.repeat(16 * 1024)))).offset, 1, 'bytes are freed once a room is no longer followed')
})

t.test('a room or follower beyond storeBytes is BUSY and leaves no state behind', async (t) => {
  const store = new MemoryStore({ storeBytes: 19_400 })
  const names = Array.from({ length: 100 }, (_, i) => `room ${i}`)
  for (const name of names) await store.follow(name, () => {}).catch(({ code }: { code: string }) => t.equal(code, 'FST_CHAT_BUSY'))
  t.ok(store.bytes > 15_000 && store.bytes <= 19_400)
  await t.rejects(store.read('another', all), { code: 'FST_CHAT_BUSY' })
  const before = store.bytes
  for (let i = 0; i < 100; i++) await store.follow('room 0', () => {}).catch(({ code }: { code: string }) => t.equal(code, 'FST_CHAT_BUSY'))
  t.ok(store.bytes >= before && store.bytes <= 19_400)
})

t.test('keys that no entry needs are freed, also in a room with one entry', async (t) => {
  const store = new MemoryStore({ storeBytes: 200_000, historyEntries: 1_000, historyBytes: 1 })
  await store.follow('a', () => {})
  for (let i = 0; i < 700; i++) await store.append('a', says('', { key: `${i}`.padStart(100) }))
  await store.follow('b', () => {})
  t.equal((await store.append('b', says('x'.repeat(150_000)))).offset, 1)
  t.equal((await store.append('a', says('', { key: `${699}`.padStart(100) }))).again, true, "the newest entry's key stays")
})

t.test('keys count towards storeBytes', async (t) => {
  const store = new MemoryStore({ storeBytes: 100_000, historyEntries: 10_000 })
  await store.follow('a', () => {})
  for (let i = 0; i < 2_000; i++) await store.append('a', says('', { key: `${i}`.padStart(100) }))
  let known = 0
  for (let i = 0; i < 2_000; i++) if (await store.find('a', `${i}`.padStart(100)) !== undefined) known++
  t.ok(known > 0 && known < 1_000, `${known} known`)
})

t.test('deleted entries free their bytes', async (t) => {
  const store = new MemoryStore({ storeBytes: 100_000 })
  const [kept] = await fill(store, 'kept', 1)
  for (let i = 0; i < 20; i++) {
    const positions = await fill(store, 'a', 4, 'x'.repeat(20_000))
    if (i % 2 === 0) await store.clear('a')
    else for (const position of positions) await store.amend('a', position, deletion)
  }
  t.equal((await store.read('kept', { ...all, after: kept! })).complete, true, 'no other room was evicted')
})

t.test('an unfollowed room is removed after roomTtl', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'] })
  t.teardown(() => mock.timers.reset())
  const store = new MemoryStore({ roomTtl: 100_000 })
  await store.follow('followed', () => {})
  const [followed] = await fill(store, 'followed', 1)
  const [idle] = await fill(store, 'idle', 1)
  mock.timers.tick(60_000)
  const [used] = await fill(store, 'used', 1)
  mock.timers.tick(60_000)
  t.equal((await store.read('idle', { ...all, after: idle! })).complete, false)
  t.equal((await store.read('used', { ...all, after: used! })).complete, true)
  t.equal((await store.read('followed', { ...all, after: followed! })).complete, true)
})

t.test('a quiet room is kept for roomTtl after its last follower stops', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'] })
  t.teardown(() => mock.timers.reset())
  const store = new MemoryStore({ roomTtl: 3_600_000 })
  const { feed } = await Follower.of(store, 'a')
  const [position] = await fill(store, 'a', 1)
  mock.timers.tick(2 * 3_600_000)
  feed.stop()
  mock.timers.tick(60_000)
  t.equal((await store.read('a', { ...all, after: position! })).complete, true)
  mock.timers.tick(2 * 3_600_000)
  t.equal((await store.read('a', { ...all, after: position! })).complete, false)
})

t.test('nothing is delivered after close, even if it was acknowledged', async (t) => {
  const store = new MemoryStore()
  const follower = await Follower.of(store, 'a')
  const last = store.append('a', says('x'))
  await store.close()
  t.equal((await last).offset, 1)
  await tick()
  t.strictSame(follower.pages, [])
})

t.test('a read that is no use keeps no room from being removed', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1e12 })
  t.teardown(() => mock.timers.reset())
  const store = new MemoryStore({ rooms: 2, roomTtl: 600_000, historyAge: 300_000 })
  t.teardown(() => store.close())
  const unused = { ...all, use: false }
  await fill(store, 'a', 1)
  mock.timers.tick(1)
  await fill(store, 'b', 1)
  mock.timers.tick(299_999)
  t.strictSame(bodies(await store.read('a', unused)), [], 'its entries are removed by age')
  t.strictSame(bodies(await store.read('b', unused)), ['x'])
  const names = async () => {
    const names = []
    for await (const page of store.rooms()) names.push(...page)
    return names
  }
  await fill(store, 'c', 1)
  t.strictSame(await names(), ['b', 'c'], 'the room used longest ago is removed')
  const { bytes } = store
  await store.read('a', unused)
  t.strictSame([await names(), store.bytes], [['b', 'c'], bytes])
  mock.timers.tick(300_001)
  await store.read('b', unused)
  mock.timers.tick(60_000)
  t.strictSame(await names(), ['c'])
})

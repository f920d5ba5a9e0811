import { statSync } from 'node:fs'
import { join } from 'node:path'
import { mock } from 'node:test'
import t from 'tap'
import { LmdbDatabase } from '../../src/drivers/lmdb/database.ts'
import { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import type { Store } from '../../src/store.ts'
import { directory } from '../support/directory.ts'
import { storeContract } from '../../src/contract/store.ts'
import { bodies, fill, numbers, says } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { full } from '../support/full.ts'
import { holdDate } from '../support/held-clock.ts'
import { holdClock, idle, minutes, NOTHING, opened, storedIn } from '../support/lmdb-store.ts'
import { tick } from '../support/tick.ts'

const all = { limit: Infinity, maxBytes: Infinity }

const MiB = 1024 * 1024

const isKept = async (store: Store, room: string, position: string) => (await store.read(room, { ...all, after: position })).complete

const parent = directory(t)
void storeContract(t.test, {
  open: (name, bounds) => LmdbStore.open({ path: join(parent, name), ...bounds }),
  capabilities: { durable: true, historyAge: true }
})

t.test('times follow the clock but never decrease, also after a restart', async (t) => {
  const path = directory(t)
  const clock = t.intercept(Date, 'now', { value: () => 2_000_000_000_000, writable: true, configurable: true })
  const before = await opened(t, {}, path)
  await before.append('a', says('x'))
  await before.close()
  clock.restore()
  const after = await opened(t, {}, path)
  await after.append('a', says('x'))
  t.strictSame((await after.read('a', all)).entries.map(({ at }) => at), [2_000_000_000_000, 2_000_000_000_000])
})

t.test('a room keeps its newest entries up to historyEntries while posts go on', async (t) => {
  const path = directory(t)
  const store = await opened(t, { historyEntries: 50, dedupWindow: 0 }, path)
  const delivered: number[] = []
  await store.follow('a', ({ entries }) => delivered.push(...entries.map(({ offset }) => offset)))
  let posted = 0
  const post = async () => {
    while (posted < 6_000) {
      await store.append('a', says('x'.repeat(100), { key: String(++posted) }))
      if (posted % 97 !== 0) continue
      const page = await store.read('a', all)
      const kept = Math.min(50, page.head.offset)
      t.ok(page.entries.length >= kept && page.entries.length <= kept + 64, `${page.entries.length} entries`)
      t.equal(page.entries.at(-1)!.offset - page.entries[0]!.offset, page.entries.length - 1)
    }
  }
  await Promise.all(Array.from({ length: 300 }, post))
  t.strictSame(delivered, Array.from({ length: posted }, (_, i) => i + 1))
  t.equal((await store.read('a', all)).entries.length, 50)
  await store.close()
  t.ok((await storedIn(path)).rows <= 50 * 11)
  t.ok(statSync(join(path, 'data.mdb')).size < 16 * 1024 * 1024, 'trimmed space is reused')
})

t.test('an entry of exactly historyAge is not returned', async (t) => {
  holdClock(t)
  const store = await opened(t, { historyAge: 500 })
  await store.append('a', says('x'))
  mock.timers.tick(499)
  t.strictSame(numbers(await store.read('a', all)), [1])
  mock.timers.tick(1)
  t.strictSame(numbers(await store.read('a', all)), [])
})

t.test('a room keeps its newest entries up to historyBytes, and always the last', async (t) => {
  const store = await opened(t, { historyBytes: 10_000 })
  await fill(store, 'a', 50, 'é'.repeat(500))
  const page = await store.read('a', all)
  t.ok(page.entries.length <= 9 && page.entries.length >= 5, 'bytes, not characters')
  t.equal(page.entries.at(-1)?.offset, 50)
  await store.append('a', says('y'.repeat(20_000)))
  t.strictSame(numbers(await store.read('a', all)), [51])
})

t.test('entries kept under larger limits are trimmed in steps', async (t) => {
  const path = directory(t)
  const before = await opened(t, {}, path)
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => before.append('a', says(`${i}`))))
  await before.close()
  const after = await opened(t, { historyEntries: 10 }, path)
  t.equal((await after.append('a', says('x'))).offset, 1_001)
  t.ok((await after.read('a', all)).entries.length > 900, 'not with a single post')
  while ((await after.read('a', all)).entries.length > 10) await tick()
  t.strictSame(numbers(await after.read('a', all)), Array.from({ length: 10 }, (_, i) => 992 + i))
})

t.test('a key outlives its entry by dedupWindow, up to ten times as many keys as entries', async (t) => {
  const path = directory(t)
  const options = { historyEntries: 2, dedupWindow: 60_000 }
  const before = await opened(t, options, path)
  const positions = []
  for (let i = 1; i <= 20; i++) positions.push((await before.append('a', says('x', { key: `k${i}`, hash: `h${i}` }))).position)
  await before.close()
  const store = await opened(t, options, path)
  const again = await store.append('a', says('x', { key: 'k1', hash: 'h1' }))
  t.strictSame([again.offset, again.position, again.again], [1, positions[0], true])
  await t.rejects(store.append('a', says('x', { key: 'k1', hash: 'h2' })), { code: 'FST_CHAT_REUSED' })
  await store.append('a', says('x', { key: 'k21' }))
  t.equal(await store.find('a', 'k1'), undefined)
  t.equal((await store.find('a', 'k2'))?.offset, 2)
  await t.rejects(store.append('a', says('x', { key: 'k1', hash: 'h1', since: (await store.read('b', all)).head.position })), { code: 'FST_CHAT_STALE' })
  await store.close()
  await t.rejects((await opened(t, options, path)).append('a', says('x', { key: 'k1', since: 'x' })), { code: 'FST_CHAT_STALE' })
})

t.test('the oldest known key decides whether a repeat is STALE, also after a restart', async (t) => {
  const path = directory(t)
  const before = await opened(t, { historyEntries: 2, dedupWindow: 0 }, path)
  const cursors = []
  for (let i = 1; i <= 5; i++) cursors.push(await before.append('a', says('x', { key: `k${i}` })))
  await before.close()
  const store = await opened(t, { historyEntries: 2, dedupWindow: 0 }, path)
  await t.rejects(store.append('a', says('x', { key: 'k3', since: cursors[1]!.position })), { code: 'FST_CHAT_STALE' })
  t.equal((await store.append('a', says('x', { key: 'new', since: cursors[2]!.position }))).offset, 6, 'k4 and k5 are known, so this is a new post')
})

t.test('expired entries are not shown, and are removed from disk with their room', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, { historyAge: 90_000, dedupWindow: 100_000 }, path)
  const empty = (await store.read('empty', all)).head.position
  for (let i = 0; i < 200; i++) await store.append(`room ${i}`, says('x', { key: 'k' }))
  const [, position] = await fill(store, 'kept', 2)
  const { feed } = await Follower.of(store, 'room 7')
  await minutes(store, 1)
  await fill(store, 'kept', 2)
  t.strictSame(numbers(await store.read('kept', all)), [1, 2, 3, 4])
  mock.timers.tick(40_000)
  t.strictSame(numbers(await store.read('kept', all)), [3, 4], 'also between two runs of the minute timer')
  t.match(await store.read('kept', { ...all, after: position! }), { complete: false })
  t.match(await store.read('room 1', all), { entries: [], more: false, head: { offset: 1 } })
  await minutes(store, 3)
  t.equal((await store.read('room 1', all)).head.offset, 0, 'the room is removed')
  t.equal(await store.find('room 1', 'k'), undefined)
  t.equal((await store.read('room 7', all)).head.offset, 1, 'a followed room is kept')
  t.match(await store.read('empty', { ...all, after: empty }), { complete: false }, "a removed room's position is not valid for later entries")
  t.equal((await store.append('room 7', says('x'))).offset, 2)
  feed.stop()
  await store.close()
  t.match(await storedIn(path), { rows: 1, heads: 1, uses: 1 })
})

t.test('a cleared room leaves nothing on disk', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, {}, path)
  const positions = []
  for (let round = 0; round < 5; round++) {
    positions.push(...await Promise.all(Array.from({ length: 500 }, (_, i) => store.append('a', says('secret', { key: `${round} ${i}` })))))
    await store.clear('a')
  }
  t.strictSame(bodies(await store.read('a', all)), [])
  await minutes(store, 6)
  t.equal((await store.append('b', says('x'))).offset, 1)
  for (const { position } of positions.slice(0, 10)) t.equal((await store.read('a', { ...all, after: position })).complete, false)
  await store.close()
  t.match(await storedIn(path), { rows: 1, heads: 1, uses: 1 })
})

t.test('posts beyond the in-flight limit are BUSY and never stored', async (t) => {
  const store = await opened(t, { inFlight: 2 })
  const first = [store.append('a', says('1')), store.append('a', says('2'))]
  await t.rejects(store.append('a', says('3')), { code: 'FST_CHAT_BUSY' })
  await Promise.all(first)
  t.equal((await store.append('a', says('4'))).offset, 3)
  const other = await opened(t, { inFlightBytes: 6_000 })
  const large = other.append('a', says('x'.repeat(900)))
  await t.rejects(other.append('a', says('x'.repeat(900))), { code: 'FST_CHAT_BUSY' })
  await large
})

t.test('posts made before close are stored and acknowledged', async (t) => {
  const path = directory(t)
  const store = await opened(t, {}, path)
  const posts = Array.from({ length: 3_000 }, (_, i) => store.append('a', says(`${i}`)))
  await store.close()
  t.equal((await Promise.all(posts)).length, 3_000)
  t.equal((await (await opened(t, {}, path)).read('a', all)).entries.length, 3_000 - 2_000)
})

t.test('bytes that the caller changes after append are not stored or delivered', async (t) => {
  const store = await opened(t)
  const follower = await Follower.of(store, 'a')
  const body = Uint8Array.of(1, 2)
  const appended = store.append('a', { from: null, body })
  body[0] = 9
  await appended
  await follower.until(() => follower.entries.length === 1)
  for (const entry of [...follower.entries, ...(await store.read('a', all)).entries]) {
    t.strictSame(entry.body, Uint8Array.of(1, 2))
  }
})

t.test('a room whose name is too long for the disk is rejected', async (t) => {
  const store = await opened(t)
  for (const room of ['x'.repeat(513), '']) {
    await t.rejects(store.append(room, says('x')), { code: 'FST_CHAT_INVALID_ROOM' })
    await t.rejects(store.read(room, all), { code: 'FST_CHAT_INVALID_ROOM' })
  }
  t.equal((await store.append('x'.repeat(512), says('x'))).offset, 1)
})

t.test('a flood of new rooms keeps the file within its limit, and used rooms stay', async (t) => {
  const path = directory(t)
  const storeBytes = full(8, 4) * MiB
  const store = await opened(t, { storeBytes }, path)
  const size = () => statSync(join(path, 'data.mdb')).size
  const follower = await Follower.of(store, 'followed')
  const [followed, used] = [(await fill(store, 'followed', 3))[0]!, (await fill(store, 'used', 3))[0]!]
  const removed: Array<[room: string, position: string]> = []
  let [posted, largest] = [0, 0]
  const flood = async () => {
    while (posted < full(3_000, 1_000)) {
      const room = `room ${++posted}`
      const beginning = (await store.read(room, all)).head.position
      const { position } = await store.append(room, says('x'.repeat(15_900), { key: 'k', from: { id: 'i', name: 'n' } }))
      if (posted <= 100) removed.push([room, beginning], [room, position])
      if (posted % 50 === 0) t.equal(await isKept(store, 'used', used), true)
      largest = Math.max(largest, size())
    }
  }
  await Promise.all(Array.from({ length: 20 }, flood))
  t.ok(largest < 1.5 * storeBytes, `${largest / storeBytes} times the limit`)
  t.ok(largest > 0.8 * storeBytes, 'the limit is used')
  t.equal(await isKept(store, 'followed', followed), true)
  t.equal((await store.append('followed', says('on'))).offset, 4)
  await follower.has('on')
  t.strictSame(follower.numbers, [1, 2, 3, 4])
  for (const [room, position] of removed) {
    t.match(await store.read(room, { ...all, after: position }), { complete: false, entries: [], head: { offset: 0 } })
    await t.rejects(store.append(room, says('x', { key: 'k', since: position })), { code: 'FST_CHAT_STALE' })
    t.equal(await store.find(room, 'k'), undefined)
  }
  const [room, position] = removed[1]!
  t.equal((await store.append(room, says('new'))).offset, 1)
  t.match(await store.read(room, { ...all, after: position }), { complete: false, entries: [{ offset: 1, body: 'new' }] })
  await store.close()
  const { rows, heads, uses, bytes } = await storedIn(path)
  t.strictSame([rows < 600, heads < 600, uses], [true, true, heads], `${rows} rows, ${heads} rooms`)
  t.ok(bytes <= storeBytes && bytes > 0.8 * storeBytes)
})

t.test('the least recently used room is removed first, also after a restart', async (t) => {
  holdDate(t)
  const path = directory(t)
  const options = { storeBytes: MiB }
  const before = await opened(t, options, path)
  const positions = new Map<string, string>()
  const post = async (store: Store, room: string) => {
    mock.timers.tick(1)
    positions.set(room, (await fill(store, room, 1, 'x'.repeat(15_900)))[0]!)
  }
  for (let i = 0; i < 40; i++) await post(before, `room ${i}`)
  mock.timers.tick(3_600_000)
  await before.read('room 0', all)
  await before.follow('room 1', () => {}).then(({ stop }) => stop())
  await post(before, 'room 2')
  await idle(before)
  await before.close()
  const store = await opened(t, options, path)
  for (let i = 40; i < 80; i++) await post(store, `room ${i}`)
  await idle(store)
  for (const room of ['room 0', 'room 1', 'room 2', 'room 79']) t.equal(await isKept(store, room, positions.get(room)!), true, room)
  for (const room of ['room 3', 'room 4', 'room 15']) t.equal(await isKept(store, room, positions.get(room)!), false, room)
})

t.test('a followed room that is too large by itself loses its oldest entries', async (t) => {
  const path = directory(t)
  const store = await opened(t, { storeBytes: MiB }, path)
  const follower = await Follower.of(store, 'a')
  const others = await Promise.all(['b', 'c'].map(async (room) => await store.follow(room, () => {})))
  await fill(store, 'b', 1)
  for (let i = 0; i < 30; i++) await Promise.all(Array.from({ length: 10 }, (_, j) => store.append('a', says('x'.repeat(15_900), { key: `${i} ${j}` }))))
  await idle(store)
  const { entries, head } = await store.read('a', all)
  t.equal(head.offset, 300)
  t.ok(entries.length > 20 && entries.length < 65, `${entries.length} entries`)
  t.equal(entries.at(-1)?.offset, 300)
  t.strictSame(follower.numbers, Array.from({ length: 300 }, (_, i) => i + 1))
  t.strictSame(bodies(await store.read('b', all)), ['x'], 'no other room loses its last entry')
  for (const { stop } of others) stop()
  await store.close()
  t.ok(statSync(join(path, 'data.mdb')).size < 4 * MiB)
})

t.test('a store that can remove nothing still accepts posts', async (t) => {
  const store = await opened(t, { storeBytes: 50_000 })
  const followers = await Promise.all(Array.from({ length: 10 }, (_, i) => Follower.of(store, `room ${i}`)))
  for (let i = 0; i < 100; i++) await store.append(`room ${i % 10}`, says('x'.repeat(15_900)))
  for (const [i, follower] of followers.entries()) {
    t.strictSame(follower.numbers, Array.from({ length: 10 }, (_, i) => i + 1))
    t.equal((await store.read(`room ${i}`, all)).entries.at(-1)?.offset, 10)
  }
  await idle(store)
  const commits = t.capture(LmdbDatabase.prototype, 'commit', LmdbDatabase.prototype.commit)
  for (let i = 0; i < 100; i++) await tick()
  t.ok(commits().length <= 1, 'removal stops retrying')
})

t.test('a large room is removed in steps, and reads as empty meanwhile', async (t) => {
  const path = directory(t)
  const first = await opened(t, { historyEntries: Infinity }, path)
  const positions = await Promise.all(Array.from({ length: 9_000 }, async (_, i) => (await first.append('large', says('x', { key: `${i}` }))).position))
  await first.close()
  const store = await opened(t, { historyEntries: Infinity, storeBytes: 100_000 }, path)
  const commits = t.capture(LmdbDatabase.prototype, 'commit', LmdbDatabase.prototype.commit)
  await fill(store, 'b', 1)
  t.match(await store.read('large', { ...all, after: positions[8_999]! }), { complete: false, entries: [], more: false })
  t.equal(commits().length < 3, true, 'not all of it with one post')
  t.equal((await store.append('large', says('new'))).offset, 1)
  t.strictSame(bodies(await store.read('large', all)), ['new'])
  await idle(store)
  t.strictSame(bodies(await store.read('large', all)), ['new'])
  t.equal(await isKept(store, 'large', positions[8_999]!), false)
  await store.close()
  t.match(await storedIn(path), { rows: 2, heads: 2 })
})

t.test("a room unused for roomTtl is removed; a read or followed room isn't", async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, { roomTtl: 300_000 }, path)
  const position = new Map<string, string>()
  for (const room of ['unused', 'read', 'posted', 'followed']) position.set(room, (await fill(store, room, 100)).at(-1)!)
  const { stop } = await store.follow('followed', () => {})
  for (let i = 0; i < 7; i++) {
    if (i === 3) {
      await store.read('read', all)
      await fill(store, 'posted', 1)
    }
    await minutes(store, 1)
  }
  for (const [room, kept] of Object.entries({ unused: false, read: true, posted: true, followed: true })) {
    t.equal(await isKept(store, room, position.get(room)!), kept, room)
  }
  stop()
  await minutes(store, 8)
  await store.close()
  t.strictSame(await storedIn(path), NOTHING)
})

t.test('rooms that are only joined and read leave nothing on disk, and a read writes nothing', async (t) => {
  const path = directory(t)
  const store = await opened(t, {}, path)
  await fill(store, 'used', 1)
  const commits = t.capture(LmdbDatabase.prototype, 'commit', LmdbDatabase.prototype.commit)
  for (let i = 0; i < 200; i++) {
    const { stop } = await store.follow(`room ${i}`, () => {})
    await store.read(`room ${i}`, all)
    await store.find(`room ${i}`, 'k')
    await store.read('used', all)
    stop()
  }
  for (let i = 0; i < 20; i++) await tick()
  t.equal(commits().length, 0)
  await store.close()
  t.match(await storedIn(path), { rows: 1, heads: 1, uses: 1 })
})

t.test('rooms take at most cacheBytes of memory, and released rooms are read again', async (t) => {
  const store = await opened(t, { cacheBytes: 300_000 })
  const post = (room: string, number: number) => store.append(room, says('x', { key: `${number}`, hash: 'h' }))
  for (const room of ['a', 'b', 'c', 'd']) await Promise.all(Array.from({ length: 1_000 }, (_, i) => post(room, i)))
  const reads = t.capture(LmdbDatabase.prototype, 'records', LmdbDatabase.prototype.records)
  t.equal((await post('d', 0)).again, true)
  t.equal(reads().length, 0)
  t.equal((await post('a', 0)).again, true)
  t.equal(reads().length, 1)
  t.equal((await post('a', 1)).again, true)
  t.equal(reads().length, 0)
  for (let i = 0; i < 300; i++) await store.append(`room${i}`, says('x'))
  t.equal((await post('a', 2)).again, true)
  t.equal(reads().length, 1, 'rooms without keys count too')
})

t.test('a read that is no use keeps no room from being removed, and writes nothing', async (t) => {
  holdClock(t)
  const store = await opened(t, { roomTtl: 3_600_000 })
  for (const room of ['a', 'b']) await store.append(room, says('x'))
  mock.timers.tick(1_800_000)
  await idle(store)
  const commits = t.capture(LmdbDatabase.prototype, 'commit', LmdbDatabase.prototype.commit)
  t.strictSame(bodies(await store.read('a', { ...all, use: false })), ['x'])
  await tick()
  t.equal(commits().length, 0)
  await store.read('b', all)
  while (commits().length === 0) await tick()
  mock.timers.tick(1_800_000)
  await idle(store)
  const rooms = []
  for await (const page of store.rooms()) rooms.push(...page)
  t.strictSame(rooms, ['b'])
})

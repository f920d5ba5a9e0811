import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { open } from 'lmdb'
import t from 'tap'
import type { Control, Revision } from '../../src/change.ts'
import { edit, fill, react, reauthorization, removal, says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { decodeChange, type ChangeRow } from '../../src/drivers/lmdb/change-row.ts'
import { LmdbDatabase } from '../../src/drivers/lmdb/database.ts'
import { verifyStore } from '../../src/drivers/lmdb/verify.ts'
import { StoreUnknown } from '../../src/errors.ts'
import type { Store } from '../../src/store.ts'
import { directory } from '../support/directory.ts'
import { full } from '../support/full.ts'
import { failingCommits, writable } from '../support/lmdb-commits.ts'
import { holdClock, idle, minutes, NOTHING, opened, storedIn } from '../support/lmdb-store.ts'

const all = { limit: Infinity, maxBytes: Infinity }
const MiB = 1024 * 1024

/** Returns whether a revision of a room is honoured. */
async function isRemembered (store: Store, room: string, revision: Revision): Promise<boolean> {
  const { head: { position: after } } = await store.read(room, all)
  return (await store.read(room, { ...all, after, revision })).complete
}

/** Returns the names of the kept rooms. */
async function roomsOf (store: Store): Promise<string[]> {
  const names = []
  for await (const page of store.rooms()) names.push(...page)
  return names
}

/** Calls a function with the rows of the changes of a closed directory. */
async function withRows<T> (path: string, use: (rows: { get (index: number): ChangeRow | undefined, put (index: number, row: ChangeRow): Promise<unknown> }) => Promise<T> | T): Promise<T> {
  const root = open({ path, noSubdir: false })
  const rows = root.openDB<ChangeRow, [string, number]>('changes', { encoding: 'binary' })
  const result = await use({ get: (index) => rows.getBinary(['a', index]), put: (index, row) => rows.put(['a', index], row) })
  await root.close()
  return result
}

t.test('controls, posts and changes of one tick are one commit and one page', async (t) => {
  const store = await opened(t)
  const [position] = await fill(store, 'a', 1) as [string]
  const follower = await Follower.of(store, 'a')
  const commits = t.capture(LmdbDatabase.prototype, 'commit', LmdbDatabase.prototype.commit)
  await Promise.all([
    store.append('a', says('before')),
    store.amend('a', position, edit('edited')),
    store.control('a', removal('ada', 'spam')),
    store.append('a', says('after')),
    store.control('a', reauthorization),
    store.amend('a', position, react('👍', 'bob'))
  ])
  t.equal(commits().length, 1)
  t.match(follower.pages, [{
    controls: [{ change: { number: 2 }, control: removal('ada', 'spam') }, { change: { number: 3 }, control: reauthorization }],
    entries: [{ body: 'before' }, { body: 'after' }],
    changes: [{ change: { number: 1 } }, { change: { number: 4 } }],
    head: { offset: 3, change: { number: 4 } }
  }])
})

t.test('a control is stored as it was when control() was called', async (t) => {
  const path = directory(t)
  const store = await opened(t, {}, path)
  const follower = await Follower.of(store, 'a')
  const remove = { member: 'ada "\\\u0000\ud83d', reason: 'grüße 👋' }
  const expected = structuredClone({ remove })
  const controlled = store.control('a', { remove })
  remove.member = 'bob'
  await controlled
  remove.reason = ''
  await store.control('a', { reauthorize: { member: undefined } })
  await follower.until(() => follower.controls.length === 2)
  t.strictSame(follower.controls.map(({ control }) => control), [expected, { reauthorize: {} }])
  await store.close()
  t.strictSame(await withRows(path, (rows) => [1, 2].map((index) => decodeChange(rows.get(index)!).control)), [expected, { reauthorize: {} }])
})

t.test('keys of edits are remembered with a control, also after a restart', async (t) => {
  const path = directory(t)
  const before = await opened(t, {}, path)
  const [position] = await fill(before, 'a', 1) as [string]
  const control: Control = removal('ada', 'x'.repeat(5_000))
  const { number, revision } = await before.control('a', control)
  const repeat = (key: string, hash?: string) => before.amend('a', position, { by: null, key, hash, change: { edit: { body: 'x' } } })
  for (const i of upTo(16)) t.strictSame(await repeat(`${i}`, `hash ${i}`), { number, revision, again: true })
  t.match(await repeat('17'), { number: 2, again: false }, 'as many as with a change')
  await before.close()
  t.match(await withRows(path, (rows) => decodeChange(rows.get(1)!)), { control, keys: { length: 16, 0: { hash: 'hash 1' }, 15: { hash: 'hash 16' } } })
  const store = await opened(t, {}, path)
  for (const i of upTo(16)) t.strictSame(await store.findChange('a', `${i}`), { number, revision })
  await t.rejects(store.amend('a', position, { by: null, key: '3', hash: 'other', change: { edit: { body: 'x' } } }), { code: 'FST_CHAT_REUSED' })
  t.equal((await store.control('a', control)).number, 3)
  await store.close()
  t.match(await verifyStore(path, () => {}), { rooms: 1, entries: 1 })
})

t.test('a directory of format 3 accepts controls among its changes', async (t) => {
  const path = directory(t)
  writeFileSync(join(path, 'data.mdb'), gunzipSync(readFileSync('test/support/fixtures/lmdb-format-3.mdb.gz')))
  const before = await opened(t, {}, path)
  const { head: { change } } = await before.read('a', all)
  const { number, revision } = await before.control('a', removal('ada'))
  t.equal(number, change.number + 1)
  await before.close()
  const store = await opened(t, {}, path)
  t.strictSame([await isRemembered(store, 'a', change.revision), await isRemembered(store, 'a', revision)], [true, true])
  t.equal((await store.findChange('a', 'e1'))?.number, 1)
  await store.close()
  t.match(await verifyStore(path, () => {}), { rooms: 2, entries: 6 })
})

t.test('a room that has only controls is kept for dedupWindow, then removed from disk', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, { dedupWindow: 100_000 }, path)
  const made = [await store.control('a', removal('ada')), await store.control('a', reauthorization)]
  await store.control('b', reauthorization)
  t.strictSame(await roomsOf(store), ['a', 'b'])
  await minutes(store, 1)
  t.strictSame(await Promise.all(made.map(({ revision }) => isRemembered(store, 'a', revision))), [true, true])
  await store.control('b', removal('bob'))
  await minutes(store, 1)
  t.match((await store.read('a', all)).head, { offset: 0, change: { number: 0 } })
  t.strictSame(await Promise.all(made.map(({ revision }) => isRemembered(store, 'a', revision))), [false, false], 'forgotten')
  t.strictSame(await roomsOf(store), ['b'])
  t.equal((await store.control('a', removal('ada'))).number, 1)
  t.not((await store.read('a', all)).head.change.revision, made[0]!.revision)
  await minutes(store, 4)
  await store.close()
  t.strictSame(await storedIn(path), NOTHING)
})

t.test('a followed room that has only controls keeps its numbers for ever', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, { dedupWindow: 1_000, roomTtl: 100_000 }, path)
  const follower = await Follower.of(store, 'a')
  for (const i of upTo(3)) {
    t.equal((await store.control('a', removal(`${i}`))).number, i)
    await minutes(store, 3)
  }
  t.match(follower.pages, [{ complete: true }, { complete: true }, { complete: true, head: { change: { number: 3 } } }])
  t.ok(await isRemembered(store, 'a', follower.pages[2]!.head.change.revision), 'the newest is remembered')
  follower.feed.stop()
  await minutes(store, 4)
  await store.close()
  t.strictSame(await storedIn(path), NOTHING)
})

t.test('clear begins an epoch in a room that has only controls, and delivers those before it', async (t) => {
  const path = directory(t)
  const store = await opened(t, {}, path)
  const follower = await Follower.of(store, 'a')
  const first = await store.control('a', removal('first'))
  const calls = [store.control('a', removal('with clear')), store.clear('a'), store.control('a', removal('after'))]
  const after = (await Promise.all(calls))[2]!
  t.match(follower.pages, [
    { controls: [{ control: removal('first') }], complete: true },
    { controls: [{ change: { number: 2 }, control: removal('with clear') }], complete: false, head: { offset: 0, change: { number: 0 } } },
    { controls: [{ change: after, control: removal('after') }], complete: true, head: { change: after } }
  ])
  t.strictSame([await isRemembered(store, 'a', first.revision), await isRemembered(store, 'a', after.revision)], [false, true])
  await idle(store)
  await store.close()
  t.match(await storedIn(path), { rows: 0, heads: 1, changes: 1 }, 'the earlier rows are removed')
})

t.test('a failed commit leaves no control behind; an unknown outcome is reported as a break', async (t) => {
  const store = await opened(t)
  const [position] = await fill(store, 'a', 1) as [string]
  const follower = await Follower.of(store, 'a')
  const { head } = await store.read('a', all)
  const commits = failingCommits(t)
  await t.rejects(store.control('a', removal('ada')), { code: 'FST_CHAT_UNAVAILABLE' })
  commits.error = undefined
  await writable(store)
  t.strictSame((await store.read('a', all)).head, head)
  commits.error = new StoreUnknown()
  await t.rejects(store.control('a', removal('bob')), { code: 'FST_CHAT_UNKNOWN' })
  commits.error = undefined
  await writable(store)
  const [, controlled] = await Promise.all([store.append('a', says('end')), store.control('a', removal('carol')), store.amend('a', position, edit('x'))])
  t.equal(controlled.number, 1)
  t.match(follower.pages, [
    { controls: undefined, entries: [], complete: false, head },
    { controls: [{ control: removal('carol') }], entries: [{ body: 'end' }], complete: true }
  ])
})

t.test('controls are charged while in flight, and on disk until they are removed', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, { inFlightBytes: 100_000, dedupWindow: 1_000 }, path)
  const outcomes = await Promise.allSettled(upTo(10).map((i) => store.control('a', removal(`${i}`, 'x'.repeat(4_000)))))
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => (reason as { code: string }).code)
  t.ok(refused.length > 0 && refused.length < 10, `${refused.length} refused`)
  t.strictSame(new Set(refused), new Set(['FST_CHAT_BUSY']))
  t.equal((await store.read('a', all)).head.change.number, 10 - refused.length)
  await store.control('b', reauthorization)
  await store.clear('a')
  for (const i of upTo(100)) await store.control('c', removal(`${i}`, 'x'.repeat(i * 50)))
  await minutes(store, 4)
  await store.close()
  t.strictSame(await storedIn(path), NOTHING)
})

t.test('at least the bytes of the pages in use are charged for controls', async (t) => {
  for (const [rooms, controls, size] of [[500, 1, 10], [20, 300, 10], [20, 50, 300]] as const) {
    const path = directory(t)
    const store = await opened(t, {}, path)
    await Promise.all(upTo(rooms).flatMap((room) => upTo(controls).map((i) => store.control(`room ${room}`, removal(`${i}`, 'x'.repeat(size))))))
    await store.close()
    const [{ bytes }, used] = [await storedIn(path), (await verifyStore(path, () => {})).bytes]
    // An empty store has some pages too.
    t.ok(bytes >= used - 32_768, `${bytes / used} times the bytes in use`)
  }
})

t.test('a flood of rooms with controls keeps the file within its limit, and used rooms stay', async (t) => {
  const path = directory(t)
  const [storeBytes, rooms] = [full(4, 2) * MiB, full(4_000, 2_000)]
  const store = await opened(t, { storeBytes }, path)
  let [room, largest] = [0, 0]
  const flood = async () => {
    while (room < rooms) {
      const name = `room ${++room}`
      await Promise.all(upTo(5).map((i) => store.control(name, removal(`member ${i}`, 'x'.repeat(200)))))
      largest = Math.max(largest, statSync(join(path, 'data.mdb')).size)
    }
  }
  await Promise.all(Array.from({ length: 20 }, flood))
  t.ok(largest < 1.5 * storeBytes && largest > 0.5 * storeBytes, `${largest / storeBytes} times the limit`)
  const names = await roomsOf(store)
  t.ok(names.includes(`room ${rooms}`) && !names.includes('room 1'))
  t.ok(await isRemembered(store, `room ${rooms}`, (await store.read(`room ${rooms}`, all)).head.change.revision))
})

t.test('a followed room of too many controls loses all but the newest, and no entry', async (t) => {
  const path = directory(t)
  const store = await opened(t, { storeBytes: 400_000, historyBytes: 200_000 }, path)
  const follower = await Follower.of(store, 'a')
  await fill(store, 'a', 10)
  let revision = ''
  for (const i of upTo(40)) {
    for (const controlled of await Promise.all(upTo(50).map((j) => store.control('a', removal(`${i} ${j}`, 'x'.repeat(300)))))) revision = controlled.revision
  }
  await idle(store)
  t.ok(await isRemembered(store, 'a', revision))
  t.equal((await store.read('a', all)).entries.length, 10)
  t.equal(follower.controls.length, 2_000)
  t.ok(follower.pages.every(({ complete }) => complete))
  await store.close()
  const { bytes, changes } = await storedIn(path)
  t.ok(bytes <= 400_000 && changes < 1_000, `${bytes} bytes, ${changes} changes`)
})

t.test('the newest control of a room that was too large is remembered for dedupWindow', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, { storeBytes: 6_000, dedupWindow: 100_000 }, path)
  const follower = await Follower.of(store, 'a')
  await minutes(store, 2)
  const made = await Promise.all(upTo(10).map((i) => store.control('a', removal(`${i}`, 'x'.repeat(3_000)))))
  await idle(store)
  follower.feed.stop()
  await minutes(store, 1)
  t.strictSame(await Promise.all([0, 8, 9].map((i) => isRemembered(store, 'a', made[i]!.revision))), [false, false, true])
  await minutes(store, 3)
  await store.close()
  t.strictSame(await storedIn(path), NOTHING)
})

t.test("verify reports a control that is missing or that can't be decoded", async (t) => {
  const made = async () => {
    const path = directory(t)
    const store = await opened(t, {}, path)
    await Promise.all(upTo(3).map((i) => store.control('a', removal(`${i}`))))
    await store.close()
    return path
  }
  const damages: Array<(row: Buffer) => void> = [
    (row) => row.writeUInt32LE(1_000, 16),
    (row) => row.writeUInt32LE(3, 16),
    (row) => row.write('x', 20),
    (row) => row.fill(0, 20)
  ]
  for (const damage of damages) {
    const path = await made()
    await withRows(path, async (rows) => {
      const row = Buffer.from(rows.get(2)!)
      damage(row)
      await rows.put(2, row)
    })
    await t.rejects(verifyStore(path, () => {}), { code: 'FST_CHAT_STORE_DAMAGED', message: /change 2 of the room 'a' can't be decoded/ })
  }
  const path = await made()
  const root = open({ path, noSubdir: false })
  await root.openDB('changes', { encoding: 'binary' }).remove(['a', 2])
  await root.close()
  await t.rejects(verifyStore(path, () => {}), { code: 'FST_CHAT_STORE_DAMAGED', message: /change 2 of the room 'a' is missing/ })
})

t.test("a room that can't be trimmed refuses controls until it is cleared", async (t) => {
  const path = directory(t)
  const before = await opened(t, { historyEntries: 5 }, path)
  await fill(before, 'a', 5)
  await before.close()
  const root = open({ path, noSubdir: false })
  await root.openDB('rows', { encoding: 'binary' }).remove(['a', 1])
  await root.close()
  const store = await opened(t, { historyEntries: 5 }, path)
  await store.append('a', says('x'))
  await t.rejects(store.control('a', removal('ada')), { code: 'FST_CHAT_STORE_DAMAGED' })
  await store.clear('a')
  t.equal((await store.control('a', removal('ada'))).number, 1)
})

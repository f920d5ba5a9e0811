import { open } from 'lmdb'
import t from 'tap'
import { all, append, begin, deletion, edit, end, fill, idleEnd, react, says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { verifyStore } from '../../src/drivers/lmdb/verify.ts'
import { StreamLeases } from '../../src/drivers/stream-leases.ts'
import type { Position, Store } from '../../src/store.ts'
import { directory } from '../support/directory.ts'
import { holdDate } from '../support/held-clock.ts'
import { failingCommits, writable, writtenBy } from '../support/lmdb-commits.ts'
import { holdClock, idle, minutes, NOTHING, opened, storedIn } from '../support/lmdb-store.ts'

const KiB = 1024

/** Appends pieces of equal length to a stream without text, one after another. */
async function pieces (store: Store, room: string, position: Position, count: number, length: number): Promise<void> {
  for (let i = 0; i < count; i++) await store.amend(room, position, append('x'.repeat(length), i * length))
}

t.test('a store that is opened again has each stream as it was, idle for ever', async (t) => {
  const path = directory(t)
  const before = await opened(t, {}, path)
  const draft = says('so far', { key: 'k', hash: 'h', data: '{"n":1}', from: { id: 'ada', name: 'Ada' }, streaming: true })
  const positions = [(await before.append('a', draft)).position]
  for (const text of ['', 'grüße 👋', 'reacted', 'ended', 'unfinished', 'deleted']) positions.push(await begin(before, 'a', text))
  const [, , grown, reacted, ended, unfinished, deleted] = positions as [Position, Position, Position, Position, Position, Position, Position]
  await before.amend('a', grown, append('👋é', 7))
  await before.amend('a', reacted, react('👍', 'ada'))
  await before.amend('a', ended, end)
  await before.amend('a', unfinished, idleEnd(0))
  await before.amend('a', unfinished, edit('edited'))
  await before.amend('a', deleted, deletion)
  const page = await before.read('a', all)
  t.match(page.entries, [
    { body: 'so far', data: '{"n":1}', streaming: true }, { body: '', streaming: true }, { body: 'grüße 👋👋é', streaming: true },
    { reactions: [{ count: 1 }], streaming: true }, { body: 'ended' }, { body: 'edited', unfinished: true }, { deleted: true }
  ])
  t.strictSame(page.entries.map(({ revision }) => revision === undefined), [true, true, false, false, false, false, false])
  for (const position of positions.slice(0, 4)) t.equal((await before.amend('a', position, idleEnd(1e9))).again, true, 'this process began it')
  await before.close()
  t.match(await verifyStore(path, () => {}), { rooms: 1, entries: 7 })
  const store = await opened(t, {}, path)
  t.strictSame(await store.read('a', all), page)
  t.equal((await store.append('a', draft)).again, true)
  t.equal((await store.amend('a', grown, append('!', 9))).again, false, 'it grows on')
  t.equal((await store.amend('a', grown, idleEnd(1e9))).again, true, 'this renewed it')
  t.equal((await store.amend('a', reacted, append('', 7))).again, true)
  t.equal((await store.amend('a', reacted, idleEnd(1e9))).again, true, 'so does an empty append')
  for (const position of positions.slice(0, 2)) t.equal((await store.amend('a', position, idleEnd(1e9))).again, false)
  t.match((await store.read('a', all)).entries.slice(0, 3), [{ body: 'so far', unfinished: true }, { body: '', unfinished: true }, { body: 'grüße 👋👋é!', streaming: true }])
})

t.test('a stream that grows and ends in one tick is written once, and delivered in order', async (t) => {
  const store = await opened(t)
  const follower = await Follower.of(store, 'a')
  const [position, other] = [await begin(store, 'a'), await begin(store, 'a')] as const
  const rows = writtenBy<number>(t, (written, writes) => ({
    record (room, index, record) {
      written.push(index)
      writes.record(room, index, record)
    }
  }))
  await Promise.all([
    ...upTo(100).map((i) => store.amend('a', position, append('ab', 2 * (i - 1)))),
    store.amend('a', other, append('other', 0)), store.amend('a', position, end), store.append('a', says('post'))
  ])
  t.strictSame(rows.map((each) => each.sort()), [[1, 2, 3]])
  const { entries } = await store.read('a', all)
  t.match(entries, [{ body: 'ab'.repeat(100), streaming: undefined }, { body: 'other', streaming: true }, { body: 'post' }])
  await follower.has('post')
  t.strictSame(follower.entries.map(({ body, streaming }) => [body, streaming]), [['', true], ['', true], ['post', undefined]])
  const changes = follower.pages.flatMap(({ changes }) => changes)
  t.strictSame(changes.map(({ change }) => change.number), upTo(102))
  t.match(changes.at(-1), { made: { end: true }, ended: entries[0] })
})

t.test('a stream is delivered as it began, even if it grows in the same commit', async (t) => {
  holdDate(t)
  const store = await opened(t)
  const follower = await Follower.of(store, 'a')
  const next = (await begin(store, 'a', 'first')).replace(/1$/, '2')
  const [position] = await Promise.all([begin(store, 'a', 'second'), store.amend('a', next, append('!', 6)), store.amend('a', next, end)])
  t.equal(position, next)
  await follower.has('second')
  t.match(follower.entries, [{ body: 'first', streaming: true }, { body: 'second', streaming: true, revision: undefined }])
  t.match(follower.pages.at(-1)!.changes, [{ made: { append: '!', at: 6 } }, { ended: { body: 'second!', streaming: undefined } }])
})

t.test('the growing text counts in historyBytes and trims the oldest entries', async (t) => {
  const store = await opened(t, { historyBytes: 40 * KiB })
  await fill(store, 'a', 30, 'x'.repeat(KiB))
  const position = await begin(store, 'a')
  await pieces(store, 'a', position, 20, KiB)
  await idle(store)
  const { entries } = await store.read('a', all)
  t.ok(entries.length > 15 && entries.length < 21, `${entries.length} entries`)
  t.match(entries.at(-1), { position, body: 'x'.repeat(20 * KiB), streaming: true })
  await pieces(store, 'a', await begin(store, 'a'), 60, KiB)
  await idle(store)
  t.equal((await store.read('a', all)).entries.length, 1, 'a stream is trimmed too, but never the newest entry')
})

t.test('streams are charged with at least the bytes that they use, until they are removed', async (t) => {
  holdClock(t)
  const path = directory(t)
  const options = { roomTtl: 300_000, dedupWindow: 1_000 }
  const before = await opened(t, options, path)
  await Promise.all(upTo(20).map(async (i) => {
    const position = await begin(before, `room ${i}`)
    await pieces(before, `room ${i}`, position, 40, i * 50)
    if (i % 3 === 0) await before.amend(`room ${i}`, position, i % 2 === 0 ? end : deletion)
  }))
  await before.close()
  const [{ bytes }, used] = [await storedIn(path), (await verifyStore(path, () => {})).bytes]
  // An empty store has some pages too.
  t.ok(bytes >= used - 32_768, `${bytes / used} times the bytes in use`)
  const store = await opened(t, options, path)
  await store.clear('room 1')
  await minutes(store, 8)
  await store.close()
  t.strictSame(await storedIn(path), NOTHING)
})

t.test('a failed commit leaves a stream as it was before, and its repeat continues it', async (t) => {
  const store = await opened(t)
  const position = await begin(store, 'a')
  await store.amend('a', position, append('one ', 0))
  const state = await store.read('a', all)
  const commits = failingCommits(t)
  const calls: Array<() => Promise<unknown>> = [
    () => store.amend('a', position, append('two ', 4)),
    () => store.amend('a', position, append('three', 8)),
    () => store.amend('a', position, end),
    () => store.append('a', says('', { streaming: true }))
  ]
  for (const result of await Promise.allSettled(calls.map((call) => call()))) t.match(result, { reason: { code: 'FST_CHAT_UNAVAILABLE' } })
  t.strictSame(await store.read('a', all), state)
  commits.error = undefined
  await writable(store)
  t.equal((await store.amend('a', position, idleEnd(1e9))).again, true, 'it is still renewed')
  t.match(await Promise.all(calls.map((call) => call())), [{ number: 2, again: false }, { number: 3 }, { number: 4 }, { offset: 2 }])
  t.match((await store.read('a', all)).entries, [{ body: 'one two three', streaming: undefined }, { streaming: true }])
})

t.test('an append is charged with the text that it rewrites, while it is in flight', async (t) => {
  const store = await opened(t, { inFlightBytes: 200 * KiB })
  const [long, short] = [await begin(store, 'a'), await begin(store, 'a')] as const
  await pieces(store, 'a', long, 30, KiB)
  const both = (text: string, at: number) => Promise.allSettled([long, short].map(async (position) => await store.amend('a', position, append(text, at))))
  t.match(await both('', 0), [{ value: { again: true } }, { value: { again: true } }])
  await pieces(store, 'a', short, 30, KiB)
  t.match(await both('x', 30 * KiB), [{ value: { again: false } }, { reason: { code: 'FST_CHAT_BUSY' } }])
})

t.test('streams that end, or whose entries are removed, leave no lease behind', async (t) => {
  holdClock(t)
  const store = await opened(t, { historyEntries: 10, roomTtl: 90_000, cacheBytes: 1 })
  const { prune } = StreamLeases.prototype
  let left: number[] = []
  t.intercept(StreamLeases.prototype, 'prune', {
    value (this: StreamLeases<number>, isStreaming: (index: number) => boolean) {
      const count = prune.call(this, isStreaming)
      left.push(count)
      return count
    }
  })
  const living = await begin(store, 'living', 'x')
  const ways: Record<string, (position: Position) => Promise<unknown>> = {
    ended: (position) => store.amend('ended', position, end),
    deleted: (position) => store.amend('deleted', position, deletion),
    trimmed: () => fill(store, 'trimmed', 11),
    cleared: () => store.clear('cleared'),
    again: async () => { await store.clear('again'); await fill(store, 'again', 1) }
  }
  for (const [room, remove] of Object.entries(ways)) await remove((await store.append(room, says('x', { key: 'k', streaming: true }))).position)
  const unused = await begin(store, 'unused', 'x')
  const commits = failingCommits(t)
  await t.rejects(store.append('failed', says('', { streaming: true })), { code: 'FST_CHAT_UNAVAILABLE' })
  commits.error = undefined
  await writable(store)
  const sweep = async () => {
    left = []
    await minutes(store, 1)
    await store.amend('living', living, append('', 1))
    return left
  }
  t.strictSame(await sweep(), [1, 0, 0, 0, 0, 0, 1, 0], 'the living one and the unused one are left')
  t.equal((await store.amend('living', living, idleEnd(1e9))).again, true)
  await sweep()
  t.equal(await store.get('unused', unused), undefined)
  t.strictSame(await sweep(), [1, 0], 'the removed room has none either')
  t.strictSame(await sweep(), [1])
  t.equal((await store.amend('living', living, idleEnd(1e9))).again, true)
})

t.test('verify reports a streaming entry that is not text', async (t) => {
  const path = directory(t)
  const store = await opened(t, {}, path)
  await store.amend('a', (await store.append('a', says(Uint8Array.of(1, 2, 3)))).position, react('👍', 'ada'))
  await store.close()
  const root = open({ path, noSubdir: false })
  const rows = root.openDB<Buffer, [string, number]>('rows', { encoding: 'binary' })
  const row = Buffer.from(rows.getBinary(['a', 1])!)
  row[0]! |= 32
  await rows.put(['a', 1], row)
  await root.close()
  await t.rejects(verifyStore(path, () => {}), { code: 'FST_CHAT_STORE_DAMAGED', message: /entry 1 of the room 'a' can't be decoded/ })
})

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { open } from 'lmdb'
import t, { type Test } from 'tap'
import type { Change, Head, Revision } from '../../src/change.ts'
import { says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { LmdbDatabase } from '../../src/drivers/lmdb/database.ts'
import { verifyStore } from '../../src/drivers/lmdb/verify.ts'
import { StoreUnavailable } from '../../src/errors.ts'
import { Reactions } from '../../src/drivers/reactions.ts'
import type { Entry, Position, Store } from '../../src/store.ts'
import { directory } from '../support/directory.ts'
import { full } from '../support/full.ts'
import { writable } from '../support/lmdb-commits.ts'
import { holdClock, idle, minutes, NOTHING, opened, storedIn } from '../support/lmdb-store.ts'

const all = { limit: Infinity, maxBytes: Infinity }
const MiB = 1024 * 1024
const ada = { id: 'ada', name: 'Ada' }

const edit = (body: string, data?: string): Change => ({ edit: { body, data } })
const react = (reaction: string, on = true): Change => ({ react: reaction, on })

/** Changes an entry of the room 'a'. */
const change = (store: Store, position: Position, change: Change, more: { by?: string, key?: string, since?: Revision } = {}) =>
  store.amend('a', position, { by: 'ada', hash: 'h', ...more, change })

/** Appends entries to the room 'a', all at once. Resolves with their positions. */
async function posts (store: Store, count: number, body = 'x'): Promise<Position[]> {
  return (await Promise.all(Array.from({ length: count }, (_, i) => store.append('a', says(body, { from: ada, key: `${body} ${i}` })))))
    .map(({ position }) => position)
}

/** Returns the offsets of the entries up to a position that changed after a revision, and whether that is all. */
async function changedSince (store: Store, after: Position, revision: Revision): Promise<{ offsets: number[], complete: boolean, oldest: Position | undefined }> {
  const { changed, complete, oldest } = await store.read('a', { ...all, after, revision })
  return { offsets: changed.map(({ offset }) => offset), complete, oldest }
}

t.test('a store that is opened again has every state, revision and key of before', async (t) => {
  const path = directory(t)
  const before = await opened(t, {}, path)
  const [plain, edited, deleted, reacted, mixed, last] = await posts(before, 6) as [Position, Position, Position, Position, Position, Position]
  const { position: binary } = await before.append('a', says(Uint8Array.of(1, 2), { data: '{"n":1}' }))
  const revisions = [(await before.read('a', all)).revision]
  const made = async (position: Position, made: Change, more = {}) => {
    const { number, revision, again } = await change(before, position, made, more)
    t.strictSame([number, again], [revisions.length, false])
    revisions.push(revision)
  }
  await made(edited, edit('é'.repeat(20_000), '{"n":2}'), { key: 'first' })
  await made(edited, edit('second'), { key: 'second' })
  await made(deleted, react('👍'))
  await made(deleted, { delete: true })
  for (const by of ['ada', 'bob', 'c "\\\n']) await made(reacted, react('👍'), { by })
  await made(reacted, react('👎'))
  await made(reacted, react('👎', false))
  await made(binary, react('🤖'), { by: 'bob' })
  await made(mixed, react('👍'))
  await made(mixed, edit('', '[]'), { key: 'third' })
  const state = async (store: Store) => ({
    page: await store.read('a', { ...all, for: 'bob' }),
    changed: await Promise.all(revisions.map((revision) => store.read('a', { ...all, after: last, revision, for: 'ada' }))),
    entries: await Promise.all([plain, edited, deleted, reacted, mixed, binary].map((position) => store.get('a', position, { for: 'ada' }))),
    keys: await Promise.all(['first', 'second', 'third', 'fourth'].map((key) => store.findChange('a', key)))
  })
  const known = await state(before)
  t.match(known.page.entries, [
    { offset: 1, body: 'x' },
    { offset: 2, body: 'second', editedAt: Number, revision: revisions[2] },
    { offset: 3, body: '', deleted: true, from: ada, revision: revisions[4] },
    { offset: 4, reactions: [{ reaction: '👍', count: 3, mine: true }], revision: revisions[9] },
    { offset: 5, body: '', data: '[]', reactions: [{ reaction: '👍', count: 1 }], revision: revisions[12] },
    { offset: 6, body: 'x' },
    { offset: 7, body: Uint8Array.of(1, 2), data: '{"n":1}', reactions: [{ reaction: '🤖', count: 1, mine: true }] }
  ])
  t.strictSame(known.keys.map((found) => found?.number), [1, 2, 12, undefined])
  t.notHas(known.page.entries[0], 'revision')
  t.notHas(known.page.entries[2], 'reactions')
  await before.close()
  const store = await opened(t, {}, path)
  t.strictSame(await state(store), known)
  t.strictSame(await change(store, edited, edit('again'), { key: 'first', since: revisions[0]! }), { number: 1, revision: revisions[1], again: true })
  await t.rejects(store.amend('a', edited, { by: 'ada', key: 'first', hash: 'other', change: edit('') }), { code: 'FST_CHAT_REUSED' })
  t.equal((await change(store, edited, edit('third'), { since: revisions[0]!, key: 'new' })).number, 13)
  await store.close()
  t.match(await verifyStore(path, () => {}), { rooms: 1, entries: 7 })
})

/** Creates a directory with data that the last version of a format wrote. */
function ofFormat (t: Test, format: number): string {
  const path = directory(t)
  writeFileSync(join(path, 'data.mdb'), gunzipSync(readFileSync(`test/support/fixtures/lmdb-format-${format}.mdb.gz`)))
  return path
}

/** Resolves with the number of the format of a closed directory. */
async function formatOf (path: string): Promise<number | undefined> {
  const root = open({ path, noSubdir: false })
  const format = root.openDB<number, string>('format', { encoding: 'json' }).get('number')
  await root.close()
  return format
}

t.test('a directory of format 2 is opened, and has format 4 afterwards', async (t) => {
  // A room with trimmed entries and keys, and a cleared room with an erased entry.
  const path = ofFormat(t, 2)
  t.match(await verifyStore(path, () => {}), { rooms: 2, entries: 5 }, 'verify reads it')
  const store = await opened(t, {}, path)
  const { entries, head, revision } = await store.read('a', all)
  t.match(entries, [{ body: 'text 3' }, { body: 'text 4' }, { offset: 5, body: 'text 5', from: ada, data: '{"n":1}' }])
  t.strictSame(head.change, { number: 0, revision })
  t.match((await store.read('b', all)).entries, [{ body: Uint8Array.of(1, 2, 3) }, { body: '' }])
  t.equal((await store.append('a', says('x', { key: 'k4', hash: 'h4' }))).again, true)
  const { position } = entries[0] as Entry
  t.equal((await change(store, position, edit('edited'))).number, 1)
  t.strictSame((await changedSince(store, position, revision)).offsets, [3])
  await store.close()
  t.equal(await formatOf(path), 4)
  t.match((await (await opened(t, {}, path)).read('a', all)).entries, [{ body: 'edited' }, {}, {}])
})

t.test('a directory of format 3 is opened with its changes, and has format 4 afterwards', async (t) => {
  // A room with trimmed entries and keys, and with changes; and a cleared room.
  const path = ofFormat(t, 3)
  t.match(await verifyStore(path, () => {}), { rooms: 2, entries: 6 }, 'verify reads it')
  const store = await opened(t, {}, path)
  const { entries, head } = await store.read('a', all)
  const text = (offset: number) => ({ offset, from: ada, body: `text ${offset}` })
  t.match(entries, [text(3), { body: 'edited', editedAt: Number }, { ...text(5), reactions: [{ reaction: '👍', count: 2 }] }, { body: '', deleted: true }, text(7)])
  t.strictSame(entries.filter((entry) => 'streaming' in entry || 'unfinished' in entry), [])
  t.equal(head.change.number, 4)
  t.equal((await store.findChange('a', 'e1'))?.number, 1)
  const { position } = await store.append('a', says('', { streaming: true }))
  t.equal((await change(store, position, { append: 'text', at: 0 })).number, 5)
  await store.close()
  t.equal(await formatOf(path), 4)
  t.match((await (await opened(t, {}, path)).read('a', all)).entries.at(-1), { body: 'text', streaming: true })
})

t.test('changes and posts of one tick are one commit, and each change follows its entry', async (t) => {
  const store = await opened(t)
  const [position] = await posts(store, 1) as [Position]
  const follower = await Follower.of(store, 'a')
  const commits = t.capture(LmdbDatabase.prototype, 'commit', LmdbDatabase.prototype.commit)
  await Promise.all([
    change(store, position, edit('edited')),
    store.append('a', says('y')),
    ...upTo(1_000 - 3).map((i) => change(store, position, react('👍'), { by: `${i}` })),
    change(store, position, { delete: true })
  ])
  t.equal(commits().length, 1)
  t.match(follower.pages, [{ entries: [{ body: 'y' }], head: { offset: 2, change: { number: 999 } } }])
  t.match(await store.get('a', position), { deleted: true })
})

t.test('a change without effect is not written, unless it has a key', async (t) => {
  const path = directory(t)
  const before = await opened(t, {}, path)
  const [position] = await posts(before, 1) as [Position]
  const commits = t.capture(LmdbDatabase.prototype, 'commit', LmdbDatabase.prototype.commit)
  const beginning = (await before.read('a', all)).head.change
  t.strictSame(await change(before, position, edit('x')), { ...beginning, again: true })
  t.strictSame(await change(before, position, react('👍', false)), { ...beginning, again: true })
  t.equal(commits().length, 0)
  for (const i of upTo(16)) t.strictSame(await change(before, position, edit('x'), { key: `${i}` }), { ...beginning, again: true })
  const published = await change(before, position, edit('x'), { key: '17' })
  t.match(published, { number: 1, again: false }, 'the keys of one change are bounded')
  await before.close()
  const store = await opened(t, {}, path)
  t.equal((await change(store, position, edit('later'))).number, 2)
  for (const i of upTo(16)) t.strictSame(await change(store, position, edit('x'), { key: `${i}` }), { ...beginning, again: true })
  t.match(await store.get('a', position), { body: 'later' }, 'a repeat changes nothing')
  await t.rejects(store.amend('a', position, { by: null, key: '3', hash: 'other', change: edit('x') }), { code: 'FST_CHAT_REUSED' })
})

t.test('an edit, even one without effect, is found by its key once it is on disk', async (t) => {
  const store = await opened(t)
  const [position] = await posts(store, 1) as [Position]
  await change(store, position, edit('y'), { key: 'earlier' })
  const { commit } = LmdbDatabase.prototype
  const during: Array<Promise<unknown>> = []
  let fails = true
  t.intercept(LmdbDatabase.prototype, 'commit', {
    value (this: LmdbDatabase, ...args: Parameters<typeof commit>) {
      for (const key of ['earlier', 'without effect', 'new']) during.push(store.findChange('a', key))
      return fails ? Promise.reject(new StoreUnavailable()) : commit.apply(this, args)
    }
  })
  const amend = () => Promise.allSettled([change(store, position, edit('y'), { key: 'without effect' }), change(store, position, edit('z'), { key: 'new' })])
  t.match(await amend(), [{ reason: { code: 'FST_CHAT_UNAVAILABLE' } }, { reason: { code: 'FST_CHAT_UNAVAILABLE' } }])
  t.equal(await store.findChange('a', 'without effect'), undefined)
  fails = false
  await writable(store)
  during.length = 0
  t.match(await amend(), [{ value: { number: 1, again: true } }, { value: { number: 2, again: false } }])
  t.match(await Promise.all(during), [{ number: 1 }, undefined, undefined], 'during the commit')
  t.equal((await store.findChange('a', 'without effect'))?.number, 1)
  t.equal((await store.findChange('a', 'new'))?.number, 2)
})

t.test('a room remembers ten times as many changes as entries, and the last one for ever', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, { historyEntries: 5, dedupWindow: 60_000 }, path)
  const [first, second] = await posts(store, 5) as [Position, Position]
  const revisions = [(await store.read('a', all)).revision]
  for (const i of upTo(100)) {
    revisions.push((await change(store, i === 60 ? second : first, edit(`${i}`), { key: `${i}` })).revision)
    mock.timers.tick(1)
  }
  await idle(store)
  t.match(await changedSince(store, second, revisions[49]!), { complete: false })
  t.strictSame(await changedSince(store, second, revisions[50]!), { complete: true, offsets: [2, 1], oldest: undefined }, 'the oldest remembered one')
  t.strictSame((await changedSince(store, second, revisions[60]!)).offsets, [1])
  t.equal((await change(store, first, edit('50'), { key: '50' })).again, true)
  await t.rejects(change(store, first, edit('49'), { key: '49', since: revisions[48]! }), { code: 'FST_CHAT_STALE' })
  mock.timers.tick(60_000)
  await idle(store)
  t.match(await changedSince(store, second, revisions[50]!), { complete: true, offsets: [2, 1] }, 'as long as their entries are kept')
  const last = (await posts(store, 5, 'y')).at(-1)!
  await idle(store)
  t.match(await changedSince(store, last, revisions[99]!), { complete: false })
  t.strictSame(await changedSince(store, last, revisions[100]!), { complete: true, offsets: [], oldest: undefined })
  t.equal((await store.findChange('a', '100'))?.number, 100)
  await store.close()
  t.equal((await storedIn(path)).changes, 1)
})

t.test('edits count in historyBytes; reactions have a quarter of it, and trim nothing', async (t) => {
  const store = await opened(t, { historyBytes: 20_000 })
  const [first, ...others] = await posts(store, 9, 'x'.repeat(1_000)) as [Position, ...Position[]]
  const reactions = await Promise.allSettled(upTo(500).map((i) => change(store, others[i % 8]!, react(`${i % 3}`), { by: `member ${i}` })))
  const count = reactions.findIndex(({ status }) => status === 'rejected')
  t.match(reactions[count], { reason: { code: 'FST_CHAT_TOO_MANY_REACTIONS' } })
  t.ok(count > 5_000 / 15 && count < 5_000 / 10, `${count} reactions`)
  t.equal((await store.read('a', all)).entries.length, 9)
  await change(store, others[1]!, react('1', false), { by: 'member 1' })
  await change(store, others[1]!, react('0'), { by: 'member 1' })
  await t.rejects(change(store, first, react('0'), { by: 'one more' }), { code: 'FST_CHAT_TOO_MANY_REACTIONS' })
  await change(store, others[1]!, { delete: true })
  await change(store, first, react('0'), { by: 'one more' })
  const { revision } = (await store.read('a', all))
  await change(store, others[7]!, edit('y'.repeat(14_000)))
  await idle(store)
  const { entries } = await store.read('a', all)
  t.ok(entries.length < 8 && entries.length > 3, `${entries.length} entries`)
  t.strictSame(await changedSince(store, others[7]!, revision), { complete: true, offsets: [9], oldest: undefined }, 'no trimmed entry changed since')
  await Promise.all(upTo(100).map((i) => change(store, others[7]!, react('new'), { by: `${i}` })))
  t.equal((await store.read('a', all)).entries.length, entries.length)
})

t.test('a change of an entry that was trimmed meanwhile is reported with the oldest kept position', async (t) => {
  holdClock(t)
  const store = await opened(t, { historyEntries: 3, historyAge: 90_000 })
  const [first, second, third] = await posts(store, 3) as [Position, Position, Position]
  const { revision } = await store.read('a', all)
  const since = await change(store, first, edit('edited'))
  t.strictSame(await changedSince(store, third, revision), { complete: true, offsets: [1], oldest: undefined })
  await store.append('a', says('x'))
  await t.rejects(change(store, first, edit('')), { code: 'FST_CHAT_NOT_KEPT' })
  t.strictSame(await changedSince(store, third, revision), { complete: true, offsets: [], oldest: second })
  t.strictSame(await changedSince(store, third, since.revision), { complete: true, offsets: [], oldest: undefined })
  const edited = await change(store, second, edit('edited'))
  mock.timers.tick(80_000)
  const { position: last } = await store.append('a', says('x'))
  mock.timers.tick(10_000)
  t.strictSame(await changedSince(store, last, edited.revision), { complete: true, offsets: [], oldest: undefined })
  t.strictSame(await changedSince(store, last, since.revision), { complete: true, offsets: [], oldest: last }, 'an entry that is too old but still on disk')
  await t.rejects(change(store, third, edit('')), { code: 'FST_CHAT_NOT_KEPT' })
  t.equal(await store.get('a', third), undefined)
})

t.test('resume after a storm of reactions finds each changed entry once, in order', async (t) => {
  const store = await opened(t)
  const positions = await posts(store, 10)
  const { revision } = await store.read('a', all)
  const order = [3, 7, 1, 9, 5]
  for (const round of upTo(100)) await Promise.all(order.map((i) => change(store, positions[i]!, react('👍'), { by: `${round}` })))
  const query = { limit: 2, maxBytes: Infinity, after: positions[7]! }
  const pages = [await store.read('a', { ...query, revision })]
  while (pages.at(-1)!.moreChanged) pages.push(await store.read('a', { ...query, revision: pages.at(-1)!.revision }))
  t.strictSame(pages.flatMap(({ changed }) => changed.map(({ offset }) => offset)), [4, 8, 2, 6])
  t.equal(pages.at(-1)!.revision, (await store.read('a', all)).head.change.revision)
})

t.test('a read decodes no ids of members that reacted, and yet finds the reactions of each', async (t) => {
  const store = await opened(t)
  const positions = await posts(store, 10)
  const odd = ['"', '\\', ',"', '["', '"]', '",', '\\"', '"\\', ',"ada"', 'ada","bob', '\ud83d', '\n', '1', '👍']
  const members = [...odd, 'ada', 'bob', ...upTo(80).map((i) => `member ${i} `.padEnd(60, 'x'))]
  const expected = new Map<Position, Reactions>()
  await Promise.all(positions.flatMap((position, i) => members.flatMap((by, j) => odd.filter((_, k) => (i + j * k) % 5 === 0).map((reaction) => {
    expected.set(position, expected.get(position) ?? new Reactions())
    expected.get(position)!.add(reaction, by)
    return change(store, position, react(reaction), { by })
  }))))
  const parsed = t.capture(JSON, 'parse', JSON.parse)
  for (const member of [undefined, ...members, 'nobody', 'ad']) {
    const { entries } = await store.read('a', { ...all, for: member })
    for (const { position, reactions } of entries) t.strictSame(reactions, expected.get(position)!.list(member), `for ${member ?? 'nobody'}`)
  }
  const longest = Math.max(...parsed().map(({ args: [text] }) => text.length))
  t.ok(longest < 400, `the longest text that was parsed has ${longest} characters`)
})

t.test('clear forgets changes, and their rows are removed in steps', async (t) => {
  const path = directory(t)
  const store = await opened(t, {}, path)
  const follower = await Follower.of(store, 'a')
  const heads: Head[] = []
  for (const round of upTo(3)) {
    const [position] = await posts(store, 1, `round ${round}`) as [Position]
    await Promise.all(upTo(500).map((i) => change(store, position, edit(`${round} ${i}`), { key: `${i}` })))
    heads.push((await store.read('a', all)).head)
    t.strictSame(heads.at(-1)!.change.number, 500, 'numbers begin again')
    await Promise.all([change(store, position, react('👍')), store.clear('a')])
    t.equal(await store.findChange('a', '7'), undefined)
  }
  t.match(follower.pages.at(-1), { complete: false, entries: [], head: { offset: 0, change: { number: 0 } } })
  const { position } = await store.append('a', says('new'))
  t.equal((await change(store, position, edit('edited'))).number, 1)
  for (const { position, change: { revision } } of heads) {
    await t.rejects(change(store, position, edit('x')), { code: 'FST_CHAT_NOT_KEPT' })
    t.match(await changedSince(store, position, revision), { complete: false })
    await t.rejects(change(store, position, edit('x'), { key: 'unknown', since: revision }), { code: 'FST_CHAT_STALE' })
  }
  await idle(store)
  await store.close()
  t.match(await storedIn(path), { rows: 1, heads: 1, changes: 1 })
})

t.test('a flood of changes keeps the file within its limit, and used rooms stay', async (t) => {
  const path = directory(t)
  const [storeBytes, rooms] = [full(8, 4) * MiB, full(400, 200)]
  const store = await opened(t, { storeBytes }, path)
  let [room, largest] = [0, 0]
  const flood = async () => {
    while (room < rooms) {
      const name = `room ${++room}`
      const { position } = await store.append(name, says('x'))
      await store.amend(name, position, { by: 'ada', change: edit('y'.repeat(8_000)) })
      await Promise.all(upTo(200).map((i) => store.amend(name, position, { by: `member ${i}`, change: react(i % 2 === 0 ? '👍' : '👎') })))
      largest = Math.max(largest, statSync(join(path, 'data.mdb')).size)
    }
  }
  await Promise.all(Array.from({ length: 10 }, flood))
  t.ok(largest < 1.5 * storeBytes && largest > 0.5 * storeBytes, `${largest / storeBytes} times the limit`)
  const names = []
  for await (const page of store.rooms()) names.push(...page)
  t.ok(names.includes(`room ${rooms}`) && !names.includes('room 1'))
  await store.close()
  t.match(await verifyStore(path, () => {}), { rooms: names.length })
})

t.test('charged bytes follow each change of a room and are zero once the rooms are removed', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, { historyEntries: 20, roomTtl: 300_000, dedupWindow: 1_000 }, path)
  for (const round of upTo(3)) {
    for (const i of upTo(100)) {
      const room = `room ${i % 3}`
      const { position } = await store.append(room, says('x'.repeat(i * 100), { key: `${round} ${i}`, hash: 'h' }))
      await store.amend(room, position, { by: 'ada', key: `${round} ${i}`, change: edit('y'.repeat(i % 7 * 1_000)) })
      await store.amend(room, position, { by: 'ada', change: react('👍') })
      await store.amend(room, position, { by: 'ada', change: react('👍', i % 2 === 0) })
      if (i % 7 === 0) await store.amend(room, position, { by: 'ada', change: { delete: true } })
    }
    await store.clear('room 1')
    mock.timers.tick(10_000)
  }
  await minutes(store, 8)
  await store.close()
  t.strictSame(await storedIn(path), NOTHING)
})

t.test('the changes of expired entries are removed from disk with their room', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, { historyAge: 90_000, dedupWindow: 100_000 }, path)
  await Promise.all(upTo(50).map(async (i) => {
    const { position } = await store.append(`room ${i}`, says('x'))
    await store.amend(`room ${i}`, position, { by: null, key: 'without effect', change: edit('x') })
    for (const j of upTo(i % 3)) await store.amend(`room ${i}`, position, { by: `${j}`, change: react('👍') })
    if (i % 2 === 0) await store.clear(`room ${i}`)
  }))
  t.ok((await store.read('room 1', all)).head.change.number > 0)
  await minutes(store, 4)
  t.match((await store.read('room 1', all)).head, { offset: 0, change: { number: 0 } })
  await store.close()
  t.strictSame(await storedIn(path), NOTHING)
})

t.test('at least the bytes of the pages in use are charged', async (t) => {
  for (const [rooms, edits, reactions, size] of [[500, 1, 0, 10], [20, 300, 0, 100], [50, 3, 0, 3_000], [20, 0, 300, 100]] as const) {
    const path = directory(t)
    const store = await opened(t, {}, path)
    await Promise.all(upTo(rooms).map(async (room) => {
      const { position } = await store.append(`room ${room}`, says('x', { from: ada }))
      await Promise.all([
        ...upTo(edits).map((i) => store.amend(`room ${room}`, position, { by: 'ada', key: `${i}`, hash: 'h', change: edit(`${i}`.padEnd(size)) })),
        ...upTo(reactions).map((i) => store.amend(`room ${room}`, position, { by: `member ${i}`, change: react('👍') }))
      ])
    }))
    await store.close()
    const [{ bytes }, used] = [await storedIn(path), (await verifyStore(path, () => {})).bytes]
    // An empty store has some pages too.
    t.ok(bytes >= used - 32_768, `${bytes / used} times the bytes in use`)
  }
})

t.test('a followed room that is too large by itself loses its changes before its entries', async (t) => {
  const path = directory(t)
  const store = await opened(t, { storeBytes: 400_000, historyBytes: 200_000 }, path)
  const follower = await Follower.of(store, 'a')
  const [position] = await posts(store, 100, 'x'.repeat(400)) as [Position]
  for (let i = 0; i < 40; i++) await Promise.all(upTo(200).map((j) => change(store, position, edit(`${i} ${j}`), { key: `${i} ${j}` })))
  await idle(store)
  t.equal((await store.read('a', all)).entries.length, 100)
  t.equal(follower.pages.flatMap(({ changes }) => changes).length, 8_000)
  await store.close()
  const { changes, bytes } = await storedIn(path)
  t.ok(changes < 4_000 && changes > 500, `${changes} changes`)
  t.ok(bytes <= 400_000)
})

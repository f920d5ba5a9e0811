import { mock } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { MemoryStore } from '../src/store/memory.ts'
import type { ChatStore, Draft, Page, Query } from '../src/store/store.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const all = { limit: Infinity, maxBytes: Infinity }
const says = (body: string | Uint8Array, more: Partial<Draft> = {}): Draft => ({ from: null, body, ...more })
const bodies = ({ entries }: Page) => entries.map(({ body }) => body)
const numbers = ({ entries }: Page) => entries.map(({ n }) => n)
const bytes = (page: Page) => page.entries.reduce((sum, { body }) => sum + body.length, 0)

/** Appends one after another; gives the positions. */
async function fill (store: ChatStore, room: string, count: number, body: string | Uint8Array = 'x'): Promise<string[]> {
  const positions: string[] = []
  for (let i = 0; i < count; i++) positions.push((await store.append(room, says(body))).position)
  return positions
}

/** Resolves when what was appended before has been delivered. */
function turn (): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

t.test('entries are numbered 1, 2, 3 … in the order of the calls, each room on its own', async (t) => {
  const store = new MemoryStore()
  const marks = await Promise.all([
    store.append('a', says('one')), store.append('a', says('two')), store.append('b', says('other')), store.append('a', says('three'))
  ])
  t.strictSame(marks.map(({ n, again }) => [n, again]), [[1, false], [2, false], [1, false], [3, false]])
  t.equal(new Set(marks.map(({ position }) => position)).size, 4, 'each has a position of its own')
  const page = await store.read('a', all)
  t.strictSame(bodies(page), ['one', 'two', 'three'])
  t.strictSame(page.entries.map(({ position }) => position), [marks[0], marks[1], marks[3]].map((mark) => mark?.position))
  t.strictSame(page.head, { n: 3, position: marks[3].position })
})

t.test('an entry is kept as it was given, and its time never falls', async (t) => {
  const store = new MemoryStore()
  const from = { id: 'i', name: 'ada' }
  const clock = t.intercept(Date, 'now', { value: () => 2_000, writable: true, configurable: true })
  await store.append('a', says('text', { from, data: { reply: [1] } }))
  clock.restore()
  t.intercept(Date, 'now', { value: () => 1_000, writable: true, configurable: true })
  await store.append('a', says(Buffer.from([0, 255])))
  const { entries } = await store.read('a', all)
  t.match(entries, [{ from, body: 'text', data: { reply: [1] }, at: 2_000 }, { from: null, body: Buffer.from([0, 255]), at: 2_000 }])
  t.notOk('data' in entries[1]!)
})

t.test('read', async (t) => {
  const store = new MemoryStore()
  const genesis = (await store.read('a', all)).head
  t.equal(genesis.n, 0)
  const positions = await fill(store, 'a', 10, 'x'.repeat(100))
  const [third, tenth] = [positions[2]!, positions[9]!]
  const cases: Array<[title: string, query: Query, expected: { numbers: number[], complete?: boolean, more?: boolean }]> = [
    ['the newest', { limit: 3, maxBytes: Infinity }, { numbers: [8, 9, 10], more: true }],
    ['all', all, { numbers: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }],
    ['exactly all', { limit: 10, maxBytes: 1_000 }, { numbers: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }],
    ['none of them', { limit: 0, maxBytes: Infinity }, { numbers: [], more: true }],
    ['the newest within bytes of content', { limit: 10, maxBytes: 399 }, { numbers: [8, 9, 10], more: true }],
    ['one entry, even if larger than the bytes', { limit: 10, maxBytes: 1 }, { numbers: [10], more: true }],
    ['after an entry, from there on', { ...all, after: third }, { numbers: [4, 5, 6, 7, 8, 9, 10] }],
    ['after an entry, a page', { limit: 2, maxBytes: Infinity, after: third }, { numbers: [4, 5], more: true }],
    ['after an entry, within bytes of content', { limit: 9, maxBytes: 399, after: third }, { numbers: [4, 5, 6], more: true }],
    ['after an entry, one larger than the bytes', { limit: 9, maxBytes: 1, after: third }, { numbers: [4], more: true }],
    ['after the newest', { ...all, after: tenth }, { numbers: [] }],
    ['after the genesis', { limit: 2, maxBytes: Infinity, after: genesis.position }, { numbers: [1, 2], more: true }],
    ['before an entry', { ...all, before: third }, { numbers: [1, 2] }],
    ['before an entry, a page of the nearest', { limit: 1, maxBytes: Infinity, before: third }, { numbers: [2], more: true }],
    ['before an entry, within bytes of content', { limit: 9, maxBytes: 399, before: tenth }, { numbers: [7, 8, 9], more: true }],
    ['before the first', { ...all, before: positions[0]! }, { numbers: [] }],
    ['before the genesis', { ...all, before: genesis.position }, { numbers: [] }]
  ]
  for (const [title, query, { numbers: expected, complete = true, more = false }] of cases) {
    const page = await store.read('a', query)
    t.strictSame({ numbers: numbers(page), complete: page.complete, more: page.more, head: page.head.n },
      { numbers: expected, complete, more, head: 10 }, title)
  }
})

t.test('a position that is not kept gives complete: false and the newest', async (t) => {
  const store = new MemoryStore({ historyEntries: 5 })
  const genesis = (await store.read('a', all)).head
  const positions = await fill(store, 'a', 10)
  const [other] = await fill(store, 'b', 8)
  const [elsewhere] = await fill(new MemoryStore(), 'a', 8)
  const cases: Record<string, string> = {
    'one trimmed away': positions[4]!,
    'the genesis, once trimmed past': genesis.position,
    "another room's": other!,
    "another store's": elsewhere!,
    'the number alone': '8',
    'a number not reached yet': positions[9]!.replace(/10$/, '11'),
    'a right number at a wrong time': positions[7]!.replace(/-\d+-/, '-1-'),
    'no number': `${positions[9]!.replace(/\d+$/, '')}x`,
    'a fraction': `${positions[9]!}.0`,
    nothing: '',
    nonsense: '../--9-'
  }
  for (const [title, position] of Object.entries(cases)) {
    for (const query of [{ limit: 3, maxBytes: Infinity, after: position }, { limit: 3, maxBytes: Infinity, before: position }]) {
      const page = await store.read('a', query)
      t.strictSame({ complete: page.complete, numbers: numbers(page), head: page.head.n },
        { complete: false, numbers: [8, 9, 10], head: 10 }, `${Object.keys(query)[2]} ${title}`)
    }
  }
  t.equal((await store.read('a', { ...all, after: positions[5]! })).complete, true, 'after the oldest kept')
})

t.test('a place in an empty room can be resumed', async (t) => {
  const store = new MemoryStore()
  const { head } = await store.read('a', all)
  t.match(await store.read('a', { ...all, after: head.position }), { complete: true, entries: [] })
  await fill(store, 'a', 2)
  t.match(await store.read('a', { ...all, after: head.position }), { complete: true, entries: [{ n: 1 }, { n: 2 }] })
})

t.test('a room keeps the newest entries, up to its number', async (t) => {
  const store = new MemoryStore({ historyEntries: 3 })
  for (let i = 1; i <= 5_000; i++) {
    await store.append('a', says(String(i)))
    if (i % 777 === 0) t.strictSame(bodies(await store.read('a', all)), [i - 2, i - 1, i].map(String))
  }
  const page = await store.read('a', all)
  t.strictSame([numbers(page), page.head.n, page.more], [[4_998, 4_999, 5_000], 5_000, false])
})

t.test('a room keeps the newest entries, up to its bytes, and always the last', async (t) => {
  const store = new MemoryStore({ historyBytes: 10_000 })
  await fill(store, 'a', 50, 'é'.repeat(500))
  const page = await store.read('a', all)
  t.ok(bytes(page) * 2 <= 10_000, 'bytes, not characters')
  t.ok(bytes(page) * 2 >= 5_000)
  t.equal(page.entries.at(-1)?.n, 50)
  await store.append('a', says('y'.repeat(20_000)))
  t.strictSame(numbers(await store.read('a', all)), [51])
})

t.test('what was trimmed away is no longer in memory', async (t) => {
  const store = new MemoryStore({ historyBytes: 2 * 1024 * 1024 })
  collectGarbage()
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 100; i++) await store.append('a', says(Buffer.alloc(1024 * 1024)))
  await turn()
  collectGarbage()
  const held = process.memoryUsage().arrayBuffers - before
  t.ok(held < 8 * 1024 * 1024, `${held} bytes are held`)
  t.equal((await store.read('a', all)).entries.length > 0, true)
})

t.test('what a process short of memory let go is no longer in memory', async (t) => {
  const store = new MemoryStore({ historyBytes: 1024 * 1024 * 1024, storeBytes: 4 * 1024 * 1024 })
  await store.follow('a', () => {})
  collectGarbage()
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 100; i++) {
    await store.append('a', says(Buffer.alloc(1024 * 1024)))
    await turn()
  }
  collectGarbage()
  const held = process.memoryUsage().arrayBuffers - before
  t.ok(held < 16 * 1024 * 1024, `${held} bytes are held`)
})

t.test('a known key', async (t) => {
  const store = new MemoryStore()
  const draft = says('hello', { key: 'k', hash: 'h' })
  const first = await store.append('a', draft)
  const again = await store.append('a', { ...draft, since: 'any' })
  t.strictSame(again, { ...first, again: true }, 'gives its first mark')
  t.strictSame(await store.find('a', 'k'), { n: first.n, position: first.position })
  t.equal(await store.find('a', 'other'), undefined)
  t.equal(await store.find('b', 'k'), undefined, 'is known in its room alone')
  t.equal((await store.append('b', draft)).again, false)
  await t.rejects(store.append('a', { ...draft, hash: 'other' }), { code: 'FST_CHAT_REUSED' })
  t.equal((await store.read('a', all)).entries.length, 1, 'is stored once')
  t.strictSame(await Promise.all([store.append('a', says('x', { key: 'l' })), store.append('a', says('x', { key: 'l' }))])
    .then((marks) => marks.map(({ n, again }) => [n, again])), [[2, false], [2, true]], 'also when both come at once')
})

t.test('a repeat is not delivered again', async (t) => {
  const store = new MemoryStore()
  const delivered: string[] = []
  await store.follow('a', (page) => delivered.push(...bodies(page) as string[]))
  await store.append('a', says('hello', { key: 'k' }))
  await store.append('a', says('hello', { key: 'k' }))
  await turn()
  await store.append('a', says('hello', { key: 'k' }))
  await turn()
  t.strictSame(delivered, ['hello'])
})

t.test('a key is remembered as long as its entry', async (t) => {
  const store = new MemoryStore({ historyEntries: 3, keyLife: 0 })
  for (const key of ['k1', 'k2', 'k3']) await store.append('a', says(key, { key }))
  t.equal((await store.append('a', says('k1', { key: 'k1' }))).again, true)
  await fill(store, 'a', 1)
  t.equal(await store.find('a', 'k1'), undefined)
  t.equal((await store.find('a', 'k2'))?.n, 2)
})

t.test('a key outlives its entry for its time, but there are at most ten times as many as entries', async (t) => {
  const store = new MemoryStore({ historyEntries: 2, keyLife: 60_000 })
  for (let i = 1; i <= 20; i++) await store.append('a', says('x', { key: `k${i}` }))
  t.equal((await store.append('a', says('x', { key: 'k1' }))).n, 1)
  await store.append('a', says('x', { key: 'k21' }))
  t.equal(await store.find('a', 'k1'), undefined)
  t.equal((await store.find('a', 'k2'))?.n, 2)
})

t.test('a repeat that may have been forgotten is STALE, one that cannot have been is stored', async (t) => {
  const store = new MemoryStore({ historyEntries: 2, keyLife: 0 })
  const genesis = (await store.read('a', all)).head.position
  const marks = []
  for (let i = 1; i <= 5; i++) marks.push(await store.append('a', says('x', { key: `k${i}` })))
  const [elsewhere] = await fill(new MemoryStore(), 'a', 5)
  const stale = { 'the genesis': genesis, 'before the oldest known': marks[1]!.position, 'another life': elsewhere!, nonsense: 'x', nothing: '', 'the future': marks[4]!.position.replace(/5$/, '6') }
  for (const [title, since] of Object.entries(stale)) {
    await t.rejects(store.append('a', says('x', { key: 'k1', since })), { code: 'FST_CHAT_STALE' }, title)
  }
  t.equal((await store.read('a', all)).head.n, 5, 'and is not stored')
  t.equal((await store.append('a', says('x', { key: 'new', since: marks[3]!.position }))).n, 6)
})

t.test('a follower gets exactly the entries after its head, in order, once', async (t) => {
  const store = new MemoryStore()
  await fill(store, 'a', 2)
  const first: number[] = []
  const second: number[] = []
  const feed = await store.follow('a', (page) => { t.equal(page.complete, true); first.push(...numbers(page)) })
  t.equal(feed.head.n, 2)
  await fill(store, 'a', 3)
  await fill(store, 'b', 3)
  store.append('a', says('undelivered when the second comes'))
  const late = await store.follow('a', (page) => second.push(...numbers(page)))
  t.equal(late.head.n, 6)
  await fill(store, 'a', 2)
  await turn()
  await fill(store, 'a', 1)
  await turn()
  t.strictSame([first, second], [[3, 4, 5, 6, 7, 8, 9], [7, 8, 9]])
})

t.test('delivery says the newest it gives', async (t) => {
  const store = new MemoryStore()
  const pages: Page[] = []
  await store.follow('a', (page) => pages.push(page))
  const positions = await fill(store, 'a', 3)
  await turn()
  t.equal(pages.at(-1)?.head.position, positions[2])
})

t.test('delivery comes never from within append', async (t) => {
  const store = new MemoryStore()
  let inside = false
  const seen: boolean[] = []
  await store.follow('a', () => seen.push(inside))
  for (let i = 0; i < 3; i++) {
    inside = true
    const stored = store.append('a', says('x'))
    inside = false
    await stored
    await turn()
  }
  t.strictSame(seen, [false, false, false])
})

for (const [title, arrange] of Object.entries({
  'when it is appended to in the same turn': (run: () => void) => run(),
  'when another room is about to be delivered': (run: () => void, store: ChatStore) => {
    store.append('other', says('x'))
    run()
  },
  'when it comes in a tick, ahead of a delivery': (run: () => void, store: ChatStore) => {
    queueMicrotask(() => process.nextTick(run))
    store.append('other', says('x'))
  }
})) {
  t.test(`a follower is not called before the reactions of its promise have run: ${title}`, async (t) => {
    const store = new MemoryStore()
    await store.follow('other', () => {})
    let live = false
    const delivered = new Promise<boolean>((resolve) => {
      arrange(() => {
        const following = (async () => await store.follow('a', () => resolve(live)))()
        following.then(async (feed) => feed).then(() => { live = true })
        store.append('a', says('x'))
      }, store)
    })
    t.equal(await delivered, true)
  })
}

for (const [title, thrown] of Object.entries({ 'an Error': new Error('its own'), 'a string': 'its own', nothing: undefined, 'an object': { its: 'own' } })) {
  t.test(`a follower that throws ${title} takes nothing from the others, nor from itself`, async (t) => {
    const store = new MemoryStore()
    const thrower: number[] = []
    const other: number[] = []
    await store.follow('a', (page) => {
      thrower.push(...numbers(page))
      throw thrown
    })
    await store.follow('a', (page) => other.push(...numbers(page)))
    await fill(store, 'a', 1)
    await turn()
    await fill(store, 'a', 1)
    await turn()
    t.strictSame([thrower, other], [[1, 2], [1, 2]])
  })
}

t.test('after stop, deliver is not called again', async (t) => {
  const store = new MemoryStore()
  const stopped: number[] = []
  const kept: number[] = []
  const first = await store.follow('a', () => second.stop())
  const second = await store.follow('a', (page) => stopped.push(...numbers(page)))
  await store.follow('a', (page) => kept.push(...numbers(page)))
  await fill(store, 'a', 1)
  await turn()
  t.strictSame([stopped, kept], [[], [1]], 'not even for what was under way')
  first.stop()
  first.stop()
  const third = await store.follow('a', (page) => stopped.push(...numbers(page)))
  store.append('a', says('x'))
  third.stop()
  await turn()
  t.strictSame([stopped, kept], [[], [1, 2]])
})

t.test('erasing an entry empties it and keeps its place', async (t) => {
  const store = new MemoryStore()
  const positions = await fill(store, 'a', 3)
  await store.append('a', says('secret', { from: { id: 'i', name: 'ada' }, data: { secret: true }, key: 'k' }))
  const { head } = await store.read('a', all)
  await store.erase('a', head.position)
  const page = await store.read('a', { ...all, after: positions[2]! })
  t.match(page, { complete: true, entries: [{ n: 4, body: '', position: head.position, from: { name: 'ada' } }] })
  t.notOk('data' in page.entries[0]!)
  t.match(await store.read('a', { ...all, after: head.position }), { complete: true, entries: [] })
  t.equal((await store.append('a', says('secret', { key: 'k' }))).again, true, 'its key is still known')
  for (const position of ['x', '', head.position.replace(/4$/, '9')]) await store.erase('a', position)
  await store.erase('no such room', head.position)
  t.equal((await store.read('a', all)).entries.length, 4)
})

t.test('erasing a room forgets its entries, keys and positions', async (t) => {
  const store = new MemoryStore()
  const positions = await fill(store, 'a', 3)
  await store.append('a', says('x', { key: 'k', hash: 'h' }))
  await store.erase('a')
  t.strictSame(bodies(await store.read('a', all)), [])
  t.equal(await store.find('a', 'k'), undefined)
  await fill(store, 'a', 4)
  t.equal((await store.read('a', { ...all, after: positions[2]! })).complete, false)
  await t.rejects(store.append('a', says('x', { key: 'k', since: positions[2]! })), { code: 'FST_CHAT_STALE' })
})

t.test('a follower of an erased room is told to carry on from its new beginning, and then gets all of it', async (t) => {
  const store = new MemoryStore()
  await fill(store, 'a', 5)
  const pages: Page[] = []
  await store.follow('a', (page) => pages.push(page))
  await fill(store, 'a', 1, 'before')
  await turn()
  const erased = store.erase('a')
  const same = store.append('a', says('in the same turn'))
  await Promise.all([erased, same])
  await turn()
  await fill(store, 'a', 1, 'later')
  await turn()
  t.strictSame(pages.map((page) => [page.complete, ...bodies(page)]), [[true, 'before'], [false], [true, 'in the same turn'], [true, 'later']])
  t.equal(pages[1]!.head.n + 1, pages[2]!.entries[0]!.n)
})

t.test('the least recently used room goes first, one that is followed never', async (t) => {
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
  t.equal((await store.read('followed', { ...all, after: followed! })).complete, false, 'unless no longer followed')
})

t.test('a room too many is BUSY while all others are followed', async (t) => {
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

t.test('all rooms together stay within their bytes: unfollowed ones are forgotten, then followed ones shrunk', async (t) => {
  const store = new MemoryStore({ storeBytes: 100_000 })
  await store.follow('followed', () => {})
  const names = ['followed', ...Array.from({ length: 30 }, (_, i) => `room ${i}`)]
  for (const name of names) await fill(store, name, 10, 'x'.repeat(1_000))
  const pages = []
  for (const name of names) pages.push(await store.read(name, all))
  t.ok(pages.reduce((sum, page) => sum + bytes(page), 0) <= 100_000)
  t.equal(pages.at(-1)?.entries.length, 10, 'the last written is whole')
  t.equal(pages[1]?.entries.length, 0)
  t.equal(pages[0]?.entries.at(-1)?.n, 10, 'a followed one keeps its newest')
  await fill(store, 'followed', 500, 'x'.repeat(1_000))
  t.ok(bytes(await store.read('followed', all)) <= 100_000, 'also the one being written')
  t.equal((await store.read('followed', all)).head.n, 510)
})

t.test('keys count too', async (t) => {
  const store = new MemoryStore({ storeBytes: 100_000, historyEntries: 100 })
  await store.follow('a', () => {})
  for (let i = 0; i < 2_000; i++) await store.append('a', says('', { key: `${i}`.padStart(100) }))
  let known = 0
  for (let i = 0; i < 2_000; i++) if (await store.find('a', `${i}`.padStart(100)) !== undefined) known++
  t.ok(known > 0 && known < 500, `${known} are known`)
})

t.test('keys that were forgotten count no more', async (t) => {
  const store = new MemoryStore({ storeBytes: 100_000, historyEntries: 2, keyLife: 0 })
  const [kept] = await fill(store, 'kept', 1)
  for (let i = 0; i < 2_000; i++) await store.append('a', says('', { key: `${i}`.padStart(100) }))
  t.equal((await store.read('kept', { ...all, after: kept! })).complete, true)
})

t.test('a room that nobody follows is forgotten when it was idle for long enough', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'] })
  t.teardown(() => mock.timers.reset())
  const store = new MemoryStore({ idle: 100_000 })
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

t.test('after close every call rejects CLOSED, and nothing is delivered', async (t) => {
  const store = new MemoryStore()
  const delivered: Page[] = []
  const feed = await store.follow('a', (page) => delivered.push(page))
  const last = store.append('a', says('x'))
  await store.check()
  await store.close()
  await store.close()
  t.equal((await last).n, 1)
  const calls: Record<string, () => Promise<unknown>> = {
    append: () => store.append('a', says('x')),
    find: () => store.find('a', 'k'),
    read: () => store.read('a', all),
    follow: () => store.follow('a', () => {}),
    erase: () => store.erase('a'),
    check: () => store.check()
  }
  for (const [name, call] of Object.entries(calls)) await t.rejects(call(), { code: 'FST_CHAT_STORE_CLOSED' }, name)
  feed.stop()
  await turn()
  t.strictSame(delivered, [])
})

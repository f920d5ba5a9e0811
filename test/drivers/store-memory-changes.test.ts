import { mock } from 'node:test'
import t, { type Test } from 'tap'
import type { Amendment } from '../../src/change.ts'
import { all, append, begin, bodies, deletion, edit, end, fill, numbers, react, says } from '../../src/contract/store/entries.ts'
import { MemoryStore, type MemoryStoreOptions } from '../../src/drivers/memory/store.ts'

const full = { code: 'FST_CHAT_TOO_MANY_REACTIONS' }
const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)

function open (t: Test, options: MemoryStoreOptions = {}): MemoryStore {
  const store = new MemoryStore(options)
  t.teardown(() => store.close())
  return store
}

t.test('edits count in historyBytes and trim the oldest entries, but never the newest', async (t) => {
  const store = open(t, { historyBytes: 10_000 })
  const positions = await fill(store, 'a', 5, 'x'.repeat(1_000))
  const { revision } = await store.read('a', all)
  await store.amend('a', positions[4]!, edit('y'.repeat(9_000)))
  const page = await store.read('a', { ...all, after: positions[4]!, revision })
  t.match([page.complete, page.oldest, numbers({ entries: page.changed })], [true, undefined, [5]], 'no entry that changed was trimmed')
  t.strictSame(numbers(await store.read('a', all)), [5])
  await store.amend('a', positions[4]!, edit('y'.repeat(20_000)))
  t.strictSame(numbers(await store.read('a', all)), [5], 'alone beyond the bound')
  await fill(store, 'a', 1)
  t.strictSame(numbers(await store.read('a', all)), [6])
})

t.test('an edit that trims its own entry is made, and reported to readers', async (t) => {
  const store = open(t, { historyBytes: 10_000 })
  const positions = await fill(store, 'a', 5, 'x'.repeat(1_000))
  const { revision } = await store.read('a', all)
  t.equal((await store.amend('a', positions[0]!, edit('y'.repeat(9_000)))).again, false)
  t.equal(await store.get('a', positions[0]!), undefined)
  const page = await store.read('a', { ...all, after: positions[4]!, revision })
  t.match([page.complete, page.oldest, page.changed], [true, positions[1], []])
})

t.test('edits and deletions free the bytes of what they replace', async (t) => {
  const store = open(t)
  const [first, second] = await fill(store, 'a', 2, 'x'.repeat(10_000))
  await store.amend('a', first!, react('👍', 'ada'))
  const before = store.bytes
  await store.amend('a', first!, edit('y'))
  t.ok(store.bytes < before - 9_500)
  await store.amend('a', second!, deletion)
  t.ok(store.bytes < before - 19_000)
  await store.clear('a')
  await store.read('b', all)
  await store.clear('b')
  const { bytes } = store
  await store.clear('a')
  t.equal(store.bytes, bytes)
})

t.test('a refused change, or one without an effect, takes no memory', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1e12 })
  t.teardown(() => mock.timers.reset())
  const store = open(t, { roomTtl: 60_000, historyBytes: 40_000 })
  const change = async (name: string, amendment: Amendment) => { await store.amend(name, (await store.read(name, all)).entries[0]!.position, amendment) }
  const cases: Array<[code: string | undefined, amendment: Amendment, earlier?: Amendment[], body?: Uint8Array]> = [
    ['FST_CHAT_STALE', edit('y', { key: 'k', hash: 'h', since: 'x' })],
    ['FST_CHAT_REUSED', edit('y', { key: 'k', hash: 'other' }), [edit('y', { key: 'k', hash: 'h' })]],
    ['FST_CHAT_FORBIDDEN', { ...deletion, own: 'nobody' }],
    ['FST_CHAT_DELETED', react('👍', 'ada'), [deletion]],
    ['FST_CHAT_INVALID_CHANGE', edit('y'), [], Uint8Array.of(1)],
    ['FST_CHAT_INVALID_ARGUMENT', { by: null, change: { react: '👍', on: true } }],
    ['FST_CHAT_TOO_MANY_REACTIONS', react('21', 'ada'), upTo(20).map((i) => react(`${i}`, 'ada'))],
    ['FST_CHAT_TOO_MANY_REACTIONS', react('x'.repeat(10_000), 'ada')],
    ['FST_CHAT_STREAM_ENDED', append('y', 1)],
    [undefined, append('x', 0)],
    [undefined, end],
    [undefined, edit('x')],
    [undefined, react('👍', 'ada', false)]
  ]
  for (const [i, [code = 'none', amendment, earlier = [], body = 'x']] of cases.entries()) {
    const name = `${i}`
    await fill(store, name, 1, body)
    for (const each of earlier) await change(name, each)
    const { bytes } = store
    t.equal(await change(name, amendment).then(() => 'none', ({ code }: { code: string }) => code), code)
    await t.rejects(store.amend(name, 'nonsense', react('👍', 'ada')), { code: 'FST_CHAT_NOT_KEPT' })
    t.equal(store.bytes, bytes, code)
  }
  for (const i of upTo(1_000)) {
    await store.read(`empty ${i}`, all)
    await t.rejects(store.amend(`empty ${i}`, 'nonsense', react('👍', 'ada')), { code: 'FST_CHAT_NOT_KEPT' })
  }
  mock.timers.tick(600_000)
  t.equal(store.bytes, 0, 'all rooms are removed')
})

t.test('bytes of reactions are freed when they are removed, deleted and trimmed', async (t) => {
  const store = open(t, { historyEntries: 1 })
  const post = () => fill(store, 'a', 1).then(([position]) => position!)
  const storm = async (position: string) => { for (const i of upTo(100)) await store.amend('a', position, react(`${i % 10}`, `member ${i}`)) }
  await storm(await post())
  await post()
  const { bytes } = store
  await storm(await post())
  t.ok(store.bytes > bytes + 5_000)
  await post()
  t.ok(store.bytes <= bytes + 100 * 64, 'trimmed: only the list of changes has grown')
  const position = await post()
  const before = store.bytes
  await storm(position)
  for (const i of upTo(100)) await store.amend('a', position, react(`${i % 10}`, `member ${i}`, false))
  t.ok(store.bytes - before < 500, 'removed: the list of changes is full')
  await storm(position)
  await store.amend('a', position, deletion)
  t.ok(store.bytes - before < 500, 'deleted')
})

t.test('a storm of reactions trims no entry and ends at a quarter of historyBytes', async (t) => {
  const store = open(t, { historyBytes: 40_000 })
  const positions = await fill(store, 'a', 50, 'x'.repeat(500))
  const outcomes = await Promise.allSettled(positions.flatMap((position) => upTo(20).map((i) => store.amend('a', position, react('👍', `member ${i}`)))))
  const refused = outcomes.filter(({ status }) => status === 'rejected')
  t.ok(refused.length > 0 && refused.length < outcomes.length)
  for (const outcome of outcomes) if (outcome.status === 'rejected') t.match(outcome.reason, full)
  t.equal((await store.read('a', all)).entries.length, 50)
  await t.rejects(store.amend('a', positions[49]!, react('👍', 'another')), full)
  await store.amend('a', positions[0]!, edit('y'))
  await store.amend('a', positions[0]!, deletion)
  t.equal((await store.amend('a', positions[1]!, react('👍', 'another'))).again, false, 'a deletion makes space')
})

t.test('changes are remembered as long as their entries, but no more than ten for each kept entry', async (t) => {
  const clock = mock.timers
  clock.enable({ apis: ['setInterval', 'Date'] })
  t.teardown(() => clock.reset())
  const store = open(t, { historyEntries: 10, dedupWindow: 1_000, roomTtl: Infinity })
  const { revision: beginning } = await store.read('a', all)
  const [position] = await fill(store, 'a', 1)
  const isHonoured = async (revision: string) => (await store.read('a', { ...all, after: position!, revision })).complete
  for (const i of upTo(100)) await store.amend('a', position!, edit(`${i}`))
  t.equal(await isHonoured(beginning), true)
  clock.tick(1_000_000)
  await store.amend('a', position!, edit('101'))
  t.equal(await isHonoured(beginning), false)
  const { revision } = await store.read('a', all)
  await fill(store, 'a', 10)
  clock.tick(1_000_000)
  const [last] = (await fill(store, 'a', 1))
  const since = async (revision: string) => (await store.read('a', { ...all, after: last!, revision })).complete
  t.equal(await since(revision), true)
  await store.amend('a', last!, edit('102'))
  t.equal(await since(revision), true, 'the last forgotten one')
  await store.amend('a', last!, edit('103'))
  t.equal(await since(revision), true, 'those after it are of a kept entry')
})

t.test('the list of changes and its keys are bounded, and charged', async (t) => {
  const store = open(t, { historyEntries: 100 })
  const [position] = await fill(store, 'a', 1)
  const { bytes } = store
  const amend = async (i: number, body: string) => await store.amend('a', position!, edit(body, { key: `${i}`.padStart(10), hash: 'h' }))
  for (const i of upTo(1_000)) await amend(i, `${i}`)
  const grown = store.bytes - bytes
  t.ok(grown > 200_000 && grown < 400_000)
  for (const i of upTo(5_000)) await amend(10_000 + i, `${i}`)
  t.ok(store.bytes - bytes <= grown + 100)
  for (const i of upTo(5_000)) await amend(20_000 + i, '5000')
  t.ok(store.bytes - bytes <= grown + 100, 'edits without an effect, too')
  t.equal((await amend(24_999, '5000')).again, true)
  t.equal((await store.findChange('a', '24200'.padStart(10))) !== undefined, true)
  t.equal(await store.findChange('a', '1'.padStart(10)), undefined)
})

t.test('an edit without an effect is published if its key could not be remembered otherwise', async (t) => {
  const store = open(t)
  const [position] = await fill(store, 'a', 1)
  const outcomes = []
  for (const i of upTo(2_002)) outcomes.push((await store.amend('a', position!, edit('x', { key: `${i}`, hash: 'h' }))).again)
  t.strictSame(outcomes.flatMap((again, i) => again ? [] : [i + 1]), [1_001, 2_002])
  t.equal((await store.get('a', position!))!.body, 'x')
})

t.test('changes count in storeBytes: other rooms are evicted, or the change is BUSY', async (t) => {
  const store = open(t, { storeBytes: 50_000 })
  const [other] = await fill(store, 'other', 1)
  await store.follow('a', () => {})
  const [position] = await fill(store, 'a', 1)
  await store.amend('a', position!, edit('y'.repeat(47_500)))
  t.equal(await store.get('other', other!), undefined)
  t.ok(store.bytes <= 50_000)
  const before = await store.read('a', all)
  await t.rejects(store.amend('a', position!, edit('y'.repeat(60_000))), { code: 'FST_CHAT_BUSY' })
  t.strictSame(await store.read('a', all), before)
})

t.test('streamed text counts in historyBytes as it grows', async (t) => {
  const store = open(t, { historyBytes: 10_000 })
  await fill(store, 'a', 5, 'x'.repeat(1_000))
  const position = await begin(store, 'a')
  for (const i of upTo(9)) await store.amend('a', position, append('y'.repeat(1_000), 1_000 * (i - 1)))
  t.strictSame(numbers(await store.read('a', all)), [6])
  await store.amend('a', position, append('y'.repeat(10_000), 9_000))
  t.strictSame(numbers(await store.read('a', all)), [6], 'alone beyond the bound')
  const oldest = await begin(store, 'b')
  await fill(store, 'b', 5, 'x'.repeat(1_000))
  const { revision } = await store.read('b', all)
  t.equal((await store.amend('b', oldest, append('y'.repeat(9_000), 0))).again, false)
  await t.rejects(store.amend('b', oldest, append('y', 9_000)), { code: 'FST_CHAT_NOT_KEPT' }, 'it trims itself')
  t.match(await store.read('b', { ...all, after: (await store.read('b', all)).head.position, revision }), { complete: true, changed: [], oldest: String })
})

t.test('a stream counts in storeBytes: other rooms are evicted, or the append is BUSY', async (t) => {
  const store = open(t, { storeBytes: 50_000 })
  const [other] = await fill(store, 'other', 1, 'x'.repeat(10_000))
  await store.follow('a', () => {})
  const position = await begin(store, 'a', 'x'.repeat(20_000))
  t.not(await store.get('other', other!), undefined)
  await store.amend('a', position, append('ā', 20_000))
  t.equal(await store.get('other', other!), undefined, 'a wide character doubles the text')
  const before = await store.read('a', all)
  await t.rejects(store.amend('a', position, append('y'.repeat(10_000), 20_001)), { code: 'FST_CHAT_BUSY' })
  t.strictSame(await store.read('a', all), before)
  const { bytes } = store
  t.ok(bytes > 40_000 && bytes <= 50_000)
  await store.amend('a', position, deletion)
  t.ok(store.bytes < bytes - 39_000)
})

t.test('the bytes of a lease are freed when its stream ends, is deleted or is trimmed', async (t) => {
  const store = open(t, { historyEntries: 1 })
  const position = await begin(store, 'a')
  await store.amend('a', position, append('x', 0))
  const { bytes } = store
  for (const at of [1, 1, 1]) await store.amend('a', position, append('', at))
  t.equal(store.bytes, bytes, 'a renewal takes none')
  for (const [room, amendment] of [['b', end], ['c', deletion]] as const) {
    const stream = await begin(store, room, 'x')
    const before = store.bytes
    await store.amend(room, stream, amendment)
    t.ok(store.bytes - before < 600, 'the list of changes')
  }
  await begin(store, 'd')
  const before = store.bytes
  for (let i = 0; i < 1_000; i++) await begin(store, 'd')
  t.equal(store.bytes, before)
})

t.test('a store short of memory forgets changes but the newest', async (t) => {
  const store = open(t, { storeBytes: 100_000 })
  await store.follow('a', () => {})
  const { revision: beginning } = await store.read('a', all)
  const [position] = await fill(store, 'a', 1)
  for (const i of upTo(1_000)) await store.amend('a', position!, edit(`${i}`))
  const { revision } = await store.read('a', all)
  await store.follow('b', () => {})
  await store.append('b', says('x'.repeat(90_000)))
  const read = async (revision: string) => (await store.read('a', { ...all, after: position!, revision })).complete
  t.strictSame([await read(revision), await read(beginning)], [true, false])
  t.strictSame(bodies(await store.read('a', all)), ['1000'])
  t.equal((await store.amend('a', position!, edit('next'))).number, 1_001)
})

t.test('changes of entries older than historyAge are refused, and reported to readers', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'] })
  t.teardown(() => mock.timers.reset())
  const store = open(t, { historyAge: 1_000 })
  const { revision } = await store.read('a', all)
  const [old] = await fill(store, 'a', 1)
  await store.amend('a', old!, edit('y'))
  mock.timers.tick(600)
  const [young] = await fill(store, 'a', 1)
  mock.timers.tick(600)
  await t.rejects(store.amend('a', old!, deletion), { code: 'FST_CHAT_NOT_KEPT' })
  t.equal(await store.get('a', old!), undefined)
  const page = await store.read('a', { ...all, after: young!, revision })
  t.match([page.complete, page.oldest, page.changed], [true, young, []])
})

import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { JsonLinesStore, type JsonLinesOptions } from '../../examples/custom-backend/json-lines-store.ts'
import { storeContract } from '../../src/contract/index.ts'
import { all, bodies, deletion, edit, fill, react, removal, says } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { directory } from '../support/directory.ts'
import { holdDate } from '../support/held-clock.ts'

const parent = directory(t)
void storeContract(t.test, {
  open: (name, bounds) => JsonLinesStore.open({ path: join(parent, name), ...bounds }),
  capabilities: { durable: true }
})

async function open (t: Test, options: JsonLinesOptions): Promise<JsonLinesStore> {
  const store = await JsonLinesStore.open(options)
  t.teardown(() => store.close())
  return store
}

const fileOf = (path: string, room: string) => join(path, `${Buffer.from(room).toString('hex')}.jsonl`)

t.test('an incomplete last line is discarded, and later entries are stored', async (t) => {
  const path = directory(t)
  const before = await open(t, { path })
  await fill(before, 'a', 3)
  await before.close()
  const text = await readFile(fileOf(path, 'a'), 'utf8')
  await writeFile(fileOf(path, 'a'), text.slice(0, -10))
  const torn = await open(t, { path })
  t.equal((await torn.append('a', says('after'))).offset, 3)
  await torn.close()
  t.strictSame(bodies(await (await open(t, { path })).read('a', all)), ['x', 'x', 'after'])
})

t.test('a post that could not be written is UNKNOWN; its repeat is stored once, after a break', async (t) => {
  const path = directory(t)
  const store = await open(t, { path })
  const follower = await Follower.of(store, 'a')
  await store.append('a', says('before'))
  await follower.has('before')
  await rename(fileOf(path, 'a'), join(path, 'away'))
  await mkdir(fileOf(path, 'a'))
  const draft = says('x', { key: 'k', hash: 'h' })
  await t.rejects(store.append('a', draft), { code: 'FST_CHAT_UNKNOWN' })
  await t.rejects(store.append('a', draft), { code: 'FST_CHAT_UNAVAILABLE' })
  await rm(fileOf(path, 'a'), { recursive: true })
  await rename(join(path, 'away'), fileOf(path, 'a'))
  t.match(await store.append('a', draft), { offset: 2, again: false })
  t.match(await store.append('a', draft), { offset: 2, again: true })
  await follower.has('x')
  t.strictSame(follower.pages.map(({ complete, entries }) => [complete, entries.length]), [[true, 1], [false, 0], [true, 1]])
  await store.close()
  t.strictSame(bodies(await (await open(t, { path })).read('a', all)), ['before', 'x'])
})

t.test('a control that could not be written is UNKNOWN, and followers receive a break instead', async (t) => {
  const path = directory(t)
  const store = await open(t, { path })
  const follower = await Follower.of(store, 'a')
  t.equal((await store.control('a', removal('ada'))).number, 1)
  await follower.until(() => follower.controls.length === 1)
  await rename(fileOf(path, 'a'), join(path, 'away'))
  await mkdir(fileOf(path, 'a'))
  await t.rejects(store.control('a', removal('bob')), { code: 'FST_CHAT_UNKNOWN' })
  await rm(fileOf(path, 'a'), { recursive: true })
  await rename(join(path, 'away'), fileOf(path, 'a'))
  t.equal((await store.control('a', removal('bob'))).number, 2)
  await store.append('a', says('end'))
  await follower.has('end')
  const controls = follower.pages.map(({ complete, controls = [] }) => [complete, ...controls.map(({ change }) => change.number)])
  t.strictSame(controls.slice(0, 3), [[true, 1], [false], [true, 2]])
})

t.test('a control is stored while the files have storeBytes, and the file of a room stays bounded', async (t) => {
  const path = directory(t)
  const store = await open(t, { path, storeBytes: 10_000, historyEntries: 10, dedupWindow: 0 })
  await fill(store, 'a', 1, 'x'.repeat(10_000))
  await t.rejects(store.append('a', says('x')), { code: 'FST_CHAT_BUSY' })
  for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 1_000 }, () => store.control('a', removal('ada', 'secret'))))
  t.equal((await store.read('a', all)).head.change.number, 20_000)
  const file = await readFile(fileOf(path, 'a'), 'utf8')
  t.ok(file.length < 400_000)
  t.notMatch(file, 'secret')
})

t.test('the content of deleted and cleared messages is in no file', async (t) => {
  const path = directory(t)
  const store = await open(t, { path })
  const { position } = await store.append('a', says('secret', { data: '"secret"' }))
  await store.amend('a', position, edit('secret, edited'))
  await store.amend('a', position, react('secret', 'ada'))
  await store.append('b', says('secret'))
  await store.amend('a', position, deletion)
  await store.clear('b')
  for (const name of await readdir(path)) t.notMatch(await readFile(join(path, name), 'utf8'), 'secret', name)
})

t.test('the file of a room is bounded, also when the room is read again between posts', async (t) => {
  const path = directory(t)
  for (let i = 0; i < 3; i++) {
    const store = await open(t, { path, historyEntries: 10, dedupWindow: 0 })
    await fill(store, 'a', 100, 'x'.repeat(10_000))
    await store.close()
    t.ok((await stat(fileOf(path, 'a'))).size < 600_000)
  }
})

t.test('the file of a room is bounded, also when one message is changed again and again', async (t) => {
  const path = directory(t)
  const store = await open(t, { path, historyEntries: 10, dedupWindow: 0 })
  const [position] = await fill(store, 'a', 1)
  for (let i = 0; i < 100; i++) await store.amend('a', position!, edit(`${i}`.padEnd(10_000), { key: `${i}`, hash: 'h' }))
  for (let i = 0; i < 500; i++) await store.amend('a', position!, react('x', 'ada', i % 2 === 0))
  t.ok((await stat(fileOf(path, 'a'))).size < 400_000)
})

t.test('posts are rejected while the files have storeBytes; repeats are answered', async (t) => {
  const store = await open(t, { path: directory(t), storeBytes: 10_000 })
  const draft = says('x'.repeat(10_000), { key: 'k', hash: 'h' })
  await store.append('a', draft)
  await t.rejects(store.append('b', says('x')), { code: 'FST_CHAT_BUSY' })
  t.equal((await store.append('a', draft)).again, true)
  await store.clear('a')
  t.equal((await store.append('b', says('x'))).offset, 1)
})

t.test('rooms that are not in memory are read from their files', async (t) => {
  const store = await open(t, { path: directory(t) })
  const { position } = await store.append('a', says('x'))
  for (let i = 0; i < 1_500; i++) await store.read(`room${i}`, all)
  t.match(await store.read('a', { ...all, after: position }), { complete: true, head: { offset: 1 } })
  t.equal((await store.append('a', says('x'))).offset, 2)
})

t.test('data of another format is rejected', async (t) => {
  const path = directory(t)
  await writeFile(join(path, 'store.json'), '{"format":2,"id":"x"}')
  await t.rejects(JsonLinesStore.open({ path }), {
    code: 'FST_CHAT_STORE_FORMAT',
    message: `the data in '${path}' has format 2, but this version reads and writes format 1: use the version that wrote it, or another place`
  })
  t.equal(await readFile(join(path, 'store.json'), 'utf8'), '{"format":2,"id":"x"}')
})

const mark = (room: string, offset: number) => ({ room, offset, position: `epoch-${offset}`, at: offset })
const membersOf = (path: string) => readFile(join(path, 'members.lines'), 'utf8')

t.test('read positions that could not be written are UNKNOWN, and do not move back', async (t) => {
  const path = directory(t)
  const store = await open(t, { path })
  await store.markRead('ada', [mark('a', 1)])
  await rename(join(path, 'members.lines'), join(path, 'away'))
  await mkdir(join(path, 'members.lines'))
  await t.rejects(store.markRead('ada', [mark('a', 2)]), { code: 'FST_CHAT_UNKNOWN' })
  await t.rejects(store.readPositions('ada'), { code: 'FST_CHAT_UNAVAILABLE' })
  await rm(join(path, 'members.lines'), { recursive: true })
  await rename(join(path, 'away'), join(path, 'members.lines'))
  t.strictSame(await store.readPositions('ada'), [mark('a', 1)])
  await store.markRead('ada', [mark('a', 2)])
  await store.close()
  t.strictSame(await (await open(t, { path })).readPositions('ada'), [mark('a', 2)])
})

t.test('the file of the members is bounded', async (t) => {
  const path = directory(t)
  const store = await open(t, { path })
  for (let i = 1; i <= 100; i++) await Promise.all(Array.from({ length: 100 }, (_, j) => store.markRead('ada', [mark('a', 100 * i + j)])))
  t.ok((await membersOf(path)).length < 400_000)
  t.strictSame(await store.readPositions('ada'), [mark('a', 10_099)])
})

t.test('while the files have storeBytes, a mark removes the records that were used least recently', async (t) => {
  const path = directory(t)
  const store = await open(t, { path, storeBytes: 10_000 })
  for (let i = 0; i < 10; i++) await store.markRead(`member ${i}`, [mark('a', 1), mark('b', 1)])
  await fill(store, 'a', 1, 'x'.repeat(10_000))
  await t.rejects(store.append('a', says('x')), { code: 'FST_CHAT_BUSY' })
  await store.readPositions('member 0')
  await store.markRead('new', [mark('a', 1)])
  const kept = async () => {
    const members = [...Array.from({ length: 10 }, (_, i) => `member ${i}`), 'new']
    const positions = await Promise.all(members.map((member) => store.readPositions(member)))
    return members.filter((_, i) => positions[i]!.length > 0)
  }
  t.equal((await kept()).includes('member 1'), false)
  t.match(await kept(), ['member 0', 'member 2'])
  await t.rejects(store.markRead('new', Array.from({ length: 500 }, (_, i) => mark(`${i}`, 1))), { code: 'FST_CHAT_BUSY' })
  t.strictSame(await store.readPositions('new'), [mark('a', 1)])
  await store.markRead('new', [mark('a', 2)])
  const before = await kept()
  await store.close()
  const again = await open(t, { path, storeBytes: 10_000 })
  for (const member of before) t.not((await again.readPositions(member)).length, 0, member)
  t.strictSame(await again.readPositions('member 1'), [])
})

t.test('a record is removed 90 days after its last use, also if the store was opened again', async (t) => {
  const day = 24 * 3_600_000
  holdDate(t)
  const path = directory(t)
  const store = await open(t, { path })
  await store.markRead('ada', [mark('a', 1)])
  await store.markRead('bob', [mark('a', 1)])
  await store.markRead('eve', [mark('a', 5)])
  mock.timers.tick(60 * day)
  t.strictSame(await store.readPositions('ada'), [mark('a', 1)])
  mock.timers.tick(30 * day)
  t.strictSame(await store.readPositions('bob'), [])
  await store.markRead('eve', [mark('b', 2)])
  t.strictSame(await store.readPositions('eve'), [mark('b', 2)])
  await store.close()
  const again = await open(t, { path })
  t.strictSame(await again.readPositions('bob'), [])
  t.strictSame(await again.readPositions('eve'), [mark('b', 2)])
  t.strictSame(await again.readPositions('ada'), [mark('a', 1)])
  mock.timers.tick(90 * day)
  t.strictSame(await again.readPositions('ada'), [])
})

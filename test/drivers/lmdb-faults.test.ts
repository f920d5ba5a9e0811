import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { LmdbDatabase } from '../../src/drivers/lmdb/database.ts'
import type { LmdbStoreOptions } from '../../src/drivers/lmdb/options.ts'
import { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import type { Cursor } from '../../src/store.ts'
import { directory } from '../support/directory.ts'
import { eventually } from '../support/eventually.ts'
import { Lines } from '../support/process-lines.ts'
import { all, bodies, fill, numbers, says } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { tick } from '../support/tick.ts'

const unbounded = { historyEntries: Infinity, historyBytes: Infinity }
const data = 'data.mdb'

async function open (t: Test, path: string, options: Omit<LmdbStoreOptions, 'path'> = {}, commitTimeout?: number): Promise<LmdbStore> {
  const store = await LmdbStore.open({ path, ...options }, commitTimeout)
  t.teardown(() => store.close())
  return store
}

const intrusion = (path: string, code: string) => ['--input-type=module', '-e', `
  import { readSync } from 'node:fs'
  import { open } from 'lmdb'
  const root = open({ path: ${JSON.stringify(path)}, noSubdir: false, overlappingSync: false })
  const owner = root.openDB('owner', { encoding: 'json', useVersions: true })
  ${code}`]

/** Starts a process that opens the LMDB database itself and runs this code. */
const intruder = (t: Test, path: string, code: string) => new Lines(t, intrusion(path, code))

/** Runs the same and waits for the process to end. Returns what it prints. */
const intrude = (path: string, code: string) => execFileSync(process.execPath, intrusion(path, code), { encoding: 'utf8' })

t.test('a commit that fails leaves no change behind', async (t) => {
  const path = directory(t)
  const store = await open(t, path)
  const follower = await Follower.of(store, 'a')
  const [first, second] = await fill(store, 'a', 2) as [string, string]
  const edit = (position: string, body: string, key: string) => store.amend('a', position, { by: null, key, change: { edit: { body } } })
  const react = (by: string) => store.amend('a', second, { by, change: { react: '👍', on: true } })
  await Promise.all([edit(first, 'edited', 'k1'), react('ada')])
  const state = await store.read('a', all)
  const token = intrude(path, "console.log(owner.getEntry('owner').version)")
  intrude(path, "await owner.put('owner', {}, 1)")
  const failed = [edit(first, 'lost', 'k2'), edit(first, 'edited', 'k3'), react('bob'), store.amend('a', second, { by: null, change: { delete: true } })]
  for (const change of failed) await t.rejects(change, { code: 'FST_CHAT_UNAVAILABLE' })
  intrude(path, `await owner.put('owner', {}, ${token})`)
  await eventually(() => store.check().then(() => true, () => false))
  t.strictSame(await store.read('a', all), state)
  t.equal(await store.findChange('a', 'k2'), undefined)
  t.match(await edit(first, 'again', 'k2'), { number: 3, again: false })
  t.match(await react('bob'), { number: 4, again: false })
  await follower.until(() => follower.pages.at(-1)!.head.change.number === 4)
  t.strictSame(follower.pages.flatMap(({ changes }) => changes.map(({ change: { number } }) => number)), [1, 2, 3, 4])
  t.match((await store.read('a', all)).entries, [{ body: 'again' }, { reactions: [{ count: 2 }] }])
})

t.test('a store whose directory another owner has taken stores nothing more', async (t) => {
  const path = directory(t)
  const store = await open(t, path)
  await fill(store, 'a', 1)
  await intruder(t, path, "await owner.put('owner', {}, 1)").ended
  await t.rejects(store.append('a', says('x')), { code: 'FST_CHAT_UNAVAILABLE', cause: { code: 'FST_CHAT_STORE_IN_USE' } })
  await t.rejects(store.check(), { code: 'FST_CHAT_UNAVAILABLE' })
  await store.close()
  t.strictSame(numbers(await (await open(t, path)).read('a', all)), [1])
})

t.test("a store that can't write doesn't retry its pending trim in a loop", async (t) => {
  const path = directory(t)
  const store = await open(t, path, unbounded)
  await Promise.all(Array.from({ length: 5_000 }, () => store.append('a', says('x'))))
  await store.clear('a')
  intrude(path, "await owner.put('owner', {}, 1)")
  await t.rejects(store.check(), { code: 'FST_CHAT_UNAVAILABLE' })
  const commits = t.capture(LmdbDatabase.prototype, 'commit', LmdbDatabase.prototype.commit)
  // Waits for as long as a process takes to start.
  await intruder(t, directory(t), '').ended
  t.equal(commits().length, 0)
})

t.test("a room that can't be trimmed refuses posts and edits until it is cleared", async (t) => {
  const path = directory(t)
  const store = await open(t, path, { historyEntries: 5 })
  const follower = await Follower.of(store, 'a')
  await fill(store, 'a', 5)
  intrude(path, "await root.openDB('rows', { encoding: 'binary' }).remove(['a', 1])")
  const { offset, position } = await store.append('a', says('x'))
  t.equal(offset, 6)
  await t.rejects(store.append('a', says('x')), { code: 'FST_CHAT_STORE_DAMAGED' })
  await t.rejects(store.amend('a', position, { by: null, change: { delete: true } }), { code: 'FST_CHAT_STORE_DAMAGED' })
  await follower.until(() => follower.entries.length === 6)
  t.equal((await store.append('b', says('x'))).offset, 1)
  await store.clear('a')
  t.equal((await store.append('a', says('x'))).offset, 1, 'a cleared room accepts posts')
})

t.test('while the disk hangs, the current commit is UNKNOWN and waiting posts are not stored', async (t) => {
  const path = directory(t)
  const store = await open(t, path, {}, 1_000)
  const follower = await Follower.of(store, 'a')
  const child = intruder(t, path, "root.transactionSync(() => { console.log('held'); readSync(0, Buffer.alloc(1)) })")
  await child.has(1)
  const first = store.append('a', says('first', { key: 'k' }))
  await tick()
  await tick()
  const waiting = store.append('a', says('waiting'))
  await Promise.all([
    t.rejects(first, { code: 'FST_CHAT_UNKNOWN' }),
    t.rejects(waiting, { code: 'FST_CHAT_UNAVAILABLE' })
  ])
  await t.rejects(store.append('a', says('late')), { code: 'FST_CHAT_UNAVAILABLE' })
  await t.rejects(store.check(), { code: 'FST_CHAT_UNAVAILABLE' })
  child.child.stdin!.end('\n')
  await follower.has('first')
  t.match(await store.append('a', says('first', { key: 'k' })), { offset: 1, again: true })
  await store.append('a', says('second'))
  await follower.has('second')
  t.strictSame(bodies(await store.read('a', all)), ['first', 'second'])
})

t.test('close() resolves in time while the disk hangs', async (t) => {
  const path = directory(t)
  const store = await open(t, path, {}, 1_000)
  const child = intruder(t, path, "root.transactionSync(() => { console.log('held'); readSync(0, Buffer.alloc(1)) })")
  await child.has(1)
  const unknown = t.rejects(store.append('a', says('x')), { code: 'FST_CHAT_UNKNOWN' })
  await store.close()
  await unknown
  child.child.stdin!.end('\n')
  await child.ended
})

const gone = { code: 'FST_CHAT_UNAVAILABLE', cause: { code: 'FST_CHAT_STORE_DAMAGED', message: /its data file was removed or replaced/ } }

t.test('a directory that is removed or replaced accepts no posts, even during a commit', async (t) => {
  const ways: Record<string, (path: string) => void> = {
    removed: (path) => rmSync(path, { recursive: true }),
    'without its data file': (path) => rmSync(join(path, data)),
    replaced: (path) => {
      renameSync(path, `${path}-old`)
      mkdirSync(path)
      copyFileSync(join(`${path}-old`, data), join(path, data))
    }
  }
  for (const [title, remove] of Object.entries(ways)) {
    const path = join(directory(t), 'store')
    const store = await open(t, path)
    await fill(store, 'a', 3)
    remove(path)
    const posts = await Promise.allSettled(Array.from({ length: 100 }, () => store.append('a', says('lost'))))
    t.strictSame(posts.filter(({ status }) => status === 'fulfilled'), [], title)
    await t.rejects(store.append('a', says('x')), gone, title)
    await t.rejects(store.check(), gone, title)
    await store.close()
    const another = await open(t, path)
    t.notOk(bodies(await another.read('a', all)).includes('lost'))
    await another.append('a', says('x'))
  }
})

t.test('a commit during removal of the directory is UNKNOWN, and followers restart', async (t) => {
  const path = join(directory(t), 'store')
  const store = await open(t, path)
  const [follower, other] = [await Follower.of(store, 'a'), await Follower.of(store, 'b')]
  const child = intruder(t, path, "root.transactionSync(() => { console.log('held'); readSync(0, Buffer.alloc(1)) })")
  await child.has(1)
  const post = t.rejects(store.append('a', says('x', { key: 'k' })), { code: 'FST_CHAT_UNKNOWN', cause: gone.cause })
  await tick()
  await tick()
  renameSync(path, `${path}-away`)
  child.child.stdin!.end('\n')
  await post
  await t.rejects(store.check(), gone)
  await follower.until(() => follower.pages.length > 0)
  t.match(follower.pages, [{ entries: [], complete: false, head: { offset: 1 } }])
  renameSync(`${path}-away`, path)
  await eventually(() => store.check().then(() => true, () => false))
  t.match(await store.append('a', says('x', { key: 'k' })), { offset: 1, again: true }, 'restored, the store accepts posts')
  await Promise.all(['a', 'b'].map(async (room) => await store.append(room, says('after'))))
  await Promise.all([follower, other].map(async (each) => await each.has('after')))
  t.strictSame([follower.numbers, other.numbers], [[2], [1]])
})

/** Appends until a post is refused, calls `makeSpace` and appends again. Asserts that no acknowledged entry is lost. */
async function fills (t: Test, path: string, makeSpace: () => void): Promise<void> {
  const store = await open(t, path, unbounded)
  const follower = await Follower.of(store, 'a')
  const acked: Cursor[] = []
  let failure: { code?: string, cause?: Error } | undefined
  async function post (): Promise<void> {
    while (failure === undefined) {
      try {
        acked.push(await store.append('a', says('x'.repeat(1_000))))
      } catch (error) {
        failure = error as { code: string, cause: Error }
      }
    }
  }
  await Promise.all(Array.from({ length: 100 }, post))
  t.match(failure, { code: 'FST_CHAT_UNAVAILABLE', cause: Error })
  t.comment(String(failure?.cause))
  await t.rejects(store.check(), { code: 'FST_CHAT_UNAVAILABLE' })
  t.equal((await store.read('a', all)).entries.length, acked.length, 'reads go on')
  makeSpace()
  await eventually(() => store.check().then(() => true, () => false))
  acked.push(...await Promise.all(Array.from({ length: 100 }, () => store.append('a', says('after')))))
  await follower.until(() => follower.entries.length >= acked.length)
  t.strictSame(acked.map(({ offset }) => offset), acked.map((_, i) => i + 1), 'a failed group consumed no offset')
  await store.close()
  const { entries } = await (await open(t, path, unbounded)).read('a', all)
  t.strictSame(entries.map(({ offset, position }) => ({ offset, position })), acked.map(({ offset, position }) => ({ offset, position })))
  t.strictSame(follower.entries, entries)
}

const script = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })

t.test('a full disk refuses posts, loses none, and accepts them once there is space', async (t) => {
  const path = directory(t)
  try {
    script('mount', '-t', 'tmpfs', '-o', 'size=4m', 'none', path)
  } catch (error) {
    t.pass('', { skip: `no file system can be mounted: ${(error as Error).message}` })
    return
  }
  t.teardown(() => script('umount', '-l', path))
  await t.test('a disk that fills up', (t) => fills(t, join(path, 'store'), () => script('mount', '-o', 'remount,size=64m', path)))
  await t.test('a disk that is full from the start', async (t) => {
    script('mount', '-o', 'remount,size=8m', path)
    t.throws(() => { for (;;) writeFileSync(join(path, 'ballast'), Buffer.alloc(4_096), { flag: 'a' }) }, { code: 'ENOSPC' })
    for (let left = 0; left < 20; left++) {
      const full = { code: 'FST_CHAT_STORE_UNUSABLE', message: new RegExp(`'${join(path, 'another')}'.*no space left`, 'i') }
      await t.rejects(open(t, join(path, 'another')), full, `${left} pages left`)
      truncateSync(join(path, 'ballast'), statSync(join(path, 'ballast')).size - 4_096)
    }
    script('mount', '-o', 'remount,size=64m', path)
    t.equal((await (await open(t, join(path, 'another'))).append('a', says('x'))).offset, 1)
  })
})

t.test('a file at its size limit refuses posts, loses none, and accepts them once it may grow', (t) => {
  const limit = (bytes: string) => script('prlimit', '--pid', String(process.pid), `--fsize=${bytes}:`)
  t.teardown(() => limit('unlimited'))
  limit('2000000')
  return fills(t, directory(t), () => limit('unlimited'))
})

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { open as openLmdb } from 'lmdb'
import t, { type Test } from 'tap'
import { decodeChange } from '../../src/drivers/lmdb/change-row.ts'
import { LmdbDatabase } from '../../src/drivers/lmdb/database.ts'
import type { LmdbStoreOptions } from '../../src/drivers/lmdb/options.ts'
import { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import { verifyStore } from '../../src/drivers/lmdb/verify.ts'
import { formatRevision, parseRevision } from '../../src/drivers/revision.ts'
import type { Head } from '../../src/change.ts'
import type { Cursor, Entry } from '../../src/store.ts'
import { directory } from '../support/directory.ts'
import { bodies, fill, numbers, says } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { tick } from '../support/tick.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'

const all = { limit: Infinity, maxBytes: Infinity }
const unbounded = { historyEntries: Infinity, historyBytes: Infinity }
const data = 'data.mdb'

async function open (t: Test, path: string, options: Omit<LmdbStoreOptions, 'path'> = {}, commitTimeout?: number): Promise<LmdbStore> {
  const store = await LmdbStore.open({ path, ...options }, commitTimeout)
  t.teardown(() => store.close())
  return store
}

/** The lines that a child process prints. */
class Lines extends EventEmitter {
  readonly child: ChildProcess
  readonly lines: string[] = []
  readonly ended: Promise<unknown>
  #rest = ''

  constructor (t: Test, args: string[]) {
    super()
    this.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(() => this.child.kill('SIGKILL'))
    this.ended = once(this.child, 'close')
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop()!
      this.lines.push(...lines)
      this.emit('lines')
    })
  }

  async has (count: number): Promise<void> {
    while (this.lines.length < count) await Promise.race([once(this, 'lines'), this.ended.then(() => { throw new Error('it ended') })])
  }

  async kill (): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
  }
}

/** A killed process writes no coverage, so it doesn't need tap's loader, which starts slowly. */
const writer = (t: Test, path: string, atOnce: number, fixture = 'lmdb-writer') =>
  new Lines(t, [...typescriptArguments, `test/support/fixtures/${fixture}.ts`, path, String(atOnce)])

/** Returns the number of printed lines after which a writer is killed: at once, or in the middle of many writes. */
const killAfter = (atOnce: number) => atOnce === 1 ? 2 + Math.floor(Math.random() * 20) : 300 + Math.floor(Math.random() * 2_000)

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

t.test('a store killed with SIGKILL repeatedly keeps all acknowledged entries, once and in order', async (t) => {
  const path = directory(t)
  const acked: string[] = []
  for (const atOnce of [1, 256, 64, 1_000, 7, 500]) {
    const child = writer(t, path, atOnce)
    await child.has(killAfter(atOnce))
    await child.kill()
    acked.push(...child.lines.slice(1))
  }
  const { entries } = await (await open(t, path, unbounded)).read('room', all)
  t.strictSame(entries.map(({ offset }) => offset), entries.map((_, i) => i + 1), 'no gap')
  t.equal(new Set(entries.map(({ body }) => body)).size, entries.length, 'no duplicate')
  t.strictSame(acked.filter((line) => line !== `${line.split(' ')[0]} ${String(entries[Number(line.split(' ')[0]) - 1]?.body)}`), [])
  t.ok(acked.length > 1_000, `${acked.length} acknowledged, ${entries.length} stored`)
})

/** Returns the number of an entry's last change; 0 for none. */
const numberOf = ({ revision }: Entry) => revision === undefined ? 0 : Number(revision.split('-c')[1])

t.test('a store killed with SIGKILL repeatedly keeps all acknowledged changes, once and in order', async (t) => {
  const path = directory(t)
  const before = await open(t, path)
  const { revision } = await before.read('room', all)
  await before.close()
  const acked: Array<{ position: string, kind: string, number: number, count: number }> = []
  for (const atOnce of [1, 256, 64, 7]) {
    const child = writer(t, path, atOnce, 'lmdb-changer')
    await child.has(killAfter(atOnce))
    await child.kill()
    for (const line of child.lines.slice(1)) {
      const [position = '', kind = '', ...numbers] = line.split(' ')
      const [number, count] = numbers.map(Number) as [number, number]
      acked.push({ position, kind, number, count })
    }
  }
  const store = await open(t, path, unbounded)
  const { entries, head } = await store.read('room', all)
  const stored = new Map(entries.map((entry) => [entry.position, entry]))
  const lastAcked = new Map(acked.map(({ position, kind, count }) => [`${position} ${kind}`, count]))
  const isKept = ({ position, kind, number, count }: typeof acked[number]): boolean => {
    const entry = stored.get(position)
    if (entry === undefined || numberOf(entry) < number) return false
    if (entry.deleted === true || kind === 'post') return true
    const now = kind === 'edit' ? Number(entry.body) : kind === 'react' ? entry.reactions?.[0]?.count ?? 0 : 0
    // The change after the last acknowledged one of an entry may be stored.
    return now >= count && now <= lastAcked.get(`${position} ${kind}`)! + 1
  }
  t.strictSame(acked.filter((change) => !isKept(change)), [])
  const numbers = acked.map(({ number }) => number).filter((number) => number > 0)
  t.equal(new Set(numbers).size, numbers.length, 'no number twice')
  t.ok(numbers.length > 500 && head.change.number >= numbers.length, `${numbers.length} changes acknowledged, ${head.change.number} stored`)
  const since = await store.read('room', { ...all, after: head.position, revision })
  const changed = entries.filter((entry) => entry.revision !== undefined).sort((a, b) => numberOf(a) - numberOf(b))
  t.match(since, { complete: true, moreChanged: false, oldest: undefined })
  t.strictSame(since.changed, changed, 'the list of changes leads to each changed entry')
})

t.test('a store killed with SIGKILL repeatedly keeps all acknowledged pieces of streams', async (t) => {
  const path = directory(t)
  const before = await open(t, path)
  const { revision } = await before.read('room', all)
  await before.close()
  const acked = new Map<string, { pieces: number, isEnded: boolean }>()
  const acknowledged: number[] = []
  for (const atOnce of [1, 64, 7, 256]) {
    const child = writer(t, path, atOnce, 'lmdb-streamer')
    await child.has(killAfter(atOnce))
    await child.kill()
    for (const line of child.lines.slice(1)) {
      const [position = '', kind = '', number, pieces] = line.split(' ')
      acked.set(position, { pieces: Number(pieces), isEnded: kind === 'end' })
      if (kind !== 'begin') acknowledged.push(Number(number))
    }
  }
  t.equal(new Set(acknowledged).size, acknowledged.length, 'no number twice')
  const store = await open(t, path, unbounded)
  const { entries, head } = await store.read('room', all)
  const texts = Array.from({ length: 31 }, (_, count) => Array.from({ length: count }, (_, i) => `${i + 1} é👋 `).join(''))
  const isKept = ({ position, body, streaming, unfinished }: Entry) => {
    const { pieces, isEnded } = acked.get(position) ?? { pieces: 0, isEnded: false }
    const stored = texts.indexOf(String(body))
    // The piece or the end after the last acknowledged one may be stored.
    return stored >= pieces && stored <= pieces + 1 && unfinished === undefined && (streaming === true ? !isEnded : isEnded || pieces === 30)
  }
  t.strictSame(entries.filter((entry) => !isKept(entry)), [])
  const stored = new Set(entries.map(({ position }) => position))
  t.strictSame([...acked.keys()].filter((position) => !stored.has(position)), [])
  const since = await store.read('room', { ...all, after: head.position, revision })
  t.strictSame(since.changed, entries.filter((entry) => entry.revision !== undefined).sort((a, b) => numberOf(a) - numberOf(b)))
  const streaming = entries.filter((entry) => entry.streaming === true)
  t.ok(streaming.length > 0 && acknowledged.length > 500, `${streaming.length} streaming, ${acknowledged.length} pieces acknowledged`)
  const unfinished = { by: null, idle: 1e9, change: { end: true, unfinished: true } } as const
  await Promise.all(streaming.map(async ({ position }) => { t.equal((await store.amend('room', position, unfinished)).again, false) }))
  await store.close()
  t.match(await verifyStore(path, () => {}), { entries: entries.length })
  const ended = (await (await open(t, path, unbounded)).read('room', all)).entries
  t.strictSame(ended.map(({ body }) => body), entries.map(({ body }) => body))
  t.strictSame(ended.filter((entry) => entry.streaming === true), [])
  t.equal(ended.filter((entry) => entry.unfinished === true).length, streaming.length)
})

t.test('a store killed with SIGKILL repeatedly remembers all acknowledged controls', async (t) => {
  const path = directory(t)
  const acked: Array<{ number: number, revision: string, member: string }> = []
  for (const atOnce of [1, 256, 64, 7]) {
    const child = writer(t, path, atOnce, 'lmdb-remover')
    await child.has(killAfter(atOnce))
    await child.kill()
    for (const line of child.lines.slice(1)) {
      const [number, revision = '', member = ''] = line.split(' ')
      acked.push({ number: Number(number), revision, member })
    }
  }
  t.ok(acked.length > 500, `${acked.length} acknowledged`)
  t.equal(new Set(acked.map(({ number }) => number)).size, acked.length, 'no number twice')
  const store = await open(t, path, unbounded)
  const { head } = await store.read('room', all)
  t.ok(head.change.number >= acked.length)
  for (const { revision } of [acked[0]!, ...acked.slice(-20)]) {
    t.match(await store.read('room', { ...all, after: head.position, revision }), { complete: true, changed: [], revision: head.change.revision })
  }
  t.equal((await store.control('room', { reauthorize: {} })).number, head.change.number + 1)
  await store.close()
  await verifyStore(path, () => {})
  const root = openLmdb({ path, noSubdir: false })
  const rows = root.openDB<Buffer, [string, number]>('changes', { encoding: 'binary' })
  const stored = acked.map(({ number }) => {
    const { at, control } = decodeChange(rows.getBinary(['room', number])!)
    const { epoch } = parseRevision(head.change.revision)!
    return { number, revision: formatRevision(epoch, at, number), member: control !== undefined && 'remove' in control ? control.remove.member : '' }
  })
  await root.close()
  t.strictSame(stored, acked)
})

t.test('a store killed with SIGKILL repeatedly keeps all acknowledged read positions', async (t) => {
  const path = directory(t)
  const acked = new Map<string, { offset: number, at: number }>()
  let count = 0
  for (const atOnce of [1, 256, 64, 7]) {
    const child = writer(t, path, atOnce, 'lmdb-marker')
    await child.has(killAfter(atOnce))
    await child.kill()
    for (const line of child.lines.slice(1)) {
      const [member = '', offset, at] = line.split(' ')
      acked.set(member, { offset: Number(offset), at: Number(at) })
      count++
    }
  }
  t.ok(count > 500, `${count} acknowledged`)
  const store = await open(t, path)
  const { head } = await store.read('room', all)
  for (const [member, { offset, at }] of acked) {
    const [position] = await store.readPositions(member, 'room')
    t.ok(position!.offset >= offset && position!.at >= at && position!.offset <= head.offset, member)
  }
  await store.close()
  await verifyStore(path, () => {})
})

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
  while (await store.check().then(() => false, () => true)) await tick()
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
  while (await store.check().then(() => false, () => true)) await tick()
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
  while (await store.check().then(() => false, () => true)) await tick()
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

/** Creates a store with ten rooms, whose entries were edited. Returns the content of its data file. */
async function storedFile (t: Test, perRoom: number, text: (i: number) => string): Promise<Buffer> {
  const path = directory(t)
  const store = await LmdbStore.open({ path, ...unbounded })
  const post = async (i: number, key: string) => {
    const { position } = await store.append(`room ${i % 10}`, says('', { key }))
    await store.amend(`room ${i % 10}`, position, { by: null, key, change: { edit: { body: text(i) } } })
  }
  for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: perRoom * 10 }, (_, i) => post(i, `${round} ${i}`)))
  await store.close()
  return readFileSync(join(path, data))
}

/** Creates a directory with this content of the data file. */
function restored (t: Test, content: Uint8Array): string {
  const path = directory(t)
  writeFileSync(join(path, data), content)
  return path
}

const PAGE = 4_096

/** Returns a copy of a file in which `overwrite` changed one page. */
function withPage (file: Buffer, page: number, overwrite: (bytes: Buffer) => void): Buffer {
  const copy = Buffer.from(file)
  overwrite(copy.subarray(page * PAGE, (page + 1) * PAGE))
  return copy
}

const scratch = (bytes: Buffer) => { randomBytes(bytes.length).copy(bytes) }
const zero = (bytes: Buffer) => { bytes.fill(0) }

t.test('a file that is truncated or has a damaged beginning is rejected when the store opens', async (t) => {
  const whole = await storedFile(t, 70, (i) => 'x'.repeat(i))
  const cases: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    'random bytes': randomBytes(100_000),
    'a text': Buffer.from('hello'),
    'truncated after its meta pages': whole.subarray(0, 2 * PAGE),
    'truncated within its meta pages': whole.subarray(0, 5_000),
    'truncated in the middle': whole.subarray(0, (whole.length / PAGE >> 1) * PAGE),
    'with a random first page': withPage(whole, 0, scratch),
    'with a random second page': withPage(whole, 1, scratch),
    'zeroed after its meta pages': Buffer.concat([whole.subarray(0, 2 * PAGE), Buffer.alloc(whole.length - 2 * PAGE)])
  }
  for (const [title, content] of Object.entries(cases)) {
    const path = restored(t, content)
    await t.rejects(open(t, path), { code: 'FST_CHAT_STORE_DAMAGED' }, title)
    await t.rejects(open(t, path), { code: 'FST_CHAT_STORE_DAMAGED' }, `${title}, again`)
  }
  t.equal((await (await open(t, restored(t, whole))).append('room 1', says('x'))).offset, 211, 'an intact file is accepted')
})

t.test('a file that ends before its last page is accepted if no page in use is missing', async (t) => {
  const whole = await storedFile(t, 10, () => 'x')
  const [first, second] = [whole.readBigUInt64LE(24 + 128), whole.readBigUInt64LE(PAGE + 24 + 128)]
  const lastPage = (first > second ? 0 : PAGE) + 24 + 120
  whole.writeBigUInt64LE(whole.readBigUInt64LE(lastPage) + 10n, lastPage)
  const path = restored(t, whole)
  const store = await open(t, path)
  t.equal((await store.append('room 1', says('x'))).offset, 31)
  t.equal((await store.read('room 1', all)).entries.length, 31)
})

t.test('with verify, damage to any page in use is rejected when the store opens', async (t) => {
  const whole = await storedFile(t, 7, (i) => 'x'.repeat(i % 7 * 500))
  let damaged = 0
  for (let page = 2; page < whole.length / PAGE; page++) {
    try {
      const store = await open(t, restored(t, withPage(whole, page, scratch)), { verify: true })
      for (let room = 0; room < 10; room++) await store.read(`room ${room}`, all)
      await store.append('room 1', says('x'))
      await store.close()
    } catch (error) {
      t.equal((error as { code: string }).code, 'FST_CHAT_STORE_DAMAGED')
      damaged++
    }
  }
  t.ok(damaged > 20, `damage detected ${damaged} times`)
})

t.test('without verify, a zeroed page is reported by the reads and writes that need it', async (t) => {
  const whole = await storedFile(t, 7, (i) => 'x'.repeat(i % 7 * 500))
  const counts = { open: 0, read: 0, resume: 0, post: 0, edit: 0, control: 0, fine: 0 }
  const intact = await LmdbStore.open({ path: restored(t, whole) })
  const heads = new Map<string, Head>(await Promise.all(Array.from({ length: 10 }, async (_, i) => [`room ${i}`, (await intact.read(`room ${i}`, all)).head] as const)))
  await intact.close()
  for (let page = 2; page < whole.length / PAGE; page++) {
    let store: LmdbStore
    try {
      store = await open(t, restored(t, withPage(whole, page, zero)))
    } catch (error) {
      t.match(error, { code: 'FST_CHAT_STORE_DAMAGED' })
      counts.open++
      continue
    }
    const calls: Record<'read' | 'resume' | 'post' | 'edit' | 'control', (room: string) => Promise<unknown>> = {
      read: (room) => store.read(room, all),
      resume: (room) => {
        const { position: after, change: { revision } } = heads.get(room)!
        return store.read(room, { ...all, after, revision: revision.replace(/-c\d+$/, '-c1') })
      },
      post: (room) => store.append(room, says('x')),
      edit: (room) => store.amend(room, heads.get(room)!.position, { by: null, key: 'x', change: { edit: { body: 'x' } } }),
      control: (room) => store.control(room, { reauthorize: {} })
    }
    for (const call of ['read', 'resume', 'post', 'edit', 'control'] as const) {
      const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => calls[call](`room ${i}`)))
      for (const outcome of outcomes) {
        counts[outcome.status === 'fulfilled' ? 'fine' : call]++
        // LMDB may miss that the page of a room's head is zeroed. The room is empty then.
        if (outcome.status === 'rejected') t.match(outcome.reason, { code: call === 'edit' ? /STORE_DAMAGED|NOT_KEPT/ : 'FST_CHAT_STORE_DAMAGED' })
      }
    }
    await store.close()
  }
  t.strictSame(Object.values(counts).filter((count) => count < 2), [], JSON.stringify(counts))
})

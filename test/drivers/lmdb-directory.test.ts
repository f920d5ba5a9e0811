import { execFileSync } from 'node:child_process'
import cluster from 'node:cluster'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readlinkSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { bodies, says } from '../../src/contract/store/entries.ts'
import { DirectoryLock } from '../../src/drivers/lmdb/directory-lock.ts'
import { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import { run } from '../support/command.ts'
import { command } from '../support/compiled.ts'
import { directory } from '../support/directory.ts'
import { started } from '../support/program.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'

const all = { limit: Infinity, maxBytes: Infinity }
const inUse = { code: 'FST_CHAT_STORE_IN_USE' }

async function open (t: Test, path: string): Promise<LmdbStore> {
  const store = await LmdbStore.open({ path })
  t.teardown(() => store.close())
  return store
}

const fixture = 'test/support/fixtures/lmdb-writer.ts'

/** Starts a process that opens the store of a directory. */
const owner = (t: Test, path: string) => started(t, process.execPath, [...typescriptArguments, fixture, path])

/** Returns the files of a directory that this process has open. */
function openFiles (path: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`)
    } catch {
      // The descriptor of this listing.
      return []
    }
  }).filter((file) => file.startsWith(path))
}

t.test('a directory of another process is refused, without opening LMDB, until it ends', async (t) => {
  const path = directory(t)
  const { child, printed, end } = owner(t, path)
  await printed(/open/)
  const message = `the store in '${path}' is in use by process ${child.pid} on '${hostname().slice(0, 20)}'`
  for (let i = 0; i < 3; i++) {
    const refused = t.rejects(open(t, path), { ...inUse, message })
    t.strictSame(openFiles(path), [], 'no file of the store is open')
    await refused
  }
  await end('SIGKILL')
  t.equal((await (await open(t, path)).append('a', says('x'))).offset, 1)
  t.equal(readdirSync(join(path, 'owner')).length, 1, 'the socket of the killed process is removed')
  t.strictSame(readdirSync(path).sort(), ['data.mdb', 'lock.mdb', 'owner'], 'no other file is left')
})

t.test('an owner that is stopped keeps its directory, even if its queue of connections is full', async (t) => {
  const path = directory(t)
  const { child, printed } = owner(t, path)
  await printed(/open/)
  child.kill('SIGSTOP')
  for (let i = 0; i < 6; i++) {
    const results = await Promise.allSettled(Array.from({ length: 100 }, () => LmdbStore.open({ path })))
    t.strictSame(results.filter((result) => result.status === 'fulfilled' || (result.reason as { code: string }).code !== inUse.code), [])
  }
})

t.test('a directory of a dead owner can be opened although another process has its process id', async (t) => {
  const path = directory(t)
  const { child, printed, end } = owner(t, path)
  await printed(/open/)
  await end('SIGKILL')
  const [socket = ''] = readdirSync(join(path, 'owner'))
  renameSync(join(path, 'owner', socket), join(path, 'owner', socket.replace(String(child.pid), String(process.pid))))
  await t.resolves(open(t, path))
})

t.test('exactly one of several stores that open a directory at the same time succeeds', async (t) => {
  const path = directory(t)
  const { printed, end } = owner(t, path)
  await printed(/open/)
  await end('SIGKILL')
  for (const title of ['after a killed owner', 'after a closed owner', 'again']) {
    const results = await Promise.allSettled(Array.from({ length: 30 }, () => LmdbStore.open({ path })))
    const stores = results.flatMap((result) => result.status === 'fulfilled' ? [result.value] : [])
    const codes = results.flatMap((result) => result.status === 'rejected' ? [(result.reason as { code: string }).code] : [])
    t.equal(stores.length, 1, title)
    t.strictSame([...new Set(codes)], [inUse.code], title)
    await Promise.all(stores.map((store) => store.close()))
  }
})

t.test('a lock that is released during the attempt of another one is acquired by it', async (t) => {
  const path = directory(t)
  const lock = await DirectoryLock.acquire(path)
  const next = DirectoryLock.acquire(path)
  // Long enough for a connection to the socket, which the system completes in the next tick.
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => process.nextTick(resolve))
  lock.release()
  await t.resolves(next.then((lock) => lock.release()))
})

t.test('exactly one of several processes that open a directory at the same time succeeds', async (t) => {
  const path = directory(t)
  const processes = Array.from({ length: 4 }, () => owner(t, path))
  const outcomes = await Promise.all(processes.map(({ printed }) => printed(/^open|FST_CHAT_\w+/m)))
  t.strictSame(outcomes.map(([outcome]) => outcome).sort(), [inUse.code, inUse.code, inUse.code, 'open'])
})

t.test('two containers with one volume: the second is refused until the first ends', async (t) => {
  const isolated = ['--pid', '--fork', '--kill-child', '--mount-proc', '--net', '--uts']
  try {
    execFileSync('unshare', [...isolated, 'true'], { stdio: 'pipe' })
  } catch (error) {
    t.pass('', { skip: `no namespace can be created: ${(error as Error).message}` })
    return
  }
  const path = directory(t)
  // In each container, the server has process id 1.
  const container = () => run(t, [...isolated, ...command, 'serve', '--port', '0', '--data', path], { file: 'unshare' })
  const first = container()
  await first.seen(/Server listening/)
  const message = `the store in '${path}' is in use by process 1 on '${hostname().slice(0, 20)}'\n`
  t.match(await container().ended, { code: 1, stderr: message })
  await t.rejects(open(t, path), inUse, 'outside of the containers')
  first.child.kill('SIGKILL')
  await first.ended
  await container().seen(/Server listening/)
})

t.test('worker threads share no directory, with each other or with the main thread', async (t) => {
  const path = directory(t)
  const thread = () => {
    const worker = new Worker(`./${fixture}`, { argv: [path], stdout: true, stderr: true })
    t.teardown(() => worker.terminate())
    return worker
  }
  const store = await open(t, path)
  t.match(await once(thread(), 'error'), [inUse])
  await store.close()
  const worker = thread()
  await once(worker.stdout, 'data')
  await t.rejects(open(t, path), inUse)
  t.match(await once(thread(), 'error'), [inUse])
  await worker.terminate()
  t.equal((await (await open(t, path)).append('a', says('x'))).offset, 1)
})

t.test('the workers of a cluster share no directory', async (t) => {
  cluster.setupPrimary({ exec: fixture, args: [directory(t)], execArgv: [...typescriptArguments], silent: true })
  const fork = () => {
    const worker = cluster.fork()
    t.teardown(() => worker.process.kill('SIGKILL'))
    return worker
  }
  await once(fork().process.stdout!, 'data')
  t.match(await text(fork().process.stderr!), inUse.code)
})

t.test('a directory is refused under any path until it is closed', async (t) => {
  const parent = directory(t)
  const path = join(parent, 'store')
  const store = await open(t, path)
  symlinkSync(path, join(parent, 'link'))
  for (const other of [path, join(path, '..', 'store'), join(parent, 'link')]) await t.rejects(open(t, other), inUse)
  await store.append('a', says('x'))
  await store.close()
  t.strictSame(bodies(await (await open(t, join(parent, 'link'))).read('a', all)), ['x'])
})

t.test('a directory that is moved while it is open stays in use at its new path', async (t) => {
  const [before, after] = ['before', 'after'].map((name) => join(directory(t), name)) as [string, string]
  const store = await open(t, before)
  renameSync(before, after)
  await t.rejects(open(t, after), inUse)
  const another = await open(t, before)
  t.equal((await another.append('a', says('x'))).offset, 1, 'the old path is free')
  await store.close()
  await t.resolves(open(t, after))
  await t.rejects(open(t, before), inUse)
})

t.test('a path that is longer than that of a Unix socket is locked like any other', async (t) => {
  for (const platform of ['linux', 'darwin']) {
    t.intercept(process, 'platform', { value: platform, configurable: true })
    const parent = directory(t)
    for (const length of [30, 90, 104, 200]) {
      const path = join(parent, 'x'.repeat(length))
      const store = await open(t, path)
      await t.rejects(open(t, path), inUse, platform)
      await store.close()
      await t.resolves(open(t, path), platform)
    }
    t.equal(readdirSync(parent).length, 4, 'no socket is at a truncated path')
  }
})

/** Asserts that a directory can't be opened, for a reason that the error names. */
async function unusable (t: Test, path: string, code: string): Promise<void> {
  const message = new RegExp(`^the store in '${path}' can't be opened: ${code}: `)
  await t.rejects(open(t, path), { code: 'FST_CHAT_STORE_UNUSABLE', message, cause: { code } })
}

t.test("a path that can't be a store directory is rejected with the path and the reason", async (t) => {
  const path = join(directory(t), 'file')
  writeFileSync(path, 'x')
  const [data, lock, owner] = [directory(t), directory(t), directory(t)]
  mkdirSync(join(data, 'data.mdb'))
  mkdirSync(join(lock, 'lock.mdb'))
  writeFileSync(join(owner, 'owner'), 'x')
  await unusable(t, path, 'EEXIST')
  await unusable(t, join(path, 'below'), 'ENOTDIR')
  await unusable(t, data, 'EISDIR')
  await unusable(t, lock, 'EISDIR')
  await unusable(t, owner, 'ENOTDIR')
})

t.test('a directory without write permission is rejected with the path and the reason', async (t) => {
  const path = directory(t)
  await (await open(t, path)).close()
  chmodSync(path, 0o500)
  // Permissions don't bind root.
  if (process.geteuid!() === 0) {
    process.seteuid!(65_534)
    t.teardown(() => process.seteuid!(0))
  }
  await unusable(t, path, 'EACCES')
})

t.test('a directory on a read-only file system is rejected with the path and the reason', async (t) => {
  const path = directory(t)
  const mount = (...args: string[]) => execFileSync('mount', [...args, path], { stdio: 'pipe' })
  try {
    mount('-t', 'tmpfs', 'none')
  } catch (error) {
    t.pass('', { skip: `no file system can be mounted: ${(error as Error).message}` })
    return
  }
  t.teardown(() => execFileSync('umount', ['-l', path]))
  await (await open(t, path)).close()
  mount('-o', 'remount,ro')
  await unusable(t, path, 'EROFS')
  await unusable(t, join(path, 'below'), 'EROFS')
  mount('-o', 'remount,rw')
  await t.resolves(open(t, path))
})

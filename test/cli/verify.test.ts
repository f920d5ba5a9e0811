import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Database } from 'lmdb'
import t, { type Test } from 'tap'
import { verify } from '../../src/cli/verify.ts'
import { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import { command } from '../support/compiled.ts'
import { directory } from '../support/directory.ts'

const [node, ...main] = command

/** Runs the compiled command. */
function run (...args: string[]): Promise<{ code: unknown, stdout: string, stderr: string }> {
  return new Promise((resolve) => {
    execFile(node, [...main, 'verify', ...args], (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }))
  })
}

/** Creates a closed store with three rooms. */
async function stored (t: Test, count = 30): Promise<string> {
  const path = directory(t)
  const store = await LmdbStore.open({ path })
  await Promise.all(Array.from({ length: count }, (_, i) => store.append(`room ${i % 3}`, { from: { id: 'i', name: 'n' }, body: 'x'.repeat(1_000) })))
  await store.close()
  return path
}

t.test('an intact directory: what was read, and status 0', async (t) => {
  const path = await stored(t)
  t.match(await run(path), { code: 0, stdout: /^\/.* is intact: 3 rooms, 30 entries, [\d,]+ bytes read\n$/, stderr: '' })
  const store = await LmdbStore.open({ path })
  t.equal((await store.append('room 0', { from: null, body: 'x' })).offset, 11, 'the store can be opened afterwards')
  await store.close()
})

t.test('a damaged page: where it is, and status 1', async (t) => {
  const path = await stored(t)
  const file = join(path, 'data.mdb')
  const content = readFileSync(file)
  // Overwrites the pages of messages, which are text for the most part.
  let damaged = 0
  for (let at = 8_192; at < content.length; at += 4_096) {
    if (content.subarray(at, at + 4_096).includes('x'.repeat(500))) damaged = content.subarray(at + 16, at + 4_096).fill(0).length
  }
  t.ok(damaged > 0)
  writeFileSync(file, content)
  t.match(await run(path), { code: 1, stdout: '', stderr: /^FST_CHAT_STORE_DAMAGED: the store in '.*' is damaged: page \d+ is unreadable\n$/ })
})

t.test('a missing entry: its room, and status 1', async (t) => {
  const path = await stored(t)
  const { open } = await import('lmdb')
  const root = open({ path, noSubdir: false })
  await root.openDB<Buffer, [string, number]>('rows', { encoding: 'binary' }).remove(['room 1', 4])
  await root.close()
  t.match(await run(path), { code: 1, stdout: '', stderr: /entry 4 of the room 'room 1' is missing\n$/ })
})

t.test('a change that is missing or damaged: its room, and status 1', async (t) => {
  const path = await stored(t)
  const store = await LmdbStore.open({ path })
  const { position } = await store.append('changed', { from: null, body: 'x' })
  for (const key of ['a', 'b', 'c']) await store.amend('changed', position, { by: null, key, change: { edit: { body: key } } })
  await store.close()
  t.match(await run(path), { code: 0, stdout: /4 rooms, 31 entries/ })
  const { open } = await import('lmdb')
  const damage = async (change: (rows: Database<Buffer, [string, number]>) => Promise<unknown>) => {
    const root = open({ path, noSubdir: false })
    await change(root.openDB<Buffer, [string, number]>('changes', { encoding: 'binary' }))
    await root.close()
  }
  await damage((rows) => rows.put(['changed', 3], rows.getBinary(['changed', 3])!.subarray(0, 20)))
  t.match(await run(path), { code: 1, stdout: '', stderr: /change 3 of the room 'changed' can't be decoded: .*\n$/ })
  await damage((rows) => rows.put(['changed', 3], Buffer.alloc(9)))
  t.match(await run(path), { code: 1, stdout: '', stderr: /change 3 of the room 'changed' can't be decoded: .*\n$/ })
  await damage((rows) => rows.remove(['changed', 2]))
  t.match(await run(path), { code: 1, stdout: '', stderr: /change 2 of the room 'changed' is missing\n$/ })
})

t.test('a directory in use, or without a store: the reason, and status 1', async (t) => {
  const path = directory(t)
  t.match(await run(path), { code: 1, stdout: '', stderr: `FST_CHAT_STORE_UNUSABLE: the store in '${path}' can't be opened: there is no store\n` })
  const store = await LmdbStore.open({ path })
  t.teardown(() => store.close())
  const stderr = `FST_CHAT_STORE_IN_USE: the store in '${path}' is in use by process ${process.pid} on '${hostname().slice(0, 20)}'\n`
  t.strictSame(await run(path), { code: 1, stdout: '', stderr })
})

t.test('--help, and wrong usage', async (t) => {
  t.match(await run('--help'), { code: 0, stdout: /^Usage: fastify-chat verify DIR\n[^]*Exit status/, stderr: '' })
  t.match(await run(), { code: 2, stdout: '', stderr: /^fastify-chat verify: the directory is missing\nTry: fastify-chat verify --help\n$/ })
  t.match(await run('a', 'b'), { code: 2, stderr: /one argument too many: 'b'/ })
  t.match(await run('--fast', 'a'), { code: 2, stderr: /Unknown option '--fast'/ })
})

t.test('long work prints a line of progress every two seconds', async (t) => {
  const path = await stored(t)
  let now = 0
  t.intercept(Date, 'now', {
    value: () => {
      now += 700
      return now
    }
  })
  const [out, err] = [t.capture(process.stdout, 'write', () => true), t.capture(process.stderr, 'write', () => true)]
  const code = await verify([path])
  const [printed, progress] = [out(), err()]
  t.equal(code, 0)
  t.match(printed, [{ args: [/is intact: 3 rooms/] }])
  t.match(progress.map(({ args }) => args[0]), [/^\d rooms, [\d,]+ entries, [\d,]+ bytes read so far\n$/])
})

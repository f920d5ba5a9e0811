import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Head } from '../../src/change.ts'
import { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import { all, says } from '../../src/contract/store/entries.ts'
import { directory } from '../support/directory.ts'
import { full, isFull } from '../support/full.ts'

const unbounded = { historyEntries: Infinity, historyBytes: Infinity }
const data = 'data.mdb'

/** One page in so many is damaged. */
const STEP = full(1, 5)

async function open (t: Test, path: string, verify = false): Promise<LmdbStore> {
  const store = await LmdbStore.open({ path, verify })
  t.teardown(() => store.close())
  return store
}

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
  for (let page = 2; page < whole.length / PAGE; page += STEP) {
    try {
      const store = await open(t, restored(t, withPage(whole, page, scratch)), true)
      for (let room = 0; room < 10; room++) await store.read(`room ${room}`, all)
      await store.append('room 1', says('x'))
      await store.close()
    } catch (error) {
      t.equal((error as { code: string }).code, 'FST_CHAT_STORE_DAMAGED')
      damaged++
    }
  }
  t.ok(damaged > 20 / STEP, `damage detected ${damaged} times`)
})

t.test('without verify, a zeroed page is reported by the reads and writes that need it', async (t) => {
  const whole = await storedFile(t, 7, (i) => 'x'.repeat(i % 7 * 500))
  const counts = { open: 0, read: 0, resume: 0, post: 0, edit: 0, control: 0, fine: 0 }
  const intact = await LmdbStore.open({ path: restored(t, whole) })
  const heads = new Map<string, Head>(await Promise.all(Array.from({ length: 10 }, async (_, i) => [`room ${i}`, (await intact.read(`room ${i}`, all)).head] as const)))
  await intact.close()
  for (let page = 2; page < whole.length / PAGE; page += STEP) {
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
  if (isFull) t.strictSame(Object.values(counts).filter((count) => count < 2), [], JSON.stringify(counts))
  else t.ok(counts.read + counts.resume + counts.edit > 2, JSON.stringify(counts))
})

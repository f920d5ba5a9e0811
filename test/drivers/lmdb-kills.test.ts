import { open as openLmdb } from 'lmdb'
import t, { type Test } from 'tap'
import type { Entry } from '../../src/store.ts'
import { decodeChange } from '../../src/drivers/lmdb/change-row.ts'
import type { LmdbStoreOptions } from '../../src/drivers/lmdb/options.ts'
import { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import { verifyStore } from '../../src/drivers/lmdb/verify.ts'
import { formatRevision, parseRevision } from '../../src/drivers/revision.ts'
import { all } from '../../src/contract/store/entries.ts'
import { directory } from '../support/directory.ts'
import { full } from '../support/full.ts'
import { Lines } from '../support/process-lines.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'

/** The writes at once of each writer that is killed. */
const sizes = full([1, 256, 64, 1_000, 7, 500], [64])

const unbounded = { historyEntries: Infinity, historyBytes: Infinity }

async function open (t: Test, path: string, options: Omit<LmdbStoreOptions, 'path'> = {}): Promise<LmdbStore> {
  const store = await LmdbStore.open({ path, ...options })
  t.teardown(() => store.close())
  return store
}

/** A killed process writes no coverage, so it doesn't need tap's loader, which starts slowly. */
const writer = (t: Test, path: string, atOnce: number, fixture = 'lmdb-writer') =>
  new Lines(t, [...typescriptArguments, `test/support/fixtures/${fixture}.ts`, path, String(atOnce)])

/** Returns the number of printed lines after which a writer is killed: at once, or in the middle of many writes. */
const killAfter = (atOnce: number) => atOnce === 1 ? 2 + Math.floor(Math.random() * 20) : 300 + Math.floor(Math.random() * full(2_000, 200))

/** Fewer than the writes that are acknowledged before all writers are killed. */
const least = 125 * sizes.length

/** Returns the number of an entry's last change; 0 for none. */
const numberOf = ({ revision }: Entry) => revision === undefined ? 0 : Number(revision.split('-c')[1])

t.test('a store killed with SIGKILL keeps all acknowledged entries, once and in order', async (t) => {
  const path = directory(t)
  const acked: string[] = []
  for (const atOnce of sizes) {
    const child = writer(t, path, atOnce)
    await child.has(killAfter(atOnce))
    await child.kill()
    acked.push(...child.lines.slice(1))
  }
  const { entries } = await (await open(t, path, unbounded)).read('room', all)
  t.strictSame(entries.map(({ offset }) => offset), entries.map((_, i) => i + 1), 'no gap')
  t.equal(new Set(entries.map(({ body }) => body)).size, entries.length, 'no duplicate')
  t.strictSame(acked.filter((line) => line !== `${line.split(' ')[0]} ${String(entries[Number(line.split(' ')[0]) - 1]?.body)}`), [])
  t.ok(acked.length > full(1_000, least), `${acked.length} acknowledged, ${entries.length} stored`)
})

t.test('a store killed with SIGKILL keeps all acknowledged changes, once and in order', async (t) => {
  const path = directory(t)
  const before = await open(t, path)
  const { revision } = await before.read('room', all)
  await before.close()
  const acked: Array<{ position: string, kind: string, number: number, count: number }> = []
  for (const atOnce of sizes) {
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
  t.ok(numbers.length > least && head.change.number >= numbers.length, `${numbers.length} changes acknowledged, ${head.change.number} stored`)
  const since = await store.read('room', { ...all, after: head.position, revision })
  const changed = entries.filter((entry) => entry.revision !== undefined).sort((a, b) => numberOf(a) - numberOf(b))
  t.match(since, { complete: true, moreChanged: false, oldest: undefined })
  t.strictSame(since.changed, changed, 'the list of changes leads to each changed entry')
})

t.test('a store killed with SIGKILL keeps all acknowledged pieces of streams', async (t) => {
  const path = directory(t)
  const before = await open(t, path)
  const { revision } = await before.read('room', all)
  await before.close()
  const acked = new Map<string, { pieces: number, isEnded: boolean }>()
  const acknowledged: number[] = []
  for (const atOnce of sizes) {
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
  t.ok(streaming.length > 0 && acknowledged.length > least, `${streaming.length} streaming, ${acknowledged.length} pieces acknowledged`)
  const unfinished = { by: null, idle: 1e9, change: { end: true, unfinished: true } } as const
  await Promise.all(streaming.map(async ({ position }) => { t.equal((await store.amend('room', position, unfinished)).again, false) }))
  await store.close()
  t.match(await verifyStore(path, () => {}), { entries: entries.length })
  const ended = (await (await open(t, path, unbounded)).read('room', all)).entries
  t.strictSame(ended.map(({ body }) => body), entries.map(({ body }) => body))
  t.strictSame(ended.filter((entry) => entry.streaming === true), [])
  t.equal(ended.filter((entry) => entry.unfinished === true).length, streaming.length)
})

t.test('a store killed with SIGKILL remembers all acknowledged controls', async (t) => {
  const path = directory(t)
  const acked: Array<{ number: number, revision: string, member: string }> = []
  for (const atOnce of sizes) {
    const child = writer(t, path, atOnce, 'lmdb-remover')
    await child.has(killAfter(atOnce))
    await child.kill()
    for (const line of child.lines.slice(1)) {
      const [number, revision = '', member = ''] = line.split(' ')
      acked.push({ number: Number(number), revision, member })
    }
  }
  t.ok(acked.length > least, `${acked.length} acknowledged`)
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

t.test('a store killed with SIGKILL keeps all acknowledged read positions', async (t) => {
  const path = directory(t)
  const acked = new Map<string, { offset: number, at: number }>()
  let count = 0
  for (const atOnce of sizes) {
    const child = writer(t, path, atOnce, 'lmdb-marker')
    await child.has(killAfter(atOnce))
    await child.kill()
    for (const line of child.lines.slice(1)) {
      const [member = '', offset, at] = line.split(' ')
      acked.set(member, { offset: Number(offset), at: Number(at) })
      count++
    }
  }
  t.ok(count > least, `${count} acknowledged`)
  const store = await open(t, path)
  const { head } = await store.read('room', all)
  for (const [member, { offset, at }] of acked) {
    const [position] = await store.readPositions(member, 'room')
    t.ok(position!.offset >= offset && position!.at >= at && position!.offset <= head.offset, member)
  }
  await store.close()
  await verifyStore(path, () => {})
})

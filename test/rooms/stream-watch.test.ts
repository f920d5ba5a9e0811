import { mock } from 'node:test'
import t from 'tap'
import type { Test } from 'tap'
import { BOUNDS } from '../../src/bounds.ts'
import type { Amendment } from '../../src/change.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { NotKept, StoreUnavailable } from '../../src/errors.ts'
import { Counters } from '../../src/observability/stats.ts'
import { Rooms } from '../../src/rooms/rooms.ts'
import { StreamWatch } from '../../src/rooms/replay/stream-watch.ts'
import type { Entry, FeedPage, Page, Store } from '../../src/store.ts'
import { backendWith } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { HeldClock } from '../support/held-clock.ts'
import { tick } from '../support/tick.ts'

const LEASE = BOUNDS.streamLease
const newest = { limit: 10, maxBytes: 1_000 }
const change = { number: 0, revision: 'r0' }
const streaming = (position: string, more: Partial<Entry> = {}): Entry => ({ offset: 1, position, at: 0, from: null, body: '', streaming: true, ...more })
const page = (...entries: Entry[]): Page =>
  ({ entries, complete: true, more: false, head: { offset: 1, position: '1', change }, changed: [], moreChanged: false, revision: 'r0' })
const delivers = (watch: StreamWatch, more: Partial<FeedPage>): void => { watch.deliver({ entries: [], changes: [], ...more }) }

/** Watches a store that records its `end`s. `answer` is called for each. */
function watched (t: Test, answer: () => Promise<boolean>, entries: Entry[] = []) {
  const clock = new HeldClock()
  const ends: string[] = []
  const lost: string[] = []
  const state = { isStreaming: true, isKept: true, hasDied: false }
  const watch = new StreamWatch('a', {
    async amend (_room: string, position: string, { idle, by, change }: Amendment) {
      ends.push(position)
      t.strictSame({ idle, by, change }, { idle: LEASE, by: null, change: { end: true, unfinished: true } })
      return { number: 1, revision: 'r1', again: await answer() }
    },
    async get (_room: string, position: string) { return state.isKept ? { ...streaming(position), ...!state.isStreaming && { streaming: undefined } } : undefined },
    async read () { return page(...entries) }
  }, LEASE, (position) => { lost.push(position) }, clock.after)
  t.teardown(() => watch.close())
  const pass = async (ms: number): Promise<void> => {
    clock.pass(ms)
    await tick()
  }
  return { watch, ends, lost, state, pass, clock }
}

t.test('a streaming entry that is read is ended at once if it is idle, and only once', async (t) => {
  const { watch, ends, pass } = watched(t, async () => false, [streaming('1'), streaming('2', { streaming: undefined })])
  await Promise.all([watch.read(newest), watch.read(newest)])
  await pass(10 * LEASE)
  t.strictSame(ends, ['1'])
})

t.test('an entry that is not idle is ended a lease after its last append, again and again', async (t) => {
  const { watch, ends, state, pass } = watched(t, async () => true)
  delivers(watch, { entries: [streaming('1')] })
  await pass(LEASE - 1)
  delivers(watch, { changes: [{ offset: 1, position: '1', change, at: 0, by: null, made: { append: 'x', at: 0 } }] })
  await pass(LEASE - 1)
  t.strictSame(ends, [])
  await pass(1)
  t.strictSame(ends, ['1'])
  await pass(LEASE)
  t.strictSame(ends, ['1', '1'])
  state.isStreaming = false
  await pass(LEASE)
  await pass(10 * LEASE)
  t.equal(ends.length, 3, 'not after it has ended')
})

t.test('an entry that ended or was deleted is not watched any more', async (t) => {
  const { watch, ends, pass } = watched(t, async () => true)
  delivers(watch, { entries: ['1', '2', '3', '4'].map((position) => streaming(position)) })
  const cursor = (position: string) => ({ offset: 1, position, change, at: 0, by: null })
  delivers(watch, {
    changes: [
      { ...cursor('1'), made: { end: true }, ended: streaming('1', { streaming: undefined }) },
      { ...cursor('2'), made: { delete: true } },
      { ...cursor('3'), entry: streaming('3', { streaming: undefined }) },
      { ...cursor('5'), entry: streaming('5') }
    ]
  })
  await pass(LEASE)
  t.strictSame(ends, ['4', '5'])
})

t.test('an entry is watched if only its appends were delivered', async (t) => {
  const { watch, ends, pass } = watched(t, async () => true)
  delivers(watch, { changes: [{ offset: 1, position: '1', change, at: 0, by: null, made: { append: 'x', at: 0 } }] })
  await pass(LEASE)
  t.strictSame(ends, ['1'])
})

t.test('an entry that is no longer kept is reported, and not watched any more', async (t) => {
  const { watch, ends, lost, state, pass } = watched(t, async () => { if (ends.length > 1) throw new NotKept(); return true })
  delivers(watch, { entries: ['1', '2'].map((position) => streaming(position)) })
  state.isKept = false
  await watch.get('3')
  t.strictSame(lost, ['3'])
  await pass(LEASE)
  await pass(10 * LEASE)
  t.strictSame([ends, lost], [['1', '2'], ['3', '2', '1']])
})

t.test('a failure of the store is tried again, a refusal is not', async (t) => {
  const errors = [new StoreUnavailable(), new Error('of the driver'), new NotKept()]
  const { watch, ends, pass } = watched(t, async () => { throw errors.shift() ?? new Error('none is left') })
  delivers(watch, { entries: [streaming('1')] })
  for (let i = 0; i < 6; i++) await pass(LEASE)
  t.equal(ends.length, 3)
})

t.test('a closed watch ends nothing, and keeps no more than its bound', async (t) => {
  const { watch, ends, pass, clock } = watched(t, async () => true, [streaming('1')])
  delivers(watch, { entries: Array.from({ length: 1_500 }, (_, i) => streaming(`${i}`)) })
  await pass(LEASE)
  t.equal(ends.length, 1_000)
  watch.close()
  await watch.read(newest)
  delivers(watch, { entries: [streaming('x')] })
  await pass(10 * LEASE)
  t.strictSame([ends.length, clock.waiting], [1_000, 0])
})

t.test('entries beyond the bound are watched when others have ended or were deleted', async (t) => {
  const { watch, ends, pass, state } = watched(t, async () => !state.hasDied)
  const entries = Array.from({ length: 1_500 }, (_, i) => streaming(`${i}`))
  delivers(watch, { entries })
  const made = { delete: true } as const
  delivers(watch, { changes: ['0', '1499'].map((position) => ({ offset: 1, position, change, at: 0, by: null, made })) })
  await tick()
  t.strictSame(ends, ['1000'])
  state.hasDied = true
  await pass(LEASE)
  t.strictSame(ends.length, 1 + 1_500 - 2)
  await pass(10 * LEASE)
  t.equal(new Set(ends).size, ends.length - 1)
})

t.test('a room watches its streams until it is closed', async (t) => {
  const store = new MemoryStore()
  t.teardown(() => store.close())
  const ends: string[] = []
  const { amend } = store
  store.amend = async (...args) => {
    ends.push(args[1])
    return await amend.apply(store, args)
  }
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const rooms = new Rooms({ store, amend: (...args) => store.amend(...args), roster: new MemoryRoster(), flushInterval: 0, streamLease: LEASE, counters: new Counters('/') }, { rooms: Infinity, roomsPerAddress: Infinity })
  await rooms.open('a')
  const { position } = await store.append('a', { from: null, body: '', streaming: true })
  await tick()
  mock.timers.tick(LEASE)
  await tick()
  t.strictSame(ends, [position])
  rooms.close()
  mock.timers.tick(10 * LEASE)
  await tick()
  t.strictSame(ends, [position])
})

t.test('a text whose writer is dead is ended as unfinished, by one of two nodes', async (t) => {
  let ends = 0
  let shared!: Store
  const backend = () => backendWith((works) => {
    shared ??= works
    const calls: Partial<Store> = {
      append: async (...args) => await shared.append(...args),
      read: async (...args) => await shared.read(...args),
      get: async (...args) => await shared.get(...args),
      follow: async (...args) => await shared.follow(...args),
      async amend (...args) {
        const result = await shared.amend(...args)
        if (!result.again) ends++
        return result
      }
    }
    return calls
  })
  const nodes = [await chat(t, { backend: backend() }, { streamLease: 20 }), await chat(t, { backend: backend() }, { streamLease: 20 })]
  const clients = await Promise.all(nodes.map(async (node) => {
    const client = await node.injected()
    await client.hello({ changes: true })
    await client.join('a')
    return client
  }))
  const { position } = await shared.append('a', { from: null, body: 'so f', streaming: true })
  for (const client of clients) {
    t.match(await client.next(), { type: 'message', text: 'so f', streaming: true })
    t.match(await client.next(), { type: 'changed', position, ended: true, unfinished: true })
  }
  t.equal(ends, 1)
})

t.test('a text whose writer died before anyone joined is ended when it is read', async (t) => {
  let store!: Store
  const { injected } = await chat(t, {
    backend: backendWith((works) => {
      store = works
      return { async amend (room, position, { idle: _, ...amendment }) { return await works.amend(room, position, amendment) } }
    })
  })
  await store.append('a', { from: null, body: 'so f', streaming: true })
  const client = await injected()
  await client.hello({ changes: true })
  t.match((await client.join('a')).messages, [{ text: 'so f', streaming: true }])
  t.match(await client.next(), { type: 'changed', ended: true, unfinished: true })
})

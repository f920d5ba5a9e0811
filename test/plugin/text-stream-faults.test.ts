import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { StreamingMessage } from '../../src/chat/streaming-message.ts'
import { TextSize } from '../../src/chat/text-size.ts'
import { TextStream } from '../../src/chat/text-stream.ts'
import { streamingDraftOf } from '../../src/chat/publication.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { errors, type Amendment, type Draft, type Entry } from '../../src/index.ts'
import type { Hooks } from '../../src/hooks.ts'
import { HookCalls } from '../../src/rooms/peer/hook-calls.ts'
import { HeldClock } from '../support/held-clock.ts'
import { tick } from '../support/tick.ts'

const lease = 30_000

/** A fault of the next calls of a store. `after`: the call takes effect all the same. */
interface Fault { readonly error: () => Error, readonly after?: boolean }

const unavailable = { error: () => new errors.StoreUnavailable() }
const unknown = { error: () => new errors.StoreUnknown(), after: true }

/** A store in memory with faults. It records the calls. */
class FaultyStore extends MemoryStore {
  readonly calls: string[] = []
  /** undefined: none for that call */
  readonly faults: Array<Fault | undefined> = []
  /** for all calls, as long as it is set */
  outage: Fault | undefined

  override append (room: string, draft: Draft) { return this.#call('begin', () => super.append(room, draft)) }

  override amend (room: string, position: string, amendment: Amendment) {
    const { change } = amendment
    const call = 'append' in change ? `${change.at} '${change.append}'` : 'end' in change ? change.unfinished === true ? 'unfinished' : 'end' : 'other'
    return this.#call(call, () => super.amend(room, position, amendment))
  }

  async entry (): Promise<Entry> {
    const { entries } = await this.read('a', { limit: 10, maxBytes: Infinity })
    if (entries.length !== 1) throw new Error(`${entries.length} entries`)
    return entries[0]!
  }

  async #call<T> (name: string, call: () => Promise<T>): Promise<T> {
    this.calls.push(name)
    const fault = this.faults.shift() ?? this.outage
    if (fault === undefined) return await call()
    if (fault.after === true) await call()
    throw fault.error()
  }
}

/** Opens a stream whose timers run on a clock that the test holds. `until` advances it until there were so many calls of the store. */
function open (t: Test, faults: Fault[] = [], hooks: Pick<Hooks, 'onPost' | 'onChange'> = {}) {
  const store = new FaultyStore()
  store.faults.push(...faults)
  const clock = new HeldClock()
  const { log } = Fastify()
  const message = new StreamingMessage({ store, hookCalls: new HookCalls(log), hooks, lease }, 'a', streamingDraftOf({}, 1_024), clock.after)
  const stream = new TextStream(message, new TextSize(0, 1_024))
  t.teardown(async () => {
    stream.destroy()
    await store.close()
  })
  const settled = async () => { for (let i = 0; i < 3; i++) await tick() }
  const until = async (count: number) => {
    for (await settled(); store.calls.length < count; await settled()) clock.pass(50)
  }
  return { store, clock, stream, settled, until }
}

t.test('a message whose outcome is unknown is stored once', async (t) => {
  const { store, stream, until } = open(t, [unknown, unavailable, unknown])
  stream.end('text')
  await until(7)
  await finished(stream)
  t.strictSame(store.calls, ['begin', 'begin', 'begin', 'begin', "0 ''", "0 'text'", 'end'], 'a repeat renews nothing')
  t.match(await store.entry(), { body: 'text', streaming: undefined, unfinished: undefined })
})

t.test('an append that failed is repeated at the same length, and its text is stored once', async (t) => {
  const { store, stream, until } = open(t)
  await once(stream, 'ready')
  store.faults.push(unavailable, unknown, { error: () => new errors.StoreBusy() })
  stream.write('a😀')
  await until(2)
  stream.write('b')
  await until(7)
  t.strictSame(store.calls, ['begin', "0 'a😀'", "0 'a😀'", "0 'a😀'", "0 'a😀'", "2 ''", "2 'b'"], 'a repeat renews nothing')
  await finished(stream.end())
  t.match(await store.entry(), { body: 'a😀b', streaming: undefined })
})

t.test('a renewal that fails after a repeat is repeated without the text', async (t) => {
  const { store, stream, until } = open(t)
  await once(stream, 'ready')
  store.faults.push(unknown, undefined, unavailable)
  stream.write('text')
  await until(5)
  t.strictSame(store.calls, ['begin', "0 'text'", "0 'text'", "4 ''", "4 ''"])
  await finished(stream.end())
  t.equal((await store.entry()).body, 'text')
})

t.test('the hooks are called for a message whose outcomes were unknown', async (t) => {
  const calls: unknown[] = []
  const { store, stream, settled, until } = open(t, [unknown, unknown], {
    onPost ({ position, offset, at, text, streaming }, room) { calls.push([position, offset, at, text, streaming, room]) },
    onChange (change, { text }) { calls.push([change, text]) }
  })
  await until(4)
  store.faults.push(unknown, unknown)
  stream.end()
  await until(7)
  await finished(stream)
  await settled()
  const { position, offset, at } = await store.entry()
  t.strictSame(calls, [[position, offset, at, '', true, 'a'], [{ type: 'end' }, '']])
})

t.test('onChange is not called again for an end that a node made after the lease', async (t) => {
  const calls: unknown[] = []
  const { store, stream } = open(t, [], { onChange (change) { calls.push(change) } })
  await once(stream, 'ready')
  await store.amend('a', stream.position!, { by: null, change: { end: true, unfinished: true } })
  await t.rejects(finished(stream.end()), { code: 'FST_CHAT_STREAM_ENDED' })
  if (!stream.closed) await once(stream, 'close')
  t.strictSame(calls, [])
})

t.test('an end whose outcome is unknown is repeated, and the stream finishes', async (t) => {
  const { store, stream, until } = open(t)
  await once(stream, 'ready')
  store.faults.push(unknown)
  stream.end()
  await until(3)
  await finished(stream)
  t.strictSame(store.calls, ['begin', 'end', 'end'])
  t.match(await store.entry(), { streaming: undefined, unfinished: undefined })
})

t.test('the waits between repeats grow', async (t) => {
  const { store, clock, stream, settled } = open(t)
  await once(stream, 'ready')
  store.outage = unavailable
  stream.write('x')
  const waits: number[] = []
  for (await settled(); waits.length < 8;) {
    const { length } = store.calls
    let waited = 0
    for (; store.calls.length === length; await settled()) {
      clock.pass(100)
      waited += 100
    }
    waits.push(waited)
  }
  t.strictSame(waits, [100, 200, 400, 800, 1_600, 3_200, 3_200, 3_200])
})

t.test('a stream fails when the lease has passed since the last success', async (t) => {
  const { store, clock, stream, settled } = open(t)
  await once(stream, 'ready')
  clock.pass(lease / 2)
  await settled()
  t.strictSame(store.calls, ['begin', "0 ''"], 'a renewal begins the lease anew')
  const failed = t.rejects(finished(stream), { code: 'FST_CHAT_UNAVAILABLE' })
  store.outage = unavailable
  stream.write('x')
  await settled()
  for (let passed = 0; passed < lease - 100; passed += 100) {
    clock.pass(100)
    await settled()
  }
  t.notOk(stream.destroyed)
  clock.pass(100)
  await failed
  if (!stream.closed) await once(stream, 'close')
  t.equal(store.calls.at(-1), 'unfinished')
  t.equal(clock.waiting, 0, 'no timer is left')
})

t.test('an error that waiting does not fix is not repeated', async (t) => {
  const { store, stream } = open(t, [{ error: () => new Error('a fault') }])
  await t.rejects(finished(stream.end('x')), { message: 'a fault' })
  if (!stream.closed) await once(stream, 'close')
  t.strictSame(store.calls, ['begin'])
})

t.test('an idle writer renews its lease three times as often as it must', async (t) => {
  const { store, clock, stream, settled } = open(t)
  await once(stream, 'ready')
  for (let i = 0; i < 4; i++) {
    clock.pass(lease / 3)
    await settled()
  }
  t.strictSame(store.calls, ['begin', "0 ''", "0 ''", "0 ''", "0 ''"])
  clock.pass(lease / 3 - 1)
  stream.write('x')
  await settled()
  clock.pass(lease / 3 - 1)
  await settled()
  t.strictSame(store.calls.slice(5), ["0 'x'"], 'an append renews it too')
  clock.pass(1)
  await settled()
  t.strictSame(store.calls.slice(6), ["1 ''"])
  await finished(stream.end())
  t.equal(clock.waiting, 0, 'no timer is left')
})

t.test('a renewal that fails is repeated, and one for a deleted message ends the stream', async (t) => {
  const { store, clock, stream, until } = open(t)
  await once(stream, 'ready')
  store.faults.push(unavailable)
  clock.pass(lease / 3)
  await until(3)
  t.strictSame(store.calls, ['begin', "0 ''", "0 ''"])
  await store.amend('a', stream.position!, { by: null, change: { delete: true } })
  const failed = t.rejects(finished(stream), { code: 'FST_CHAT_DELETED' })
  clock.pass(lease / 3)
  await failed
})

t.test('destroy() drops what waits to be repeated, and repeats the end', async (t) => {
  const { store, clock, stream, settled, until } = open(t)
  await once(stream, 'ready')
  store.faults.push(unavailable, unavailable)
  stream.write('dropped')
  await settled()
  const closed = once(stream, 'close')
  stream.destroy()
  await until(4)
  await closed
  t.strictSame(store.calls, ['begin', "0 'dropped'", 'unfinished', 'unfinished'])
  t.match(await store.entry(), { body: '', unfinished: true })
  t.equal(clock.waiting, 0, 'no timer is left')
})

t.test('a stream that is destroyed before its message could be stored leaves none', async (t) => {
  const { store, clock, stream, settled } = open(t, [unavailable])
  await settled()
  const closed = once(stream, 'close')
  stream.destroy()
  await closed
  t.strictSame(store.calls, ['begin'])
  t.equal(clock.waiting, 0, 'no timer is left')
})

import t from 'tap'
import { reauthorization, removal } from '../../src/contract/store/entries.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { StoreBusy } from '../../src/errors.ts'
import { InstrumentedStore } from '../../src/observability/instrumented-store.ts'
import { Counters } from '../../src/observability/stats.ts'

t.test('a control is counted neither as a post nor as a change, but its error is', async (t) => {
  const store = new MemoryStore()
  t.teardown(() => store.close())
  const counters = new Counters('/')
  const instrumented = new InstrumentedStore(store, counters)
  t.equal((await instrumented.control('a', removal('ada'))).number, 1)
  t.equal((await store.read('a', { limit: 0, maxBytes: 0 })).head.change.number, 1)
  const failed = Promise.reject(new StoreBusy())
  t.intercept(store, 'control', { value: () => failed })
  const returned = instrumented.control('a', reauthorization)
  t.equal(returned, failed, "the store's own promise")
  await t.rejects(returned, { code: 'FST_CHAT_BUSY' })
  t.match(counters, { posts: 0, changes: 0 })
  t.strictSame(counters.storeErrors.toObject(), { FST_CHAT_BUSY: 1 })
})

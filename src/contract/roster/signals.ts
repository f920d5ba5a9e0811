import assert from 'node:assert/strict'
import type { RosterSubtest } from './bounds.ts'
import { ada, bob, eve } from './members.ts'
import { Watcher } from './watcher.ts'

/** Checks signals. */
export async function signalsPromises (test: RosterSubtest): Promise<void> {
  await test('a signal reaches the listeners of its room', async (open) => {
    const roster = await open()
    roster.signal('a', { typing: eve })
    const [one, two, elsewhere] = [await Watcher.ofSignals(roster, 'a'), await Watcher.ofSignals(roster, 'a'), await Watcher.ofSignals(roster, 'b')]
    roster.signal('a', { typing: ada })
    roster.signal('b', { typing: bob })
    await Promise.all([one, two, elsewhere].map((listener) => listener.until(() => true)))
    assert.deepEqual([one, two, elsewhere].map(({ told }) => told), [[{ typing: ada }], [{ typing: ada }], [{ typing: bob }]])
  })
}

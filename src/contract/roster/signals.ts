import assert from 'node:assert/strict'
import type { Signal } from '../../roster.ts'
import type { RosterSubtest } from './bounds.ts'
import { ada, bob, eve } from './members.ts'
import { Watcher } from './watcher.ts'

/** A signal of each kind. */
export const signals: readonly Signal[] = [
  { typing: ada, on: true },
  { typing: ada, on: false },
  { from: bob, data: JSON.stringify({ cursor: [1, 2], text: 'grüße\n"\u0000 😀' }) },
  { from: null, data: 'null' },
  { from: eve, data: JSON.stringify('x'.repeat(4_000)) }
]

/** Checks signals. */
export async function signalsPromises (test: RosterSubtest): Promise<void> {
  await test('a signal reaches the listeners of its room', async (open) => {
    const roster = await open()
    roster.signal('a', { typing: eve, on: true })
    const [one, two, elsewhere] = [await Watcher.ofSignals(roster, 'a'), await Watcher.ofSignals(roster, 'a'), await Watcher.ofSignals(roster, 'b')]
    roster.signal('a', { typing: ada, on: true })
    roster.signal('b', { typing: bob, on: true })
    await Promise.all([one, two, elsewhere].map((listener) => listener.until(() => true)))
    assert.deepEqual([one, two, elsewhere].map(({ told }) => told), [[{ typing: ada, on: true }], [{ typing: ada, on: true }], [{ typing: bob, on: true }]])
  })

  await test('signals of each kind arrive as they were sent', async (open) => {
    const roster = await open()
    const listeners = [await Watcher.ofSignals(roster, 'a'), await Watcher.ofSignals(roster, 'a')]
    for (const signal of signals) roster.signal('a', signal)
    for (const listener of listeners) {
      await listener.untilReceived(signals.length)
      assert.deepEqual(sorted(listener.told), sorted(signals))
    }
  })
}

/** Returns signals in one order, because they may arrive in any. */
export function sorted (signals: readonly Signal[]): Signal[] {
  return signals.toSorted((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
}

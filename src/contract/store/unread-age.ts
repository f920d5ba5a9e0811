import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { StoreSubtest } from './bounds.ts'
import { all, countAfter, readable } from './entries.ts'

/** Checks that entries that are removed by age are not unread. */
export async function unreadAgePromises (test: StoreSubtest): Promise<void> {
  await test('entries older than historyAge are not unread', async (open) => {
    const one = await open({ historyAge: 50 })
    const positions = await readable(one, 'a', 3)
    await one.markRead('ada', [positions[1]!])
    const kept = new Set<number>()
    // The store's clock moves on by itself.
    while (!kept.has(0)) {
      for (const { position } of positions) {
        const page = await one.read('a', { ...all, readPosition: position })
        kept.add(page.entries.length)
        assert.equal(page.unread, countAfter(page, position))
        const { unread } = await one.read('a', { limit: 0, maxBytes: 0, use: false, readPosition: position })
        assert.equal(unread! <= page.unread!, true)
      }
      await tick()
    }
    assert.deepEqual(await one.readPositions('ada'), [positions[1]], 'the read position is kept')
    positions.push(...await readable(one, 'a', 2))
    for (const { position } of positions) {
      const page = await one.read('a', { ...all, readPosition: position })
      assert.equal(page.unread, countAfter(page, position))
    }
  })
}

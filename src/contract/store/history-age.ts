import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { StoreSubtest } from './bounds.ts'
import { all, cursor, fill, numbers, says, summary, upTo } from './entries.ts'
import { Follower } from './follower.ts'

/** Checks that entries are removed by age. */
export async function historyAgePromises (test: StoreSubtest): Promise<void> {
  await test('entries older than historyAge are not returned, nor are their positions honoured', async (open) => {
    const young = await open({ historyAge: 3_600_000 })
    const kept = await fill(young, 'a', 3)
    assert.deepEqual(summary(await young.read('a', { ...all, after: kept[0]! })), { complete: true, numbers: [2, 3], more: false })
    assert.deepEqual(summary(await young.read('a', { ...all, before: kept[2]! })), { complete: true, numbers: [1, 2], more: false })

    const one = await open({ historyAge: 1 })
    const beginning = (await one.read('a', all)).head.position
    const follower = await Follower.of(one, 'a')
    const old = await fill(one, 'a', 12)
    // The store's clock moves on by itself.
    while (numbers(await one.read('a', all)).length > 0) await tick()
    for (const position of [beginning, ...old]) {
      for (const query of [{ ...all, after: position }, { ...all, before: position }]) {
        const { complete, more, entries, head } = await one.read('a', query)
        assert.deepEqual({ complete, more, entries, head: cursor(head) }, { complete: false, more: false, entries: [], head: { offset: 12, position: old[11] } })
      }
    }
    const late = await Follower.of(one, 'a')
    assert.equal(late.feed.head.offset, 12)
    assert.equal((await one.append('a', says('end'))).offset, 13)
    await Promise.all([follower, late].map((each) => each.has('end')))
    assert.deepEqual([follower.numbers, late.numbers], [upTo(13), [13]])
    assert.ok([...follower.pages, ...late.pages].every(({ complete }) => complete), 'an entry that was delivered before it was removed is no gap')
  })
}

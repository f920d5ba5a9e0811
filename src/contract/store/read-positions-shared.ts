import assert from 'node:assert/strict'
import { newName } from '../suite.ts'
import type { StoreSubtest } from './bounds.ts'
import { readable, upTo } from './entries.ts'
import { ReadLoad } from './read-load.ts'
import { checkConcurrentMarks } from './read-positions-load.ts'

/** Checks read positions of several stores on the same data. */
export async function readPositionsSharedPromises (test: StoreSubtest): Promise<void> {
  await test('peers share the read positions of a member', async (open) => {
    const name = newName()
    const [one, two] = [await open({}, name), await open({}, name)]
    const [a, b] = [await readable(one, 'a', 5), await readable(two, 'b', 5)]
    await one.markRead('ada', [a[3]!])
    await two.markRead('ada', [a[1]!, b[2]!])
    for (const store of [one, two]) {
      assert.deepEqual(await store.readPositions('ada'), [a[3], b[2]])
      assert.equal((await store.read('b', { limit: 0, maxBytes: 0, readPosition: b[2]!.position })).unread, 2)
    }
    await two.forgetRead('ada', 'a')
    assert.deepEqual(await one.readPositions('ada'), [b[2]])
    await one.markRead('ada', [a[0]!])
    assert.deepEqual(await two.readPositions('ada', 'a'), [a[0]])
  })

  await test('the newest of simultaneous marks of peers is kept', async (open) => {
    const name = newName()
    const peers = [await open({}, name), await open({}, name)] as const
    const [a, b] = [await readable(peers[0], 'a', 100), await readable(peers[1], 'b', 100)]
    await Promise.all(upTo(200).map((i) => peers[i % 2]!.markRead('ada', [a[i * 37 % 100]!, b[i * 61 % 100]!])))
    for (const peer of peers) assert.deepEqual(await peer.readPositions('ada'), [a.at(-1), b.at(-1)])
  })

  await test('after each of 1,000 calls of two peers, the counts are right', async (open) => {
    const name = newName()
    const peers = [await open({ historyEntries: 30 }, name), await open({ historyEntries: 30 }, name)]
    const load = new ReadLoad(4)
    await load.run(peers, 1_000)
    for (const peer of peers) await load.check(peer)
  })

  await test('while members of two peers mark, post and clear, no count is wrong and no mark moves back', async (open) => {
    const name = newName()
    await checkConcurrentMarks([await open({ historyEntries: 50 }, name), await open({ historyEntries: 50 }, name)])
  })
}

import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import { newName } from '../suite.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, append, begin, end, idleEnd, says, upTo } from './entries.ts'
import { Follower } from './follower.ts'
import { View } from './view.ts'

/** Checks streamed text of several stores on the same data. */
export async function streamsSharedPromises (test: StoreSubtest): Promise<void> {
  await test('followers of all peers receive the pieces of all streams in one order', async (open) => {
    const name = newName()
    const peers = [await open({}, name), await open({}, name)] as const
    const followers = await Promise.all([...peers, ...peers].map((one) => Follower.of(one, 'a')))
    const positions = await Promise.all(peers.map((one) => begin(one, 'a')))
    await Promise.all(positions.flatMap((position, p) => upTo(100).map((i) => peers[p]!.amend('a', position, append('👋b', 2 * (i - 1))))))
    await peers[1].amend('a', positions[0]!, append('.', 200))
    await Promise.all(positions.map((position, p) => peers[p]!.amend('a', position, end)))
    await peers[0].append('a', says('end'))
    const page = await peers[0].read('a', all)
    assert.deepEqual(await peers[1].read('a', all), page)
    assert.deepEqual(page.entries.map(({ body }) => (body as string).length).toSorted((a, b) => a - b), [3, 300, 301])
    for (const follower of followers) {
      await follower.has('end')
      await follower.until(() => follower.pages.at(-1)!.head.change.number === page.head.change.number)
      assert.deepEqual(follower.viewAfter(new View()).entries, page.entries)
      assert.deepEqual(follower.changes, followers[0]!.changes)
    }
  })

  await test('one of several concurrent ends of a stream has an effect', async (open) => {
    const name = newName()
    const peers = [await open({}, name), await open({}, name)] as const
    const position = await begin(peers[0], 'a', 'so far')
    assert.equal((await peers[1].amend('a', position, idleEnd(1e9))).again, true)
    const ends = await Promise.all(upTo(20).map((i) => peers[i % 2]!.amend('a', position, idleEnd(0))))
    assert.deepEqual([ends.filter(({ again }) => !again).length, new Set(ends.map(({ revision }) => revision)).size], [1, 1])
    for (const one of peers) await assert.rejects(one.amend('a', position, append('.', 6)), { code: 'FST_CHAT_STREAM_ENDED' })
  })

  await test('a stream that one peer renews is not idle for another', async (open) => {
    const name = newName()
    const peers = [await open({}, name), await open({}, name)] as const
    let isRenewed = false
    for (let idle = 10; !isRenewed && idle < 20_000; idle *= 2) {
      // The clock begins last: when it is idle, the others are.
      const [renewed, other, clock] = [await begin(peers[0], 'a'), await begin(peers[0], 'a'), await begin(peers[0], 'a')]
      // The store's clock moves on by itself.
      while ((await peers[1].amend('a', clock, idleEnd(idle))).again) await tick()
      await peers[0].amend('a', renewed, append('', 0))
      isRenewed = (await peers[1].amend('a', renewed, idleEnd(idle))).again
      assert.equal((await peers[1].amend('a', other, idleEnd(idle))).again, false)
    }
    assert.equal(isRenewed, true)
  })
}

import assert from 'node:assert/strict'
import { newName } from '../suite.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, says, summary, upTo, fill } from './entries.ts'
import { Follower } from './follower.ts'

/** Checks several stores on the same data. */
export async function sharingPromises (test: StoreSubtest): Promise<void> {
  await test('peers share one numbering, and their followers receive one order', async (open) => {
    const name = newName()
    const both = [await open({}, name), await open({}, name)]
    const followers = await Promise.all([...both, ...both].map((one) => Follower.of(one, 'a')))
    const cursors = await Promise.all(upTo(500).map((i) => both[i % 2]!.append('a', says(`${i}`))))
    assert.deepEqual(cursors.map(({ offset }) => offset).toSorted((a, b) => a - b), upTo(500))
    for (const parity of [0, 1]) {
      const own = cursors.filter((_, i) => i % 2 === parity).map(({ offset }) => offset)
      assert.deepEqual(own, own.toSorted((a, b) => a - b), 'each peer numbers in the order of its calls')
    }
    await both[0]!.append('a', says('end'))
    await Promise.all(followers.map((follower) => follower.has('end')))
    const { entries } = await both[1]!.read('a', all)
    for (const follower of followers) assert.deepEqual(follower.entries, entries)
  })

  await test('a repeat is known to a peer, also simultaneously', async (open) => {
    const name = newName()
    const both = [await open({}, name), await open({}, name)]
    const draft = says('x', { key: 'k', hash: 'h' })
    const cursors = await Promise.all(upTo(20).map((i) => both[i % 2]!.append('a', draft)))
    assert.equal(cursors.filter(({ again }) => !again).length, 1)
    assert.equal((await both[0]!.find('a', 'k'))?.offset, 1)
    assert.equal((await both[1]!.find('a', 'k'))?.offset, 1)
    await assert.rejects(both[1]!.append('a', { ...draft, hash: 'other' }), { code: 'FST_CHAT_REUSED' })
  })

  await test("a position is valid at a peer, and a peer's followers receive the reset of a clear", async (open) => {
    const name = newName()
    const [one, two] = [await open({}, name), await open({}, name)]
    const follower = await Follower.of(two, 'a')
    const positions = await fill(one, 'a', 3)
    await follower.until(() => follower.entries.length === 3)
    assert.deepEqual(summary(await two.read('a', { ...all, after: positions[0]! })), { complete: true, numbers: [2, 3], more: false })
    await one.clear('a')
    await one.append('a', says('end'))
    await follower.has('end')
    assert.equal(follower.pages.filter(({ complete }) => !complete).length, 1)
    assert.equal((await two.read('a', { ...all, after: positions[0]! })).complete, false)
  })

  await test('closing a store does not affect its peer', async (open) => {
    const name = newName()
    const [one, two] = [await open({}, name), await open({}, name)]
    const follower = await Follower.of(two, 'a')
    await fill(one, 'a', 3)
    await one.close()
    await two.append('a', says('end'))
    await follower.has('end')
    assert.deepEqual(follower.numbers, upTo(4))
  })
}

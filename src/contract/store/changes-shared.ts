import assert from 'node:assert/strict'
import { newName } from '../suite.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, deletion, edit, fill, react, says, upTo } from './entries.ts'
import { Follower } from './follower.ts'
import { MixedLoad } from './mixed-load.ts'
import { View } from './view.ts'

/** Checks changes of several stores on the same data. */
export async function changesSharedPromises (test: StoreSubtest): Promise<void> {
  await test('concurrent changes of peers end in one state everywhere', async (open) => {
    const name = newName()
    const peers = [await open({}, name), await open({}, name)] as const
    const [position] = await fill(peers[0], 'a', 1)
    const followers = await Promise.all([...peers, ...peers].map((one) => Follower.of(one, 'a')))
    const { entries } = await peers[0].read('a', all)
    const loads = [new MixedLoad('a', 1), new MixedLoad('a', 2)]
    await Promise.all(upTo(300).flatMap((i) => [
      peers[i % 2]!.amend('a', position!, i % 3 === 0 ? react('👍', `${i % 50}`, i % 2 === 0) : edit(`${i}`, { key: `${i}`, hash: 'h' })),
      loads[i % 2]!.next(peers[i % 2]!)
    ]))
    await peers[1].amend('a', position!, deletion)
    await peers[0].append('a', says('end'))
    await Promise.all(followers.map((follower) => follower.has('end')))
    const page = await peers[0].read('a', all)
    assert.deepEqual(await peers[1].read('a', all), page)
    for (const follower of followers) {
      await follower.until(() => follower.pages.at(-1)!.head.change.number === page.head.change.number)
      assert.deepEqual(follower.viewAfter(new View(entries)).entries, page.entries)
    }
  })

  await test('an edit that a peer repeats is made once', async (open) => {
    const name = newName()
    const peers = [await open({}, name), await open({}, name)] as const
    const [position] = await fill(peers[0], 'a', 1)
    const changes = await Promise.all(upTo(20).map((i) => peers[i % 2]!.amend('a', position!, edit('y', { key: 'k', hash: 'h' }))))
    assert.equal(changes.filter(({ again }) => !again).length, 1)
    for (const peer of peers) assert.equal((await peer.findChange('a', 'k'))?.number, 1)
    await assert.rejects(peers[1].amend('a', position!, edit('y', { key: 'k', hash: 'other' })), { code: 'FST_CHAT_REUSED' })
  })

  await test('a revision is valid at a peer', async (open) => {
    const name = newName()
    const [one, two] = [await open({}, name), await open({}, name)]
    const [position] = await fill(one, 'a', 1)
    const { revision } = await one.amend('a', position!, react('👍', 'ada'))
    await one.amend('a', position!, deletion)
    const { complete, changed } = await two.read('a', { ...all, after: position!, revision })
    assert.deepEqual([complete, changed], [true, [await one.get('a', position!)]])
  })
}

import assert from 'node:assert/strict'
import type { StoreSubtest } from './bounds.ts'
import { all, removal, says, bodies, numbers, summary, upTo, fill } from './entries.ts'
import { Follower } from './follower.ts'

/** Checks `clear`. */
export async function clearPromises (test: StoreSubtest): Promise<void> {
  await test('clearing a room removes its entries, keys and positions', async (open) => {
    const one = await open()
    const beginning = (await one.read('a', all)).head.position
    const positions = await fill(one, 'a', 3)
    await one.append('a', says('x', { key: 'k', hash: 'h' }))
    const [elsewhere] = await fill(one, 'b', 1)
    await one.clear('a')
    await one.clear('no such room')
    const empty = await one.read('a', all)
    assert.deepEqual(bodies(empty), [])
    assert.equal(await one.find('a', 'k'), undefined)
    for (const position of [beginning, ...positions]) {
      assert.equal((await one.read('a', { ...all, after: position })).complete, false)
      await assert.rejects(one.append('a', says('x', { key: 'k', hash: 'h', since: position })), { code: 'FST_CHAT_STALE' })
    }
    await fill(one, 'a', 4)
    for (const position of [beginning, ...positions]) assert.equal((await one.read('a', { ...all, after: position })).complete, false, 'also when the room has as many entries again')
    assert.deepEqual(summary(await one.read('a', { ...all, after: empty.head.position })), { complete: true, numbers: [1, 2, 3, 4], more: false }, 'a position from after the clear is kept')
    assert.equal((await one.read('b', { ...all, after: elsewhere! })).complete, true, 'every other room is kept')
  })

  await test('followers of a cleared room receive a reset, then all its new entries', async (open) => {
    const one = await open()
    await fill(one, 'a', 5)
    const followers = [await Follower.of(one, 'a'), await Follower.of(one, 'a')]
    await one.append('a', says('before'))
    await Promise.all(followers.map((follower) => follower.has('before')))
    const cleared = one.clear('a')
    const same = one.append('a', says('in the same tick'))
    await Promise.all([cleared, same])
    const late = await Follower.of(one, 'a')
    await one.append('a', says('end'))
    await Promise.all([...followers, late].map((follower) => follower.has('end')))
    for (const { pages } of followers) {
      const told = pages.findIndex(({ complete }) => !complete)
      assert.deepEqual(pages[told]!.entries, [])
      assert.deepEqual(pages.slice(0, told).flatMap(bodies), ['before'])
      const after = pages.slice(told + 1)
      assert.equal(after.every(({ complete }) => complete), true)
      assert.deepEqual(after.flatMap(numbers), upTo(2, pages[told]!.head.offset + 1))
      assert.deepEqual(summary(await one.read('a', { ...all, after: pages[told]!.head.position })), { complete: true, numbers: upTo(2, pages[told]!.head.offset + 1), more: false })
    }
    assert.deepEqual(late.numbers, upTo(2, late.feed.head.offset + 1))
  })

  await test('a feed of an unused room delivers the heads of pages after another room was cleared', async (open) => {
    const one = await open({ dedupWindow: 0 })
    const [posted, controlled] = [await Follower.of(one, 'posted'), await Follower.of(one, 'controlled')]
    await fill(one, 'cleared', 1)
    await one.clear('cleared')
    await one.append('posted', says('first'))
    await posted.has('first')
    assert.deepEqual(posted.pages.at(-1)!.head, (await one.read('posted', all)).head)
    await one.control('controlled', removal('ada'))
    await controlled.until(() => controlled.controls.length === 1)
    assert.deepEqual(controlled.pages.at(-1)!.head, (await one.read('controlled', all)).head)
  })
}

import assert from 'node:assert/strict'
import type { StoreSubtest } from './bounds.ts'
import { all, says, bodies, numbers, summary, upTo, fill } from './entries.ts'
import { renumbered } from './forged-positions.ts'
import { Follower } from './follower.ts'

/** Checks `erase` and `clear`. */
export async function erasePromises (test: StoreSubtest): Promise<void> {
  await test('erasing an entry empties it and keeps its position', async (open) => {
    const one = await open()
    const positions = await fill(one, 'a', 3)
    await one.append('a', says('secret', { from: { id: 'i', name: 'ada' }, data: '{"secret":true}', key: 'k', hash: 'h' }))
    const { head, entries } = await one.read('a', all)
    await one.erase('a', head.position)
    const page = await one.read('a', { ...all, after: positions[2]! })
    assert.deepEqual(page, { complete: true, entries: [{ offset: 4, body: '', position: head.position, at: entries[3]!.at, from: { id: 'i', name: 'ada' } }], more: false, head })
    assert.equal('data' in page.entries[0]!, false)
    assert.deepEqual(summary(await one.read('a', { ...all, after: head.position })), { complete: true, numbers: [], more: false })
    assert.equal((await one.append('a', says('secret', { key: 'k', hash: 'h' }))).again, true, 'its key is still known')
    await one.erase('a', head.position)
    for (const position of ['x', renumbered(head.position, 9), (await one.read('b', all)).head.position]) await one.erase('a', position)
    await one.erase('no such room', head.position)
    await one.clear('no such room')
    assert.deepEqual(bodies(await one.read('a', all)), ['x', 'x', 'x', ''], 'nothing else is erased')
  })

  await test('erasing an invalid position rejects and changes nothing', async (open) => {
    const one = await open()
    await fill(one, 'a', 3)
    for (const position of [undefined, null, '', 0, 1, {}, ['x']] as string[]) {
      await assert.rejects(one.erase('a', position), { code: 'FST_CHAT_INVALID_ARGUMENT', message: /'position'/ }, JSON.stringify(position))
    }
    assert.deepEqual(bodies(await one.read('a', all)), ['x', 'x', 'x'])
  })

  await test('clearing a room removes its entries, keys and positions', async (open) => {
    const one = await open()
    const beginning = (await one.read('a', all)).head.position
    const positions = await fill(one, 'a', 3)
    await one.append('a', says('x', { key: 'k', hash: 'h' }))
    const [elsewhere] = await fill(one, 'b', 1)
    await one.clear('a')
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
    const erased = one.clear('a')
    const same = one.append('a', says('in the same tick'))
    await Promise.all([erased, same])
    const late = await Follower.of(one, 'a')
    await one.append('a', says('end'))
    await Promise.all([...followers, late].map((follower) => follower.has('end')))
    for (const { pages } of followers) {
      const told = pages.findIndex(({ complete }) => !complete)
      assert.deepEqual(pages[told]!.entries, [])
      assert.deepEqual(pages.slice(0, told).flatMap(bodies), ['before'])
      const after = pages.slice(told + 1)
      assert.ok(after.every(({ complete }) => complete))
      assert.deepEqual(after.flatMap(numbers), upTo(2, pages[told]!.head.offset + 1))
      assert.deepEqual(summary(await one.read('a', { ...all, after: pages[told]!.head.position })), { complete: true, numbers: upTo(2, pages[told]!.head.offset + 1), more: false })
    }
    assert.deepEqual(late.numbers, upTo(2, late.feed.head.offset + 1))
  })
}

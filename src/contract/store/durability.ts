import assert from 'node:assert/strict'
import { newName } from '../suite.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, deletion, says, bodies, cursor, summary, upTo, fill } from './entries.ts'
import { Follower } from './follower.ts'

/** Checks that data outlives its store. */
export async function durabilityPromises (test: StoreSubtest): Promise<void> {
  await test('a reopened store continues with its data', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const beginning = (await one.read('a', all)).head.position
    await Promise.all(upTo(100).map((i) => one.append('a', says(`${i}`, { key: `${i}`, hash: 'h', data: `${i}`, from: { id: 'i', name: 'n' } }))))
    const empty = (await one.read('empty', all)).head.position
    await one.append('b', says(Uint8Array.of(0, 255)))
    const before = await one.read('a', all)
    await one.close()

    const two = await open({}, name)
    assert.deepEqual(await two.read('a', all), before)
    assert.deepEqual((await two.read('a', { ...all, after: beginning })).entries, before.entries, 'positions stay valid')
    assert.deepEqual(summary(await two.read('a', { ...all, after: before.head.position })), { complete: true, numbers: [], more: false })
    assert.equal((await two.read('empty', { ...all, after: empty })).complete, true, 'the position of an empty room too')
    assert.deepEqual(Buffer.from((await two.read('b', all)).entries[0]!.body as Uint8Array), Buffer.from([0, 255]))
    const again = await two.append('a', says('7', { key: '7', hash: 'h' }))
    assert.deepEqual([again.offset, again.again], [7, true], 'keys are known')
    await assert.rejects(two.append('a', says('7', { key: '7', hash: 'other' })), { code: 'FST_CHAT_REUSED' })
    const follower = await Follower.of(two, 'a')
    assert.deepEqual(cursor(follower.feed.head), cursor(before.head))
    assert.equal((await two.append('a', says('end'))).offset, 101)
    await follower.has('end')
    assert.equal(follower.entries[0]!.at >= before.entries.at(-1)!.at, true)
  })

  await test('deleted entries and cleared rooms stay so after a restart', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const [position] = await fill(one, 'a', 2, 'secret')
    const [old] = await fill(one, 'b', 2, 'secret')
    await one.amend('a', position!, deletion)
    await one.clear('b')
    await one.close()
    const two = await open({}, name)
    assert.deepEqual(bodies(await two.read('a', all)), ['', 'secret'])
    assert.deepEqual(summary(await two.read('b', { ...all, after: old! })), { complete: false, numbers: [], more: false })
  })
}

import assert from 'node:assert/strict'
import type { StoreSubtest } from './bounds.ts'
import { readable, readableAfter, upTo } from './entries.ts'

/** Checks `forgetRead`. */
export async function readPositionsForgetPromises (test: StoreSubtest): Promise<void> {
  await test('a forgotten read position is removed, and any position can be set again', async (open) => {
    const one = await open()
    const [a, b] = [await readable(one, 'a', 3), await readable(one, 'b', 3)]
    await one.markRead('ada', [a[2]!, b[2]!])
    await one.markRead('bob', [a[2]!])
    await one.forgetRead('ada', 'a')
    await one.forgetRead('ada', 'a')
    assert.deepEqual(await one.readPositions('ada'), [b[2]])
    assert.deepEqual(await one.readPositions('ada', 'a'), [])
    assert.deepEqual(await one.readPositions('bob'), [a[2]], 'that of another member is kept')
    await one.markRead('ada', [a[0]!])
    assert.deepEqual(await one.readPositions('ada'), [a[0], b[2]])
    for (const room of ['a', 'b']) await one.forgetRead('ada', room)
    assert.deepEqual(await one.readPositions('ada'), [])
    await one.markRead('ada', [b[1]!])
    assert.deepEqual(await one.readPositions('ada'), [b[1]])
  })

  await test('a removal up to a position keeps a later one, and no other', async (open) => {
    const one = await open()
    const [a, b] = [await readable(one, 'a', 4), await readable(one, 'b', 1)]
    await one.forgetRead('ada', 'a', a[0])
    await one.markRead('ada', [a[2]!, b[0]!])
    await one.forgetRead('ada', 'a', a[1])
    await one.forgetRead('ada', 'b', b[0])
    assert.deepEqual(await one.readPositions('ada'), [a[2]], 'the later one stays')
    await one.forgetRead('ada', 'c', a[3])
    await one.forgetRead('bob', 'a', a[3])
    assert.deepEqual(await one.readPositions('ada'), [a[2]])
    await one.forgetRead('ada', 'a', a[2])
    assert.deepEqual(await one.readPositions('ada'), [], 'that position')
    await one.markRead('ada', [a[1]!])
    await one.forgetRead('ada', 'a', a[3])
    assert.deepEqual(await one.readPositions('ada'), [], 'an earlier one')
  })

  await test('a removal up to a position of an earlier epoch keeps one of a later time', async (open) => {
    const one = await open()
    const before = await readable(one, 'a', 5)
    await one.clear('a')
    const first = await readableAfter(one, 'a', before[4]!.at)
    await one.markRead('ada', [first])
    await one.forgetRead('ada', 'a', before[4])
    assert.deepEqual(await one.readPositions('ada'), [first])
    await one.markRead('bob', [before[4]!])
    await one.forgetRead('bob', 'a', first)
    assert.deepEqual(await one.readPositions('bob'), [])
  })

  await test('concurrent marks, and removals up to them, leave the newest mark', async (open) => {
    const one = await open()
    const a = await readable(one, 'a', 101)
    await Promise.all(upTo(100).flatMap((i) => [one.markRead('ada', [a[i * 37 % 101]!]), one.forgetRead('ada', 'a', a[i * 61 % 100])]))
    await one.markRead('ada', [a[100]!])
    await Promise.all(upTo(100).map((i) => one.forgetRead('ada', 'a', a[i * 61 % 100])))
    assert.deepEqual(await one.readPositions('ada'), [a[100]])
  })
}

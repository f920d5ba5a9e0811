import assert from 'node:assert/strict'
import { newName } from '../suite.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, append, begin, end, idleEnd, react } from './entries.ts'

/**
 * Checks that streamed text outlives its store.
 * @param shared whether streams of a store that was closed may be those of another process, and its clock goes on
 */
export async function streamsDurablePromises (test: StoreSubtest, shared: boolean): Promise<void> {
  await test('a reopened store continues with its streams', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const [empty, position, over] = [await begin(one, 'a'), await begin(one, 'a', 'grüße'), await begin(one, 'a')] as const
    const { revision: beginning } = await one.read('a', all)
    await one.amend('a', position, append(' 👋', 5))
    await one.amend('a', position, react('👍', 'ada'))
    await one.amend('a', position, append('!', 7))
    await one.amend('a', over, append('x', 0))
    await one.amend('a', over, idleEnd(0))
    const before = await one.read('a', all)
    const resumed = await one.read('a', { ...all, after: over, revision: beginning })
    assert.deepEqual(before.entries.map(({ body, streaming, unfinished }) => [body, streaming, unfinished]),
      [['', true, undefined], ['grüße 👋!', true, undefined], ['x', undefined, true]])
    await one.close()

    const two = await open({}, name)
    assert.deepEqual(await two.read('a', all), before)
    assert.deepEqual(await two.read('a', { ...all, after: over, revision: beginning }), resumed)
    assert.deepEqual((await two.amend('a', position, append(' 👋!', 5))).again, true)
    await assert.rejects(two.amend('a', over, append('y', 1)), { code: 'FST_CHAT_STREAM_ENDED' })
    await two.amend('a', position, append('.', 8))
    await two.amend('a', empty, append('x', 0))
    assert.deepEqual((await two.amend('a', position, end)).number, before.head.change.number + 3)
    const after = await two.read('a', all)
    assert.deepEqual(after.entries.map(({ body, streaming }) => [body, streaming]), [['x', true], ['grüße 👋!.', undefined], ['x', undefined]])
    await two.close()
    assert.deepEqual(await (await open({}, name)).read('a', all), after)
  })

  await test(shared ? 'a stream of a closed store is idle from its last renewal' : 'a stream of a closed store is idle for any time', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const positions = [await begin(one, 'a', 'x'), await begin(one, 'a', 'x')] as const
    await one.amend('a', positions[0], append('y', 1))
    await one.close()

    const two = await open({}, name)
    await two.amend('a', positions[1], append('', 1))
    assert.equal((await two.amend('a', positions[1], idleEnd(1e9))).again, true, 'renewed by this store')
    assert.equal((await two.amend('a', positions[0], idleEnd(1e9))).again, shared)
    assert.equal((await two.amend('a', positions[0], idleEnd(0))).again, !shared)
    const { body, streaming, unfinished } = (await two.get('a', positions[0]))!
    assert.deepEqual([body, streaming, unfinished], ['xy', undefined, true])
  })
}

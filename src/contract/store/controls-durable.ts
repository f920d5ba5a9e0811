import assert from 'node:assert/strict'
import { newName } from '../suite.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, edit, fill, reauthorization, removal, says, upTo } from './entries.ts'
import { Follower } from './follower.ts'

/** Checks that controls outlive their store. */
export async function controlsDurablePromises (test: StoreSubtest): Promise<void> {
  await test('a reopened store continues with the numbers of its controls, and honours their revisions', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const [first, second] = await fill(one, 'a', 2)
    const made = [
      await one.control('a', removal('ada', 'reason')),
      await one.amend('a', first!, edit('edited')),
      await one.control('a', reauthorization),
      await one.control('a', removal('bob'))
    ]
    await one.control('only controls', removal('ada'))
    const resumed = () => Promise.all(made.map(({ revision }) => one.read('a', { ...all, after: second!, revision })))
    const before = await resumed()
    assert.deepEqual(before.map(({ complete, changed }) => [complete, changed.length]), [[true, 1], [true, 0], [true, 0], [true, 0]])
    await one.close()

    const two = await open({}, name)
    const after = await Promise.all(made.map(({ revision }) => two.read('a', { ...all, after: second!, revision })))
    assert.deepEqual(after, before)
    assert.equal((await two.read('only controls', all)).head.change.number, 1)
    const follower = await Follower.of(two, 'a')
    assert.equal(follower.feed.head.change.number, 4)
    const control = await two.control('a', removal('carol'))
    assert.equal(control.number, 5)
    assert.equal((await two.amend('a', second!, edit('edited'))).number, 6)
    await two.append('a', says('end'))
    await follower.has('end')
    assert.deepEqual(follower.controls, [{ change: control, control: removal('carol') }], 'earlier ones are not delivered')
    await two.close()
    assert.equal((await (await open({}, name)).read('a', all)).head.change.number, 6)
  })

  await test('close under a load of controls keeps all that were acknowledged', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const revisions: string[] = []
    const outcomes: Array<Promise<unknown>> = []
    const storm = () => {
      outcomes.push(...upTo(50).map((i) => one.control('a', removal(`${i}`)).then(({ revision }) => revisions.push(revision))))
    }
    storm()
    await Promise.race(outcomes)
    storm()
    const settling = Promise.allSettled(outcomes)
    await one.close()
    const codes = (await settling).flatMap((outcome) => outcome.status === 'rejected' ? [(outcome.reason as { code?: string }).code ?? ''] : [])
    assert.deepEqual(codes.filter((code) => !['FST_CHAT_STORE_CLOSED', 'FST_CHAT_UNAVAILABLE', 'FST_CHAT_UNKNOWN'].includes(code)), [])
    const two = await open({}, name)
    const [position] = await fill(two, 'a', 1)
    assert.equal(revisions.length > 0, true)
    for (const revision of revisions) assert.equal((await two.read('a', { ...all, after: position!, revision })).complete, true)
  })
}

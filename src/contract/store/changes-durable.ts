import assert from 'node:assert/strict'
import { newName } from '../suite.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, edit, fill, react, says, upTo } from './entries.ts'
import { Follower } from './follower.ts'
import { MixedLoad } from './mixed-load.ts'
import { View } from './view.ts'

/** Checks that changes outlive their store. */
export async function changesDurablePromises (test: StoreSubtest): Promise<void> {
  await test('a reopened store continues with its changes', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const [position] = await fill(one, 'a', 1)
    const { revision: beginning } = await one.read('a', all)
    const keyed = edit('edited', { key: 'k', hash: 'h' })
    const { number, revision } = await one.amend('a', position!, keyed)
    await one.amend('a', position!, edit('edited', { key: 'without an effect', hash: 'h' }))
    await new MixedLoad('a').run(one, 100)
    for (const [reaction, member] of [['1', 'ada'], ['👍', 'bob'], ['0', 'ada']] as const) await one.amend('a', position!, react(reaction, member))
    const before = await one.read('a', { ...all, for: 'ada' })
    const resumed = await one.read('a', { ...all, after: position!, revision: beginning })
    await one.close()

    const two = await open({}, name)
    assert.deepEqual(await two.read('a', { ...all, for: 'ada' }), before)
    assert.deepEqual(await two.read('a', { ...all, after: position!, revision: beginning }), resumed, 'revisions stay valid')
    await two.amend('a', position!, edit('after'))
    assert.deepEqual(await two.amend('a', position!, keyed), { number, revision, again: true }, 'keys are known')
    assert.equal((await two.amend('a', position!, edit('edited', { key: 'without an effect', hash: 'h' }))).again, true)
    assert.deepEqual((await two.get('a', position!))!.body, 'after')
    const follower = await Follower.of(two, 'a')
    assert.equal(follower.feed.head.change.number, before.head.change.number + 1)
    assert.equal((await two.amend('a', position!, react('1', 'ada', false))).number, before.head.change.number + 2)
    await two.append('a', says('end'))
    await follower.has('end')
    assert.deepEqual(follower.changes.map(({ change }) => change.number), [before.head.change.number + 2])
  })

  await test('close under a load of posts and changes keeps all that were acknowledged', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const follower = await Follower.of(one, 'a')
    const load = new MixedLoad('a', 3)
    const acknowledged = { offset: 0, number: 0 }
    const outcomes: Array<Promise<unknown>> = []
    const storm = () => {
      outcomes.push(...upTo(100).map(() => load.next(one).then((done) => {
        acknowledged.offset = Math.max(acknowledged.offset, done?.offset ?? 0)
        acknowledged.number = Math.max(acknowledged.number, done?.number ?? 0)
      })))
    }
    await load.run(one, 30)
    storm()
    await Promise.race(outcomes)
    storm()
    const settling = Promise.allSettled(outcomes)
    await one.close()
    const delivered = follower.viewAfter(new View()).entries
    const codes = (await settling).flatMap((outcome) => outcome.status === 'rejected' ? [(outcome.reason as { code?: string }).code ?? ''] : [])
    assert.deepEqual(codes.filter((code) => !['FST_CHAT_STORE_CLOSED', 'FST_CHAT_UNAVAILABLE', 'FST_CHAT_UNKNOWN'].includes(code)), [])

    const two = await open({}, name)
    const { head, entries } = await two.read('a', all)
    assert.equal(head.offset >= acknowledged.offset && head.change.number >= acknowledged.number, true)
    const last = follower.pages.at(-1)?.head ?? follower.feed.head
    const page = await two.read('a', { ...all, after: last.position, revision: last.change.revision })
    assert.equal(page.complete, true)
    const view = new View(delivered)
    view.read(page)
    assert.deepEqual(view.entries, entries, 'what was delivered is kept')
  })
}

import assert from 'node:assert/strict'
import type { Disconnect, StoreSubtest } from './bounds.ts'
import { ControlLoad, reachesHead } from './control-load.ts'
import { all, edit, fill, react, reauthorization, removal, says, upTo } from './entries.ts'
import { Follower } from './follower.ts'
import { newName } from '../suite.ts'
import type { Control } from '../../change.ts'
import type { FeedPage } from '../../store.ts'

/** Returns the controls of pages, in order. */
function controlsOf (pages: readonly FeedPage[]): Control[] { return pages.flatMap(({ controls = [] }) => controls).map(({ control }) => control) }

/** Checks that followers receive controls. @param disconnect present if a store can lose publications */
export async function controlsFeedPromises (test: StoreSubtest, disconnect: Disconnect | undefined): Promise<void> {
  await test('a follower receives each control after its head once, before all that was stored after it', async (open) => {
    const one = await open()
    const [position] = await fill(one, 'a', 1)
    await one.control('a', removal('before'))
    const follower = await Follower.of(one, 'a')
    assert.deepEqual(follower.feed.head, (await one.read('a', all)).head)
    const removed = await one.control('a', removal('ada', 'spam: grüße 👋 "\\\u0000'))
    await one.append('a', says('after 2'))
    const edited = await one.amend('a', position!, edit('edited'))
    const asked = await one.control('a', { reauthorize: { member: 'bob' } })
    const reacted = await one.amend('a', position!, react('👍', 'bob'))
    const all4 = await one.control('a', reauthorization)
    await one.control('b', removal('ada'))
    await one.append('a', says('end'))
    await follower.has('end')
    await reachesHead(follower, one, 'a')
    assert.deepEqual(follower.controls, [
      { change: removed, control: { remove: { member: 'ada', reason: 'spam: grüße 👋 "\\\u0000' } } },
      { change: asked, control: { reauthorize: { member: 'bob' } } },
      { change: all4, control: { reauthorize: {} } }
    ])
    assert.deepEqual(follower.changes.map(({ change }) => change.number), [edited.number, reacted.number])
    assert.deepEqual(follower.numbers, [2, 3])
    assert.equal(follower.pages.every(({ complete }) => complete), true)
    const pageOf = (number: number) => follower.pages.findIndex(({ controls = [] }) => controls.some(({ change }) => change.number === number))
    const pageOfChange = (number: number) => follower.pages.findIndex(({ changes }) => changes.some(({ change }) => change.number === number))
    const pageOfEntry = (body: string) => follower.pages.findIndex(({ entries }) => entries.some((entry) => entry.body === body))
    assert.equal(pageOf(removed.number) <= Math.min(pageOfEntry('after 2'), pageOfChange(edited.number)), true)
    assert.equal(pageOf(asked.number) <= Math.min(pageOfEntry('end'), pageOfChange(reacted.number)), true)
    assert.equal(pageOf(all4.number) <= pageOfEntry('end'), true)
    for (const { controls, head } of follower.pages) {
      assert.notDeepEqual(controls, [], 'absent if there are none')
      for (const { change } of controls ?? []) assert.equal(change.number <= head.change.number, true)
    }
  })

  await test('a control alone is delivered, with the head that it leads to', async (open) => {
    const one = await open()
    const followers = [await Follower.of(one, 'a'), await Follower.of(one, 'a')]
    for (const i of upTo(3)) {
      const change = await one.control('a', removal(`${i}`))
      for (const follower of followers) {
        await follower.until(() => follower.controls.length === i)
        assert.deepEqual(follower.pages.at(-1), {
          controls: [{ change, control: removal(`${i}`) }], entries: [], changes: [], complete: true, head: (await one.read('a', all)).head
        })
      }
    }
  })

  await test('a follower that joins in the tick of a control has it in its head or its feed, not in both', async (open) => {
    const one = await open()
    await Follower.of(one, 'a')
    const joining: Array<Promise<Follower>> = []
    const calls: Array<Promise<unknown>> = []
    for (const i of upTo(20)) {
      calls.push(one.control('a', removal(`${i}`)))
      joining.push(Follower.of(one, 'a'))
      calls.push(one.control('a', reauthorization))
      if (i % 5 === 0) await Promise.all(calls)
    }
    await Promise.all(calls)
    for (const follower of await Promise.all(joining)) {
      await reachesHead(follower, one, 'a')
      assert.deepEqual(follower.controls.map(({ change }) => change.number), upTo(40, follower.feed.head.change.number + 1))
    }
  })

  await test('under a load, no follower receives what was stored after a control before the control', async (open) => {
    const one = await open()
    const load = new ControlLoad('a')
    const followers = [await Follower.of(one, 'a')]
    for (let round = 0; round < 20; round++) {
      const joining = [Follower.of(one, 'a'), load.run([one], 10).then(() => Follower.of(one, 'a'))]
      const running = load.run([one], 10)
      followers.push(...await Promise.all(joining))
      await running
    }
    for (const follower of followers) {
      await reachesHead(follower, one, 'a')
      load.check(follower)
      assert.ok(follower.pages.every(({ complete }) => complete), 'nothing was lost')
    }
    assert.equal(followers[0]!.controls.length, 400)
  })

  await test('more controls than are remembered reach a follower, or a break does', async (open) => {
    const one = await open({ historyEntries: 2, dedupWindow: 1 })
    const load = new ControlLoad('a')
    const follower = await Follower.of(one, 'a')
    await Promise.all(upTo(50).map(() => load.run([one], 2)))
    await load.run([one], 1)
    await reachesHead(follower, one, 'a')
    load.check(follower)
  })

  await test('controls are never delivered inside control or inside another delivery', async (open) => {
    const one = await open()
    const failures: unknown[] = []
    let [inside, deepest] = [0, 0]
    const control = (member: string) => {
      inside++
      const controlled = one.control('a', removal(member))
      inside--
      return controlled
    }
    const follower = await Follower.of(one, 'a', ({ controls = [] }) => {
      deepest = Math.max(deepest, inside)
      inside++
      for (const { change: { number } } of controls) if (number < 50) control(`${number + 1}`).catch((error) => failures.push(error))
      inside--
    })
    await control('1')
    await follower.until(() => follower.controls.length === 50)
    assert.deepEqual([failures, deepest], [[], 0])
    assert.deepEqual(follower.controls, upTo(50).map((i) => ({ change: follower.controls[i - 1]!.change, control: removal(`${i}`) })))
  })

  await test('a page is never older than a control that was acknowledged or delivered', async (open) => {
    const one = await open()
    const reads: Array<Promise<boolean>> = []
    const isRead = async (number: number) => (await one.read('a', { ...all, limit: 1 })).head.change.number >= number
    const follower = await Follower.of(one, 'a', ({ head }) => reads.push(isRead(head.change.number)))
    await Promise.all(upTo(100).map(async () => { reads.push(isRead((await one.control('a', reauthorization)).number)) }))
    await follower.until(() => follower.controls.length === 100)
    assert.equal((await Promise.all(reads)).every((newer) => newer), true)
  })

  await test('a follower of a cleared room receives the controls before the break, the break, and those after it', async (open) => {
    const one = await open()
    const follower = await Follower.of(one, 'a')
    await one.control('a', removal('before'))
    const calls = [one.control('a', removal('just before')), one.clear('a'), one.control('a', removal('just after'))]
    await Promise.all(calls)
    await one.control('a', removal('after'))
    await one.append('a', says('end'))
    await follower.has('end')
    const reset = follower.pages.findIndex(({ complete }) => !complete)
    assert.notEqual(reset, -1)
    const { head } = follower.pages[reset]!
    // A break doesn't replace the controls: without the hook `authorize`, a removal can't be detected afterwards.
    assert.deepEqual(controlsOf(follower.pages.slice(0, reset + 1)), [removal('before'), removal('just before')])
    const after = follower.pages.slice(reset + 1)
    assert.equal(after.every(({ complete }) => complete), true)
    const received = after.flatMap(({ controls = [] }) => controls)
    assert.deepEqual(received.map(({ change, control }) => [change.number - head.change.number, control]), [[1, removal('just after')], [2, removal('after')]])
  })

  if (disconnect === undefined) return

  await test('a follower whose connection breaks receives each control, or a break, before what came after it', async (open) => {
    for (const historyEntries of [2, 1_000]) {
      const name = newName()
      const one = await open({ historyEntries }, name)
      const load = new ControlLoad('a')
      const followers = [await Follower.of(one, 'a'), await Follower.of(one, 'a')]
      for (let round = 0; round < 10; round++) await Promise.all([load.run([one], 10), disconnect(name)])
      for (const follower of followers) {
        await reachesHead(follower, one, 'a')
        load.check(follower)
      }
    }
  })
}

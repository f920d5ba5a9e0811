import assert from 'node:assert/strict'
import { newName } from '../suite.ts'
import type { Disconnect, StoreSubtest } from './bounds.ts'
import { ControlLoad, reachesHead } from './control-load.ts'
import { all, fill, reauthorization, removal, says, upTo } from './entries.ts'
import { Follower } from './follower.ts'
import type { Control } from '../../change.ts'
import type { FeedPage } from '../../store.ts'

/** Returns the controls of pages, in order. */
function controlsOf (pages: readonly FeedPage[]): Control[] { return pages.flatMap(({ controls = [] }) => controls).map(({ control }) => control) }

/** Checks controls of several stores on the same data. @param disconnect present if a store can lose publications */
export async function controlsSharedPromises (test: StoreSubtest, disconnect: Disconnect | undefined): Promise<void> {
  await test('controls of peers share one numbering, and all followers receive them in its order', async (open) => {
    const name = newName()
    const peers = [await open({}, name), await open({}, name)] as const
    const followers = await Promise.all([...peers, ...peers].map((one) => Follower.of(one, 'a')))
    const made = await Promise.all(upTo(100).map((i) => peers[i % 2]!.control('a', i % 5 === 0 ? reauthorization : removal(`${i}`))))
    assert.deepEqual(made.map(({ number }) => number).toSorted((a, b) => a - b), upTo(100))
    const [position] = await fill(peers[0], 'a', 1)
    for (const { revision } of made) assert.equal((await peers[1].read('a', { ...all, after: position!, revision })).complete, true)
    const members = new Map(made.map((change, i) => [change.number, { change, control: (i + 1) % 5 === 0 ? reauthorization : removal(`${i + 1}`) }]))
    for (const follower of followers) {
      await reachesHead(follower, peers[1], 'a')
      assert.deepEqual(follower.controls, upTo(100).map((number) => members.get(number)))
    }
  })

  await test('what a store stores after a control of a peer is delivered after it', async (open) => {
    const name = newName()
    const peers = [await open({}, name), await open({}, name)] as const
    const followers = await Promise.all([...peers, ...peers].map((one) => Follower.of(one, 'a')))
    for (const i of upTo(100)) {
      await peers[i % 2]!.control('a', removal(`${i}`))
      await peers[(i >> 1) % 2]!.append('a', says(`${i}`))
    }
    await Promise.all(followers.map((follower) => follower.has('100')))
    for (const { pages } of followers) {
      let received = 0
      for (const { controls = [], entries } of pages) {
        received += controls.length
        for (const { body } of entries) assert.ok(received >= Number(body), `control ${String(body)} is before entry ${String(body)}`)
      }
      assert.equal(received, 100)
    }
  })

  await test('under the load of peers, no follower receives what was stored after a control before it', async (open) => {
    const name = newName()
    const peers = [await open({}, name), await open({}, name)] as const
    const load = new ControlLoad('a')
    const followers = await Promise.all([...peers, ...peers].map((one) => Follower.of(one, 'a')))
    for (let round = 0; round < 5; round++) {
      const joining = peers.map((one) => Follower.of(one, 'a'))
      await load.run(peers, 20)
      followers.push(...await Promise.all(joining))
    }
    for (const follower of followers) {
      await reachesHead(follower, peers[0], 'a')
      load.check(follower)
    }
  })

  if (disconnect === undefined) return

  await test('followers of peers whose connections break receive each control, or a break, before what came after', async (open) => {
    for (const historyEntries of [2, 1_000]) {
      const name = newName()
      const peers = [await open({ historyEntries }, name), await open({ historyEntries }, name)] as const
      const load = new ControlLoad('a')
      const followers = await Promise.all(peers.map((one) => Follower.of(one, 'a')))
      for (let round = 0; round < 10; round++) await Promise.all([load.run(peers, 10), disconnect(name)])
      for (const follower of followers) {
        await reachesHead(follower, peers[1], 'a')
        load.check(follower)
      }
    }
  })

  await test('a disconnected follower receives the controls of cleared epochs before the break, and no older ones', async (open) => {
    for (const clears of upTo(3)) {
      const name = newName()
      const [one, peer] = [await open({}, name), await open({}, name)]
      await one.control('a', removal('old'))
      await one.clear('a')
      const control = async (...members: string[]) => { for (const member of members) await peer.control('a', removal(member)) }
      await control('before')
      const follower = await Follower.of(one, 'a')
      const calls = async () => {
        for (const i of upTo(clears)) {
          await control(`${i} a`, `${i} b`)
          await peer.clear('a')
        }
        await control('after')
      }
      // The calls may be made before the follower listens again.
      await Promise.all([disconnect(name), calls()])
      await peer.append('a', says('end'))
      await follower.has('end')
      const expected = [...upTo(clears).flatMap((i) => [removal(`${i} a`), removal(`${i} b`)]), removal('after')]
      assert.deepEqual(controlsOf(follower.pages), expected)
      const last = follower.pages.findLastIndex(({ complete }) => !complete)
      assert.notEqual(last, -1)
      assert.deepEqual(controlsOf(follower.pages.slice(0, last + 1)), expected.slice(0, -1))
      for (const { controls = [] } of follower.pages) for (const [i, { change }] of controls.entries()) assert.equal(change.number > (controls[i - 1]?.change.number ?? 0), true)
    }
  })
}

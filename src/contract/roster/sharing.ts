import assert from 'node:assert/strict'
import type { PresentMember } from '../../roster.ts'
import { newName } from '../suite.ts'
import { patient, type RosterSubtest } from './bounds.ts'
import { ada, bob, eve, names, withoutOrder } from './members.ts'
import { kick, ban, left } from './restrict.ts'
import { signals, sorted } from './signals.ts'
import { Watcher } from './watcher.ts'

/** Checks several rosters on the same data. */
export async function sharingPromises (test: RosterSubtest, listed: number): Promise<void> {
  await test('peers share members, signals and restrictions', async (open) => {
    const name = newName()
    const [one, two] = [await open({}, name), await open({}, name)]
    const watcher = await Watcher.ofRoom(two, 'a')
    await one.enter('a', 'c1', ada)
    await watcher.until(({ count }) => count === 1)
    await two.enter('a', 'c2', ada)
    await two.enter('a', 'c3', bob)
    assert.deepEqual(names(await watcher.until(({ count }) => count === 2)), ['ada', 'bob'])
    await one.leave('a', 'c1')
    await two.leave('a', 'c3')
    assert.deepEqual((await watcher.until(({ count }) => count === 1)).members, [ada])
    const listener = await Watcher.ofSignals(two, 'a')
    one.signal('a', { typing: ada, on: true })
    assert.deepEqual(await listener.until(() => true), { typing: ada, on: true })
    for (const signal of signals) one.signal('a', signal)
    await listener.untilReceived(1 + signals.length)
    assert.deepEqual(sorted(listener.told.slice(1)), sorted(signals))
    const told = Watcher.ofRestrictions(two)
    await one.restrict('x', ban)
    assert.deepEqual(await told.until(() => true), ['x', { ...ban, moment: told.last![1].moment }])
    assert.equal((await left(two, 'x', 'ban'))! > 0, true)
    const { moment } = await two.restrictions([])
    await one.restrict('x', kick)
    const [, { moment: kicked }] = await told.until(([, { kind }]) => kind === 'kick')
    assert.ok(kicked > moment, 'a kick is later than the connections on the peer')
    assert.ok((await two.restrictions([])).moment >= kicked, 'a kick is not later than subsequent connections')
  })

  await test('the last enter on any peer decides the name and the data of a member', async (open) => {
    const name = newName()
    const [one, two] = [await open({}, name), await open({}, name)]
    const watchers = await Promise.all([one, two].map((roster) => Watcher.ofRoom(roster, 'a')))
    const [first, second] = [{ ...ada, data: '{"role":"admin"}' }, { ...ada, name: 'Ada L.', data: '{"role":"guest"}' }]
    const enters = [[one, first], [two, second], [one, first], [two, ada], [two, second], [one, ada], [two, second]] as const
    for (const [i, [roster, member]] of enters.entries()) {
      await roster.enter('a', `c${i}`, member)
      for (const watcher of watchers) {
        const { members } = await watcher.until(({ members: [shown] }) => shown !== undefined && shown.name === member.name && shown.data === (member as PresentMember).data)
        assert.deepEqual(members, [member])
      }
    }
    for (const i of [1, 3, 4, 6]) await two.leave('a', `c${i}`)
    await two.enter('a', 'other', bob)
    const { members } = await watchers[0]!.until(({ count }) => count === 2)
    assert.deepEqual(withoutOrder(members), [second, bob], 'a leave changes neither')
  })

  await test('a member that moves to a peer within the grace was never absent', async (open) => {
    const name = newName()
    const [one, two] = [await open({ grace: 200 }, name), await open({ grace: 200 }, name)]
    await one.enter('a', 'c1', ada)
    const watchers = await Promise.all([one, two].map((roster) => Watcher.ofRoom(roster, 'a')))
    await one.leave('a', 'c1')
    await two.enter('a', 'c2', ada)
    // Bob enters after Ada left, so his leave is reported after hers would have been.
    await one.enter('a', 'c3', bob)
    await Promise.all(watchers.map((watcher) => watcher.until(({ count }) => count === 2)))
    await one.leave('a', 'c3')
    for (const watcher of watchers) {
      await watcher.until(({ count }) => count === 1)
      assert.equal(watcher.told.every(({ members }) => members.some(({ id }) => id === ada.id)), true)
    }
  })

  await test('members of a closed node have a grace to reach another node', async (open) => {
    const name = newName()
    const [one, two] = [await open(patient, name), await open({ grace: 100 }, name)]
    await one.enter('a', 'c1', ada)
    await two.enter('a', 'c2', bob)
    await two.enter('a', 'c3', eve)
    const [first, watcher] = [await Watcher.ofRoom(one, 'a'), await Watcher.ofRoom(two, 'a')]
    await first.until(({ count }) => count === 3)
    await one.close()
    await two.leave('a', 'c3')
    assert.deepEqual(names(await watcher.until(({ members }) => !members.some(({ id }) => id === eve.id))), ['ada', 'bob'])
    await two.enter('a', 'c4', ada)
    assert.equal(watcher.told.every(({ members }) => members.some(({ id }) => id === ada.id)), true)
  })

  await test('the list is capped and the count exact across all peers', async (open) => {
    const name = newName()
    const peers = await Promise.all([1, 2, 3].map(() => open({}, name)))
    const watcher = await Watcher.ofRoom(peers[0]!, 'a')
    // Half of the members are on two peers.
    await Promise.all(peers.flatMap((peer, p) => Array.from({ length: 4 * listed }, (_, i) =>
      peer.enter('a', `${p} ${i}`, { id: String(p * 2 * listed + i), name: `${i}` }))))
    assert.equal((await watcher.until(({ count }) => count === 8 * listed)).members.length, listed)
    await Promise.all(Array.from({ length: 4 * listed }, (_, i) => peers[1]!.leave('a', `1 ${i}`)))
    await watcher.until(({ count }) => count === 8 * listed)
    await Promise.all(Array.from({ length: 4 * listed }, (_, i) => peers[2]!.leave('a', `2 ${i}`)))
    assert.equal((await watcher.until(({ count }) => count === 4 * listed)).members.length, listed)
  })

  await test('rosters on different backends share no room', async (open) => {
    const [one, two] = [await open(), await open()]
    const watcher = await Watcher.ofRoom(two, 'a')
    await one.enter('a', 'c1', ada)
    await two.enter('a', 'c2', bob)
    assert.deepEqual(names(await watcher.until(({ count }) => count > 0)), ['bob'])
  })

  await test('members of a closed node are removed after the grace', async (open) => {
    const name = newName()
    const [one, two] = [await open({}, name), await open({}, name)]
    const watcher = await Watcher.ofRoom(two, 'a')
    await one.enter('a', 'c1', ada)
    await two.enter('a', 'c2', bob)
    await watcher.until(({ count }) => count === 2)
    await one.close()
    assert.deepEqual((await watcher.until(({ count }) => count === 1)).members, [bob])
  })
}

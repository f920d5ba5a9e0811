import assert from 'node:assert/strict'
import { patient, type RosterSubtest } from './bounds.ts'
import { ada, bob, eve, memberData, names, withoutOrder } from './members.ts'
import { Watcher } from './watcher.ts'

/** Checks the members of rooms. */
export async function presencePromises (test: RosterSubtest, listed: number): Promise<void> {
  await test('a watcher receives the whole state at once and after each change', async (open) => {
    const roster = await open()
    await roster.enter('a', 'c1', ada)
    const watcher = await Watcher.ofRoom(roster, 'a')
    assert.deepEqual(watcher.told, [{ members: [ada], count: 1, stale: false }])
    await roster.enter('a', 'c2', bob)
    assert.deepEqual(names(await watcher.until(({ count }) => count === 2)), ['ada', 'bob'])
    const second = await Watcher.ofRoom(roster, 'a')
    assert.deepEqual(names(second.told[0]!), ['ada', 'bob'])
    await roster.leave('a', 'c1')
    for (const each of [watcher, second]) assert.deepEqual((await each.until(({ count }) => count === 1)).members, [bob])
  })

  await test('a room that no member has entered is empty', async (open) => {
    const watcher = await Watcher.ofRoom(await open(), 'a')
    assert.deepEqual(watcher.told, [{ members: [], count: 0, stale: false }])
  })

  await test('a member with several connections is listed once, until its last connection leaves', async (open) => {
    const roster = await open()
    const watcher = await Watcher.ofRoom(roster, 'a')
    for (const connection of ['c1', 'c2', 'c3', 'c3']) await roster.enter('a', connection, ada)
    await roster.enter('a', 'other', bob)
    await watcher.until(({ count }) => count === 2)
    for (const connection of ['c1', 'c3', 'c3', 'c1']) await roster.leave('a', connection)
    await roster.leave('a', 'other')
    assert.deepEqual((await watcher.until(({ count }) => count === 1)).members, [ada])
    await roster.leave('a', 'c2')
    assert.deepEqual((await watcher.until(({ count }) => count === 0)).members, [])
  })

  await test('a member that returns within the grace was never absent', async (open) => {
    const roster = await open(patient)
    await roster.enter('a', 'c1', ada)
    const watcher = await Watcher.ofRoom(roster, 'a')
    await roster.leave('a', 'c1')
    await roster.enter('a', 'c2', ada)
    await roster.enter('a', 'other', bob)
    await watcher.until(({ count }) => count === 2)
    assert.equal(watcher.told.every(({ members }) => members.some(({ id }) => id === ada.id)), true)
    await roster.leave('a', 'c1')
    await roster.enter('a', 'third', eve)
    assert.deepEqual(names(await watcher.until(({ count }) => count === 3)), ['ada', 'bob', 'eve'], 'its former connection does not count')
  })

  await test('a member that returns under another name is shown under the new name', async (open) => {
    const roster = await open(patient)
    await roster.enter('a', 'c1', ada)
    const watcher = await Watcher.ofRoom(roster, 'a')
    await roster.leave('a', 'c1')
    await roster.enter('a', 'c2', { ...ada, name: 'Ada L.' })
    await roster.enter('a', 'other', bob)
    assert.deepEqual(names(await watcher.until(({ count }) => count === 2)), ['Ada L.', 'bob'])
  })

  await test('a member has the data of its last enter, and a change of data alone is reported', async (open) => {
    const roster = await open(patient)
    const watcher = await Watcher.ofRoom(roster, 'a')
    for (const [i, data] of [...memberData, undefined, memberData[0], undefined].entries()) {
      const member = data === undefined ? ada : { ...ada, data }
      await roster.enter('a', `c${i}`, member)
      const { members } = await watcher.until((presence) => presence.count === 1 && presence.members[0]!.data === data)
      assert.deepEqual(members, [member])
      assert.deepEqual((await Watcher.ofRoom(roster, 'a')).told[0]!.members, [member])
    }
    await roster.enter('a', 'c0', { ...ada, data: '"a known connection changes nothing"' })
    await roster.enter('a', 'other', bob)
    assert.deepEqual(withoutOrder((await watcher.until(({ count }) => count === 2)).members), [ada, bob])
  })

  await test('each member keeps its own data, whatever its name', async (open) => {
    const roster = await open()
    const watcher = await Watcher.ofRoom(roster, 'a')
    const named = ['', ' ', '1', 'a b', ':a: b', '%20', 'ada'].flatMap((name, n) => [undefined, ...memberData].slice(0, 12)
      .map((data, d) => ({ id: `${n} ${d}`, name, ...data !== undefined && { data } }))).slice(0, listed)
    for (const [i, member] of named.entries()) {
      await roster.enter('a', `c${i}`, member)
      // Some reports contain members of earlier reports.
      if (i % 10 === 0) await watcher.until(({ count }) => count === i + 1)
    }
    const { members } = await watcher.until(({ count }) => count === named.length)
    assert.deepEqual(withoutOrder(members), withoutOrder(named))
  })

  await test('a leave of an unknown connection changes nothing', async (open) => {
    const roster = await open()
    await roster.enter('a', 'c1', ada)
    await roster.leave('a', 'c2')
    await roster.leave('b', 'c1')
    const watcher = await Watcher.ofRoom(roster, 'a')
    await roster.enter('a', 'c2', bob)
    assert.deepEqual(names(await watcher.until(({ count }) => count === 2)), ['ada', 'bob'])
  })

  await test('the list is capped, the count is not; a free slot in the list is filled', async (open) => {
    const roster = await open()
    const watcher = await Watcher.ofRoom(roster, 'a')
    for (let i = 0; i < listed + 7; i++) await roster.enter('a', `c${i}`, { id: `${i}`, name: `n${i}` })
    const full = await watcher.until(({ count }) => count === listed + 7)
    assert.equal(full.members.length, listed)
    assert.equal(new Set(full.members.map(({ id }) => id)).size, listed)
    const leaving = full.members.slice(-7)
    for (const { id } of leaving) await roster.leave('a', `c${id}`)
    const { members } = await watcher.until(({ count }) => count === listed)
    assert.equal(members.length, listed)
    assert.equal(members.some(({ id }) => leaving.some((left) => left.id === id)), false)
  })

  await test('simultaneous changes are reported together', async (open) => {
    const roster = await open()
    const watcher = await Watcher.ofRoom(roster, 'a')
    await Promise.all(Array.from({ length: listed }, (_, i) => roster.enter('a', `c${i}`, { id: `${i}`, name: '' })))
    const { members } = await watcher.until(({ count }) => count === listed)
    assert.equal(members.length, listed)
    assert.ok(watcher.told.length <= listed / 5, `${watcher.told.length} reports`)
  })

  await test('a reported state does not change afterwards', async (open) => {
    const roster = await open()
    const watcher = await Watcher.ofRoom(roster, 'a')
    await roster.enter('a', 'c1', ada)
    await watcher.until(({ count }) => count === 1)
    await roster.enter('a', 'c2', bob)
    await watcher.until(({ count }) => count === 2)
    assert.deepEqual(watcher.told.map(({ members }) => members.length), [0, 1, 2])
  })

  await test('rooms are isolated, whatever their names', async (open) => {
    const roster = await open()
    const rooms = ['a', 'b', 'a:b', '__proto__']
    const watchers = await Promise.all(rooms.map((room) => Watcher.ofRoom(roster, room)))
    for (const room of rooms) await roster.enter(room, 'c', { id: room, name: room })
    for (const [i, watcher] of watchers.entries()) assert.deepEqual(names(await watcher.until(({ count }) => count > 0)), [rooms[i]])
  })

  await test('a stopped watcher receives nothing; stopping twice does not affect other watchers', async (open) => {
    const roster = await open()
    const stopped = await Watcher.ofRoom(roster, 'a')
    stopped.stop()
    const watcher = await Watcher.ofRoom(roster, 'a')
    stopped.stop()
    await roster.enter('a', 'c1', ada)
    await watcher.until(({ count }) => count === 1)
    assert.equal(stopped.told.length, 1)
    const deaf = await Watcher.ofSignals(roster, 'b')
    deaf.stop()
    const listener = await Watcher.ofSignals(roster, 'b')
    deaf.stop()
    roster.signal('b', { typing: ada, on: true })
    await listener.until(() => true)
    assert.deepEqual(deaf.told, [])
  })
}

import assert from 'node:assert/strict'
import type { RosterSubtest } from './bounds.ts'
import { ada, bob, eve } from './members.ts'
import { mute } from './restrict.ts'
import { Watcher } from './watcher.ts'

/** Checks `check` and `close`. */
export async function closePromises (test: RosterSubtest): Promise<void> {
  await test('check resolves while members can enter', async (open) => {
    await assert.doesNotReject((await open()).check())
  })

  await test('check rejects after close', async (open) => {
    const roster = await open()
    await roster.close()
    let checked!: Promise<void>
    assert.doesNotThrow(() => { checked = roster.check() })
    await assert.rejects(checked, { code: 'FST_CHAT_ROSTER_CLOSED' })
  })

  await test('after close every call rejects, none throws, and no listener is called', async (open) => {
    const roster = await open()
    await roster.enter('a', 'c1', ada)
    const watcher = await Watcher.ofRoom(roster, 'a')
    const attendance = await Watcher.ofMember(roster, 'x')
    const told = watcher.told.length
    await roster.enter('a', 'c2', bob)
    const sent = roster.send('x', '1').catch(() => { /* the roster may be closed already */ })
    await Promise.all([roster.close(), roster.close(), sent])
    const received = attendance.told.length
    await roster.close()
    const calls: Record<string, () => Promise<unknown>> = {
      enter: () => roster.enter('a', 'c3', eve),
      leave: () => roster.leave('a', 'c1'),
      watch: () => roster.watch('a', () => {}),
      listen: () => roster.listen('a', () => {}),
      send: () => roster.send('x', '1'),
      attend: () => roster.attend('x', () => {}),
      restrict: () => roster.restrict('x', mute),
      restrictions: () => roster.restrictions(['x'])
    }
    for (const [title, call] of Object.entries(calls)) {
      let called!: Promise<unknown>
      assert.doesNotThrow(() => { called = call() }, title)
      await assert.rejects(called, { code: 'FST_CHAT_ROSTER_CLOSED' }, title)
    }
    assert.doesNotThrow(() => roster.signal('a', { typing: ada, on: true }))
    assert.doesNotThrow(() => watcher.stop())
    assert.doesNotThrow(() => attendance.stop())
    assert.equal(watcher.told.length, told)
    assert.equal(attendance.told.length, received)
  })
}

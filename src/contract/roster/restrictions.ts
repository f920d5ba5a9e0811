import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import { LONGEST_DURATION, type Restriction } from '../../roster.ts'
import type { RosterSubtest } from './bounds.ts'
import { kick, mute, ban, unmute, unban, left, reported } from './restrict.ts'
import { Watcher } from './watcher.ts'

/** Checks kicks, mutes and bans. */
export async function restrictionsPromises (test: RosterSubtest): Promise<void> {
  await test('a restriction holds for its duration; the last of each kind per subject counts', async (open) => {
    const roster = await open()
    assert.deepEqual((await roster.restrictions(['x', 'y'])).restrictions, [])
    await roster.restrict('x', { kind: 'mute', duration: 500_000, reason: 'first' })
    await roster.restrict('x', mute)
    await roster.restrict('x', ban)
    await roster.restrict('y', mute)
    await roster.restrict('__proto__', ban)
    const inForce = async (...who: string[]) => (await roster.restrictions(who)).restrictions
      .map((what) => what.kind === 'kick' ? what.kind : `${what.kind} ${what.duration > 900_000 && what.duration <= 1_000_000} ${what.reason}`).toSorted()
    assert.deepEqual(await inForce('x'), ['ban true grüße\n"', 'mute true loud'])
    assert.deepEqual(await inForce('y'), ['mute true loud'])
    assert.deepEqual(await inForce('x', 'y', 'z'), ['ban true grüße\n"', 'mute true loud', 'mute true loud'])
    assert.deepEqual(await inForce('__proto__'), ['ban true grüße\n"'])
    assert.deepEqual(await inForce('constructor', 'toString'), [])
    assert.deepEqual(await inForce(), [])
    await roster.restrict('x', unban)
    assert.deepEqual(await inForce('x'), ['mute true loud'], 'a duration of 0 lifts the previous restriction')
    await roster.restrict('x', { kind: 'mute', duration: 500_000, reason: 'shorter' })
    assert.deepEqual(await inForce('x'), ['mute false shorter'])
  })

  await test('a restriction expires by itself', async (open) => {
    const roster = await open()
    const watcher = Watcher.ofRestrictions(roster)
    const begun = performance.now()
    await roster.restrict('x', { kind: 'mute', duration: 20, reason: '' })
    while (await left(roster, 'x', 'mute') !== undefined) await tick()
    assert.ok(performance.now() - begun >= 18, 'it does not expire earlier')
    assert.deepEqual(reported(watcher), [['x', { kind: 'mute', duration: 20, reason: '' }]])
  })

  await test("a node's clock that is an hour off, or is set, changes no duration", async (open) => {
    const roster = await open()
    const { now } = Date
    for (const off of [-3_600_000, 3_600_000]) {
      Date.now = () => now() + off
      try {
        const watcher = Watcher.ofRestrictions(roster)
        await roster.restrict('x', { kind: 'ban', duration: 60_000, reason: '' })
        assert.deepEqual(reported(watcher)[0], ['x', { kind: 'ban', duration: 60_000, reason: '' }])
        const remaining = (await left(roster, 'x', 'ban'))!
        assert.ok(remaining > 0 && remaining <= 60_000, `${remaining} ms remain`)
      } finally {
        Date.now = now
      }
      const after = (await left(roster, 'x', 'ban'))!
      assert.ok(after > 0 && after <= 60_000, `${after} ms remain`)
    }
  })

  await test('an infinite or too large duration becomes 100 years', async (open) => {
    const roster = await open()
    for (const duration of [Infinity, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, LONGEST_DURATION + 1]) {
      const watcher = Watcher.ofRestrictions(roster)
      await roster.restrict('x', { kind: 'ban', duration, reason: '' })
      assert.deepEqual(reported(watcher)[0], ['x', { kind: 'ban', duration: LONGEST_DURATION, reason: '' }])
      const remaining = (await left(roster, 'x', 'ban'))!
      assert.ok(remaining > LONGEST_DURATION - 60_000 && remaining <= LONGEST_DURATION, `${remaining} ms remain`)
    }
    await roster.restrict('x', { kind: 'ban', duration: 0.5, reason: '' })
    assert.ok((await left(roster, 'x', 'ban') ?? 1) <= 1, 'a fraction of a ms counts as 1 ms')
  })

  await test('an invalid restriction rejects and changes nothing', async (open) => {
    const roster = await open()
    await roster.restrict('x', ban)
    await roster.restrict('x', mute)
    const before = await roster.restrictions(['x'])
    const watcher = Watcher.ofRestrictions(roster)
    const durations = [undefined, null, NaN, '0', '1000', -1, -Infinity, new Date(), 10n, {}]
    const reasons = [undefined, null, 7, {}, 'x'.repeat(124), 'é'.repeat(62), '\ud83d', 'x\ude00y']
    const wrong: Array<[who: unknown, what: unknown]> = [
      ...durations.flatMap((duration) => ['mute', 'ban'].map((kind): [string, object] => ['x', { kind, duration, reason: '' }])),
      ...reasons.map((reason): [string, object] => ['x', { kind: 'ban', duration: 1_000, reason }]),
      ...reasons.map((reason): [string, object] => ['x', { kind: 'kick', reason }]),
      ...[undefined, null, '', 'constructor', 'Ban', ['ban']].map((kind): [string, object] => ['x', { kind, duration: 0, reason: '' }]),
      ...['', undefined, null, 7, {}].map((who): [unknown, object] => [who, { kind: 'ban', duration: 1_000, reason: '' }]),
      ...[undefined, null, 'ban', 7, [], { ...kick, duration: 1_000 }, { ...ban, until: 1 }].map((what): [string, unknown] => ['x', what])
    ]
    for (const [who, what] of wrong) {
      let called!: Promise<void>
      const title = `${String(who)} ${String((what as Restriction | null)?.kind)} ${String((what as { duration?: unknown } | null)?.duration)}`
      assert.doesNotThrow(() => { called = roster.restrict(who as string, what as Restriction) }, title)
      await assert.rejects(called, { code: 'FST_CHAT_INVALID_ARGUMENT' }, title)
    }
    assert.deepEqual(watcher.told, [])
    const after = await roster.restrictions(['x'])
    assert.deepEqual(after.restrictions.map(({ kind, moment }) => [kind, moment]), before.restrictions.map(({ kind, moment }) => [kind, moment]))
  })

  await test("restrict resolves after this node's listeners were called, also for a lifted restriction", async (open) => {
    const roster = await open()
    const stopped = Watcher.ofRestrictions(roster)
    stopped.stop()
    stopped.stop()
    const [one, two] = [Watcher.ofRestrictions(roster), Watcher.ofRestrictions(roster)]
    const said: Array<[string, Restriction]> = [['x', mute], ['y y', ban], ['x', kick], ['x', unmute], ['y y', unban]]
    for (const [i, [who, what]] of said.entries()) {
      await roster.restrict(who, what)
      for (const watcher of [one, two]) assert.deepEqual(reported(watcher), said.slice(0, i + 1))
    }
    assert.deepEqual(stopped.told, [])
  })

  await test('moments order restrictions and connections: a kick applies to earlier connections only', async (open) => {
    const roster = await open()
    const watcher = Watcher.ofRestrictions(roster)
    const moments: number[] = []
    for (let i = 0; i < 20; i++) {
      const before = (await roster.restrictions([])).moment
      await roster.restrict('x', i % 2 === 0 ? kick : mute)
      const said = watcher.last![1].moment
      const { moment: after, restrictions } = await roster.restrictions(['x'])
      assert.ok(before < said && said <= after, `${before} ${said} ${after}`)
      assert.ok(restrictions.some(({ kind, moment }) => kind === (i % 2 === 0 ? 'kick' : 'mute') && moment === said), 'kept with its moment')
      moments.push(before, said)
    }
    assert.deepEqual(moments, moments.toSorted((a, b) => a - b))
    assert.equal((await roster.restrictions(['y'])).restrictions.length, 0)
  })
}

import { EventEmitter, once } from 'node:events'
import { mock } from 'node:test'
import type { Test } from 'tap'
import { LONGEST_DURATION, type Presence, type Restriction, type Roster, type Signal, type TimedRestriction } from '../roster.ts'
import type { Member } from '../store.ts'

/** Limits that the suite sets on a roster. `grace` and `coalesce`: ms. `listed`: members. */
export interface Bounds { readonly grace: number, readonly coalesce: number, readonly listed: number }

/** Runs a driver under the contract suite. */
export interface Driver<Backend> {
  /** Returns an empty backend for one roster's state. It is removed with the test. */
  backend (t: Test): Backend | Promise<Backend>
  /** Opens a roster on the backend. The suite closes it. */
  open (backend: Backend, bounds: Bounds): Roster | Promise<Roster>
  /** Several rosters may be open on one backend and share its state. */
  readonly hasPeers?: boolean
}

const usual: Bounds = { grace: 1, coalesce: 1, listed: 100 }
/** A grace longer than any test. */
const patient = { grace: 2_000_000_000 }

const [ada, bob, eve] = ['ada', 'bob', 'eve'].map((name) => ({ id: `id of ${name}`, name })) as [Member, Member, Member]

/** Collects the values that a listener receives. */
export class Watcher<Told> extends EventEmitter {
  readonly told: Told[] = []
  stop!: () => void
  readonly hear = (what: Told) => {
    this.told.push(what)
    this.emit('told')
  }

  get last (): Told | undefined { return this.told.at(-1) }

  async until (satisfied: (what: Told) => boolean): Promise<Told> {
    while (this.last === undefined || !satisfied(this.last)) await once(this, 'told')
    return this.last
  }

  static async ofRoom (roster: Roster, room: string): Promise<Watcher<Presence>> {
    const watcher = new Watcher<Presence>()
    watcher.stop = await roster.watch(room, watcher.hear)
    return watcher
  }

  static async ofSignals (roster: Roster, room: string): Promise<Watcher<Signal>> {
    const watcher = new Watcher<Signal>()
    watcher.stop = await roster.listen(room, watcher.hear)
    return watcher
  }

  static ofRestrictions (roster: Roster): Watcher<[string, TimedRestriction]> {
    const watcher = new Watcher<[string, TimedRestriction]>()
    watcher.stop = roster.onRestrict((who, what) => watcher.hear([who, what]))
    return watcher
  }
}

const [kick, mute, ban, unmute, unban]: Restriction[] = [
  { kind: 'kick', reason: 'go' },
  { kind: 'mute', duration: 1_000_000, reason: 'loud' },
  { kind: 'ban', duration: 1_000_000, reason: 'grüße\n"' },
  { kind: 'mute', duration: 0, reason: '' },
  { kind: 'ban', duration: 0, reason: '' }
] as const

/** Returns each reported restriction once. Duplicates differ only in the order in which they were received. */
export function reported ({ told }: Watcher<[string, TimedRestriction]>): Array<[string, Restriction]> {
  const byMoment = new Map(told.map(([who, what]) => [what.moment, [who, what] as const]))
  return [...byMoment.values()].map(([who, { moment, ...what }]) => [who, what])
}

/** Resolves with the remaining duration, in ms, of a subject's restriction of this kind; undefined when there is none. */
async function left (roster: Roster, who: string, kind: Restriction['kind']): Promise<number | undefined> {
  const { restrictions } = await roster.restrictions([who])
  const found = restrictions.filter((what) => what.kind === kind)
  if (found.length > 1) throw new Error(`${found.length} of ${kind}`)
  const [what] = found
  return what === undefined || what.kind === 'kick' ? undefined : what.duration
}

const names = ({ members }: Presence) => members.map(({ name }) => name).toSorted()

/** Runs the contract of `Roster` as one test with a subtest for each promise. */
export function rosterContract<Backend> (t: Test, name: string, driver: Driver<Backend>): Promise<unknown> {
  async function open (t: Test, bounds: Partial<Bounds> = {}, backend?: Backend): Promise<Roster> {
    const opened = await driver.open(backend ?? await driver.backend(t), { ...usual, ...bounds })
    t.teardown(() => opened.close())
    return opened
  }

  return t.test(`the contract of a roster: ${name}`, async (t) => {
    // The roster's timers are unref'd, so the process needs one of its own.
    const awake = setInterval(() => {}, 60_000)
    t.teardown(() => clearInterval(awake))

    await t.test('a watcher receives the whole state at once and after each change', async (t) => {
      const roster = await open(t)
      await roster.enter('a', 'c1', ada)
      const watcher = await Watcher.ofRoom(roster, 'a')
      t.strictSame(watcher.told, [{ members: [ada], count: 1, stale: false }])
      await roster.enter('a', 'c2', bob)
      t.strictSame(names(await watcher.until(({ count }) => count === 2)), ['ada', 'bob'])
      const second = await Watcher.ofRoom(roster, 'a')
      t.strictSame(names(second.told[0]!), ['ada', 'bob'])
      await roster.leave('a', 'c1')
      for (const each of [watcher, second]) t.strictSame((await each.until(({ count }) => count === 1)).members, [bob])
    })

    await t.test('a room that no member has entered is empty', async (t) => {
      const watcher = await Watcher.ofRoom(await open(t), 'a')
      t.strictSame(watcher.told, [{ members: [], count: 0, stale: false }])
    })

    await t.test('a member with several connections is listed once, until its last connection leaves', async (t) => {
      const roster = await open(t)
      const watcher = await Watcher.ofRoom(roster, 'a')
      for (const connection of ['c1', 'c2', 'c3', 'c3']) await roster.enter('a', connection, ada)
      await roster.enter('a', 'other', bob)
      await watcher.until(({ count }) => count === 2)
      for (const connection of ['c1', 'c3', 'c3', 'c1']) await roster.leave('a', connection)
      await roster.leave('a', 'other')
      t.strictSame((await watcher.until(({ count }) => count === 1)).members, [ada])
      await roster.leave('a', 'c2')
      t.strictSame((await watcher.until(({ count }) => count === 0)).members, [])
    })

    await t.test('a member that returns within the grace was never absent', async (t) => {
      const roster = await open(t, patient)
      await roster.enter('a', 'c1', ada)
      const watcher = await Watcher.ofRoom(roster, 'a')
      await roster.leave('a', 'c1')
      await roster.enter('a', 'c2', ada)
      await roster.enter('a', 'other', bob)
      await watcher.until(({ count }) => count === 2)
      t.ok(watcher.told.every(({ members }) => members.some(({ id }) => id === ada.id)))
      await roster.leave('a', 'c1')
      await roster.enter('a', 'third', eve)
      t.strictSame(names(await watcher.until(({ count }) => count === 3)), ['ada', 'bob', 'eve'], 'its former connection does not count')
    })

    await t.test('a member that returns under another name is shown under the new name', async (t) => {
      const roster = await open(t, patient)
      await roster.enter('a', 'c1', ada)
      const watcher = await Watcher.ofRoom(roster, 'a')
      await roster.leave('a', 'c1')
      await roster.enter('a', 'c2', { ...ada, name: 'Ada L.' })
      await roster.enter('a', 'other', bob)
      t.strictSame(names(await watcher.until(({ count }) => count === 2)), ['Ada L.', 'bob'])
    })

    await t.test('a leave of an unknown connection changes nothing', async (t) => {
      const roster = await open(t)
      await roster.enter('a', 'c1', ada)
      await roster.leave('a', 'c2')
      await roster.leave('b', 'c1')
      const watcher = await Watcher.ofRoom(roster, 'a')
      await roster.enter('a', 'c2', bob)
      t.strictSame(names(await watcher.until(({ count }) => count === 2)), ['ada', 'bob'])
    })

    await t.test('the list is capped, the count is not; a free slot in the list is filled', async (t) => {
      const roster = await open(t, { listed: 3 })
      const watcher = await Watcher.ofRoom(roster, 'a')
      for (let i = 0; i < 10; i++) await roster.enter('a', `c${i}`, { id: `${i}`, name: `n${i}` })
      const full = await watcher.until(({ count }) => count === 10)
      t.equal(full.members.length, 3)
      t.equal(new Set(full.members.map(({ id }) => id)).size, 3)
      for (const { id } of full.members) await roster.leave('a', `c${id}`)
      const { members } = await watcher.until(({ count }) => count === 7)
      t.equal(members.length, 3)
      t.notOk(members.some(({ id }) => full.members.some((left) => left.id === id)))
    })

    await t.test('simultaneous changes are reported together', async (t) => {
      const roster = await open(t, { coalesce: 20, listed: 1_000 })
      const watcher = await Watcher.ofRoom(roster, 'a')
      await Promise.all(Array.from({ length: 200 }, (_, i) => roster.enter('a', `c${i}`, { id: `${i}`, name: '' })))
      const { members } = await watcher.until(({ count }) => count === 200)
      t.equal(members.length, 200)
      t.ok(watcher.told.length <= 20, `${watcher.told.length} reports`)
    })

    await t.test('a reported state does not change afterwards', async (t) => {
      const roster = await open(t)
      const watcher = await Watcher.ofRoom(roster, 'a')
      await roster.enter('a', 'c1', ada)
      await watcher.until(({ count }) => count === 1)
      await roster.enter('a', 'c2', bob)
      await watcher.until(({ count }) => count === 2)
      t.strictSame(watcher.told.map(({ members }) => members.length), [0, 1, 2])
    })

    await t.test('rooms are isolated, whatever their names', async (t) => {
      const roster = await open(t)
      const rooms = ['a', 'b', 'a:b', '__proto__']
      const watchers = await Promise.all(rooms.map((room) => Watcher.ofRoom(roster, room)))
      for (const room of rooms) await roster.enter(room, 'c', { id: room, name: room })
      for (const [i, watcher] of watchers.entries()) t.strictSame(names(await watcher.until(({ count }) => count > 0)), [rooms[i]])
    })

    await t.test('a stopped watcher receives nothing; stopping twice does not affect other watchers', async (t) => {
      const roster = await open(t)
      const stopped = await Watcher.ofRoom(roster, 'a')
      stopped.stop()
      const watcher = await Watcher.ofRoom(roster, 'a')
      stopped.stop()
      await roster.enter('a', 'c1', ada)
      await watcher.until(({ count }) => count === 1)
      t.equal(stopped.told.length, 1)
      const deaf = await Watcher.ofSignals(roster, 'b')
      deaf.stop()
      const listener = await Watcher.ofSignals(roster, 'b')
      deaf.stop()
      roster.signal('b', { typing: ada })
      await listener.until(() => true)
      t.strictSame(deaf.told, [])
    })

    await t.test('a signal reaches the listeners of its room', async (t) => {
      const roster = await open(t)
      roster.signal('a', { typing: eve })
      const [one, two, elsewhere] = [await Watcher.ofSignals(roster, 'a'), await Watcher.ofSignals(roster, 'a'), await Watcher.ofSignals(roster, 'b')]
      roster.signal('a', { typing: ada })
      roster.signal('b', { typing: bob })
      await Promise.all([one, two, elsewhere].map((listener) => listener.until(() => true)))
      t.strictSame([one, two, elsewhere].map(({ told }) => told), [[{ typing: ada }], [{ typing: ada }], [{ typing: bob }]])
    })

    await t.test('a restriction holds for its duration; the last of each kind per subject counts', async (t) => {
      const roster = await open(t)
      t.strictSame((await roster.restrictions(['x', 'y'])).restrictions, [])
      await roster.restrict('x', { kind: 'mute', duration: 500_000, reason: 'first' })
      await roster.restrict('x', mute!)
      await roster.restrict('x', ban!)
      await roster.restrict('y', mute!)
      await roster.restrict('__proto__', ban!)
      const inForce = async (...who: string[]) => (await roster.restrictions(who)).restrictions
        .map((what) => what.kind === 'kick' ? what.kind : `${what.kind} ${what.duration > 900_000 && what.duration <= 1_000_000} ${what.reason}`).toSorted()
      t.strictSame(await inForce('x'), ['ban true grüße\n"', 'mute true loud'])
      t.strictSame(await inForce('y'), ['mute true loud'])
      t.strictSame(await inForce('x', 'y', 'z'), ['ban true grüße\n"', 'mute true loud', 'mute true loud'])
      t.strictSame(await inForce('__proto__'), ['ban true grüße\n"'])
      t.strictSame(await inForce('constructor', 'toString'), [])
      t.strictSame(await inForce(), [])
      await roster.restrict('x', unban!)
      t.strictSame(await inForce('x'), ['mute true loud'], 'a duration of 0 lifts the previous restriction')
      await roster.restrict('x', { kind: 'mute', duration: 500_000, reason: 'shorter' })
      t.strictSame(await inForce('x'), ['mute false shorter'])
    })

    await t.test('a restriction expires by itself', async (t) => {
      const roster = await open(t)
      const watcher = Watcher.ofRestrictions(roster)
      const begun = performance.now()
      await roster.restrict('x', { kind: 'mute', duration: 20, reason: '' })
      while (await left(roster, 'x', 'mute') !== undefined) await new Promise((resolve) => setImmediate(resolve))
      t.ok(performance.now() - begun >= 18, 'it does not expire earlier')
      t.strictSame(reported(watcher), [['x', { kind: 'mute', duration: 20, reason: '' }]])
    })

    await t.test("a node's clock that is an hour off, or is set, changes no duration", async (t) => {
      const roster = await open(t)
      const { now } = Date
      t.teardown(() => mock.restoreAll())
      for (const off of [-3_600_000, 3_600_000]) {
        mock.method(Date, 'now', () => now() + off)
        const watcher = Watcher.ofRestrictions(roster)
        await roster.restrict('x', { kind: 'ban', duration: 60_000, reason: '' })
        t.match(watcher.told[0], ['x', { kind: 'ban', duration: 60_000 }])
        const remaining = (await left(roster, 'x', 'ban'))!
        t.ok(remaining > 0 && remaining <= 60_000, `${remaining} ms remain`)
        mock.restoreAll()
        const after = (await left(roster, 'x', 'ban'))!
        t.ok(after > 0 && after <= 60_000, `${after} ms remain`)
      }
    })

    await t.test('an infinite or too large duration becomes 100 years', async (t) => {
      const roster = await open(t)
      for (const duration of [Infinity, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, LONGEST_DURATION + 1]) {
        const watcher = Watcher.ofRestrictions(roster)
        await roster.restrict('x', { kind: 'ban', duration, reason: '' })
        t.match(watcher.told[0], ['x', { duration: LONGEST_DURATION }])
        const remaining = (await left(roster, 'x', 'ban'))!
        t.ok(remaining > LONGEST_DURATION - 60_000 && remaining <= LONGEST_DURATION, `${remaining} ms remain`)
      }
      await roster.restrict('x', { kind: 'ban', duration: 0.5, reason: '' })
      t.ok((await left(roster, 'x', 'ban') ?? 1) <= 1, 'a fraction of a ms counts as 1 ms')
    })

    await t.test('an invalid restriction rejects and changes nothing', async (t) => {
      const roster = await open(t)
      await roster.restrict('x', ban!)
      await roster.restrict('x', mute!)
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
        t.doesNotThrow(() => { called = roster.restrict(who as string, what as Restriction) }, title)
        await t.rejects(called, { code: 'FST_CHAT_INVALID_ARGUMENT' }, title)
      }
      t.strictSame(watcher.told, [])
      const after = await roster.restrictions(['x'])
      t.strictSame(after.restrictions.map(({ kind, moment }) => [kind, moment]), before.restrictions.map(({ kind, moment }) => [kind, moment]))
    })

    await t.test("restrict resolves after this node's listeners were called, also for a lifted restriction", async (t) => {
      const roster = await open(t)
      const stopped = Watcher.ofRestrictions(roster)
      stopped.stop()
      stopped.stop()
      const [one, two] = [Watcher.ofRestrictions(roster), Watcher.ofRestrictions(roster)]
      const said: Array<[string, Restriction]> = [['x', mute!], ['y y', ban!], ['x', kick!], ['x', unmute!], ['y y', unban!]]
      for (const [i, [who, what]] of said.entries()) {
        await roster.restrict(who, what)
        for (const watcher of [one, two]) t.strictSame(reported(watcher), said.slice(0, i + 1))
      }
      t.strictSame(stopped.told, [])
    })

    await t.test('moments order restrictions and connections: a kick applies to earlier connections only', async (t) => {
      const roster = await open(t)
      const watcher = Watcher.ofRestrictions(roster)
      const moments: number[] = []
      for (let i = 0; i < 20; i++) {
        const before = (await roster.restrictions([])).moment
        await roster.restrict('x', i % 2 === 0 ? kick! : mute!)
        const said = watcher.last![1].moment
        const { moment: after, restrictions } = await roster.restrictions(['x'])
        t.ok(before < said && said <= after, `${before} ${said} ${after}`)
        t.ok(restrictions.some(({ kind, moment }) => kind === (i % 2 === 0 ? 'kick' : 'mute') && moment === said), 'kept with its moment')
        moments.push(before, said)
      }
      t.strictSame(moments, moments.toSorted((a, b) => a - b))
      t.equal((await roster.restrictions(['y'])).restrictions.length, 0)
    })

    await t.test('after close every call rejects, none throws, and no listener is called', async (t) => {
      const roster = await open(t)
      await roster.enter('a', 'c1', ada)
      const watcher = await Watcher.ofRoom(roster, 'a')
      const told = watcher.told.length
      await roster.enter('a', 'c2', bob)
      await Promise.all([roster.close(), roster.close()])
      await roster.close()
      const calls: Record<string, () => Promise<unknown>> = {
        enter: () => roster.enter('a', 'c3', eve),
        leave: () => roster.leave('a', 'c1'),
        watch: () => roster.watch('a', () => {}),
        listen: () => roster.listen('a', () => {}),
        restrict: () => roster.restrict('x', mute!),
        restrictions: () => roster.restrictions(['x'])
      }
      for (const [title, call] of Object.entries(calls)) {
        let called!: Promise<unknown>
        t.doesNotThrow(() => { called = call() }, title)
        await t.rejects(called, { code: 'FST_CHAT_ROSTER_CLOSED' }, title)
      }
      t.doesNotThrow(() => roster.signal('a', { typing: ada }))
      t.doesNotThrow(() => watcher.stop())
      t.equal(watcher.told.length, told)
    })

    if (driver.hasPeers !== true) return
    await t.test('peers share members, signals and restrictions', async (t) => {
      const backend = await driver.backend(t)
      const [one, two] = [await open(t, {}, backend), await open(t, {}, backend)]
      const watcher = await Watcher.ofRoom(two, 'a')
      await one.enter('a', 'c1', ada)
      await watcher.until(({ count }) => count === 1)
      await two.enter('a', 'c2', ada)
      await two.enter('a', 'c3', bob)
      t.strictSame(names(await watcher.until(({ count }) => count === 2)), ['ada', 'bob'])
      await one.leave('a', 'c1')
      await two.leave('a', 'c3')
      t.strictSame((await watcher.until(({ count }) => count === 1)).members, [ada])
      const listener = await Watcher.ofSignals(two, 'a')
      one.signal('a', { typing: ada })
      t.strictSame(await listener.until(() => true), { typing: ada })
      const told = Watcher.ofRestrictions(two)
      await one.restrict('x', ban!)
      t.strictSame(await told.until(() => true), ['x', { ...ban, moment: told.last![1].moment }])
      t.ok((await left(two, 'x', 'ban'))! > 0)
      const { moment } = await two.restrictions([])
      await one.restrict('x', kick!)
      const [, { moment: kicked }] = await told.until(([, { kind }]) => kind === 'kick')
      t.ok(kicked > moment, 'a kick is later than the connections on the peer')
      t.ok((await two.restrictions([])).moment >= kicked, 'a kick is not later than subsequent connections')
    })

    await t.test('a member that moves to a peer within the grace was never absent', async (t) => {
      const backend = await driver.backend(t)
      const [one, two] = [await open(t, { grace: 200 }, backend), await open(t, { grace: 200 }, backend)]
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
        t.ok(watcher.told.every(({ members }) => members.some(({ id }) => id === ada.id)))
      }
    })

    await t.test('members of a closed node have a grace to reach another node', async (t) => {
      const backend = await driver.backend(t)
      const [one, two] = [await open(t, patient, backend), await open(t, { grace: 100 }, backend)]
      await one.enter('a', 'c1', ada)
      await two.enter('a', 'c2', bob)
      await two.enter('a', 'c3', eve)
      const [first, watcher] = [await Watcher.ofRoom(one, 'a'), await Watcher.ofRoom(two, 'a')]
      await first.until(({ count }) => count === 3)
      await one.close()
      await two.leave('a', 'c3')
      t.strictSame(names(await watcher.until(({ members }) => !members.some(({ id }) => id === eve.id))), ['ada', 'bob'])
      await two.enter('a', 'c4', ada)
      t.ok(watcher.told.every(({ members }) => members.some(({ id }) => id === ada.id)))
    })

    await t.test('the list is capped and the count exact across all peers', async (t) => {
      const backend = await driver.backend(t)
      const peers = await Promise.all([1, 2, 3].map(() => open(t, { listed: 5 }, backend)))
      const watcher = await Watcher.ofRoom(peers[0]!, 'a')
      // Half of the members are on two peers.
      await Promise.all(peers.flatMap((peer, p) => Array.from({ length: 20 }, (_, i) =>
        peer.enter('a', `${p} ${i}`, { id: String(p * 10 + i), name: `${i}` }))))
      t.equal((await watcher.until(({ count }) => count === 40)).members.length, 5)
      await Promise.all(Array.from({ length: 20 }, (_, i) => peers[1]!.leave('a', `1 ${i}`)))
      await watcher.until(({ count }) => count === 40)
      await Promise.all(Array.from({ length: 20 }, (_, i) => peers[2]!.leave('a', `2 ${i}`)))
      t.equal((await watcher.until(({ count }) => count === 20)).members.length, 5)
    })

    await t.test('rosters on different backends share no room', async (t) => {
      const [one, two] = [await open(t), await open(t)]
      const watcher = await Watcher.ofRoom(two, 'a')
      await one.enter('a', 'c1', ada)
      await two.enter('a', 'c2', bob)
      t.strictSame(names(await watcher.until(({ count }) => count > 0)), ['bob'])
    })

    await t.test('members of a closed node are removed after the grace', async (t) => {
      const backend = await driver.backend(t)
      const [one, two] = [await open(t, {}, backend), await open(t, {}, backend)]
      const watcher = await Watcher.ofRoom(two, 'a')
      await one.enter('a', 'c1', ada)
      await two.enter('a', 'c2', bob)
      await watcher.until(({ count }) => count === 2)
      await one.close()
      t.strictSame((await watcher.until(({ count }) => count === 1)).members, [bob])
    })
  })
}

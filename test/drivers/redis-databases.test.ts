import t, { type Test } from 'tap'
import { RedisRoster } from '../../src/drivers/redis/roster/roster.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import type { Roster, Signal } from '../../src/roster.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { bodies, says } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'

/** Opens a driver on each of two databases of one Redis, with one prefix. */
async function both<T extends { close (): Promise<void> }> (t: Test, open: (url: string) => T): Promise<[T, T]> {
  const { port } = await redisServer(t, { tcp: true })
  const drivers = [0, 1].map((db) => open(`redis://127.0.0.1:${port}/${db}`)) as [T, T]
  t.teardown(() => Promise.all(drivers.map((driver) => driver.close())))
  return drivers
}

t.test('entries stay in the database of their store', { skip }, async (t) => {
  const [store, other] = await both(t, (url) => new RedisStore({ url }))
  const followers = await Promise.all([store, other].map((each) => Follower.of(each, 'a'))) as [Follower, Follower]
  await other.append('a', says('elsewhere'))
  await followers[1].has('elsewhere')
  await store.append('a', says('end'))
  await followers[0].has('end')
  t.strictSame(followers.map(bodies), [['end'], ['elsewhere']])
  t.ok(followers[0].pages.every(({ complete }) => complete))
})

t.test('typing and restrictions stay in the database of their roster', { skip }, async (t) => {
  const rosters = await both(t, (url) => new RedisRoster({ url }))
  const signals = await Promise.all(rosters.map(async (roster) => await received<Signal>((on) => roster.listen('a', on))))
  const restrictions = await Promise.all(rosters.map(async (roster) => {
    await roster.restrictions([])
    return await received<string>(async (on) => roster.onRestrict((subject, { kind }) => on(`${kind} ${subject}`)))
  }))
  for (const [i, name] of [[1, 'eve'], [0, 'ada']] as const) {
    const roster: Roster = rosters[i]
    roster.signal('a', { typing: { id: name, name }, on: true })
    await signals[i]!.first
    await roster.restrict(name, { kind: 'ban', duration: 60_000, reason: '' })
    await roster.restrict(name, { kind: 'kick', reason: '' })
  }
  // A restriction is reported by the message on its channel too.
  await restrictions[0]!.count(4)
  t.strictSame(signals[0]!.all, [{ typing: { id: 'ada', name: 'ada' }, on: true }])
  t.strictSame(new Set(restrictions[0]!.all), new Set(['ban ada', 'kick ada']))
})

t.test('messages to members stay in the database of their roster', { skip }, async (t) => {
  const { port, client } = await redisServer(t, { tcp: true })
  const rosters = [0, 1].map((db) => new RedisRoster({ url: `redis://127.0.0.1:${port}/${db}` }))
  t.teardown(() => Promise.all(rosters.map((roster) => roster.close())))
  const members = ['ada', '1 ada', '1:ada', ':1 ada', ' ada'].flatMap((id) => rosters.map((roster) => [roster, id] as const))
  const attended = await Promise.all(members.map(async ([roster, id]) => await received<string>((on) => roster.attend(id, on))))
  for (const [i, [roster, id]] of members.entries()) t.equal(await roster.send(id, `${i}`), true)
  await Promise.all(attended.map(async ({ first }) => await first))
  t.strictSame(attended.map(({ all }) => all), members.map((_, i) => [`${i}`]))
  // Ids that differ may share a slot.
  const channels = await client.pubsub('CHANNELS', '*direct*') as string[]
  t.equal(new Set(channels.map((channel) => channel.replace(/{.*?}/, ''))).size, members.length)
})

/** Collects what a listener receives. */
async function received<T> (listen: (on: (value: T) => void) => Promise<unknown>) {
  const all: T[] = []
  const waiting = new Set<() => void>()
  await listen((value) => {
    all.push(value)
    for (const check of waiting) check()
  })
  const count = (least: number) => new Promise<void>((resolve) => {
    const check = () => { if (all.length >= least) resolve() }
    waiting.add(check)
    check()
  })
  return { all, first: count(1), count }
}

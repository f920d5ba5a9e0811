import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { RedisRoster, type RedisRosterOptions } from '../../src/drivers/redis/roster/roster.ts'
import { Lease } from '../../src/drivers/redis/roster/lease.ts'
import type { PresentMember, Restriction } from '../../src/roster.ts'
import type { Member } from '../../src/store.ts'
import { eventually } from '../support/eventually.ts'
import { EarlierRoster } from '../support/earlier-roster.ts'
import { full } from '../support/full.ts'
import { proxy } from '../support/proxy.ts'
import { redisCluster, redisServer, skip } from '../support/redis-server.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'
import { rosterContract } from '../../src/contract/roster.ts'
import { reported } from '../../src/contract/roster/restrict.ts'
import { memberData, withoutOrder } from '../../src/contract/roster/members.ts'
import { untilUnattended } from '../../src/contract/roster/direct-messages.ts'
import { signals, sorted } from '../../src/contract/roster/signals.ts'
import { Watcher } from '../../src/contract/roster/watcher.ts'

const [ada, bob, eve] = ['ada', 'bob', 'eve'].map((name) => ({ id: name, name })) as [Member, Member, Member]

/** Short, so that tests don't wait. The lease is long enough for a machine under load. */
const quick = { grace: 1, coalesce: 1, timeout: 2_000 }

function open (t: Test, options: RedisRosterOptions): RedisRoster {
  const roster = new RedisRoster({ ...quick, ...options })
  t.teardown(() => roster.close())
  return roster
}

const names = ({ members }: { members: readonly Member[] }) => members.map(({ name }) => name).toSorted()

t.test('the Redis roster', { skip }, async (t) => {
  // The roster's timers are unref'd, so the process needs one of its own.
  const awake = setInterval(() => {}, 60_000)
  t.teardown(() => clearInterval(awake))

  await t.test('one Redis', async (t) => {
    const { socket } = await redisServer(t)
    await rosterContract(t.test, {
      open: (prefix, { grace }) => new RedisRoster({ url: socket, prefix, grace, coalesce: 20 }),
      capabilities: { shared: true }
    })
  })

  await t.test('a Redis Cluster', async (t) => {
    const client = await redisCluster(t, 2)
    await rosterContract(t.test, {
      open: (prefix, { grace }) => new RedisRoster({ client, prefix, grace, coalesce: 20 }),
      capabilities: { shared: true }
    })
  })

  await t.test('members of a dead node are removed when its lease expires, also from unwatched rooms', async (t) => {
    const { socket, client } = await redisServer(t)
    const lease = 1_500
    const roster = open(t, { url: socket, lease })
    const watcher = await Watcher.ofRoom(roster, 'a')
    await roster.enter('a', 'c', bob)
    const node = spawn(process.execPath, [...typescriptArguments, fileURLToPath(new URL('../support/fixtures/roster-node.ts', import.meta.url)), socket, String(lease)],
      { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => node.kill('SIGKILL'))
    await once(node.stdout, 'data')
    t.strictSame(names(await watcher.until(({ count }) => count === 2)), ['ada', 'bob'])
    node.kill('SIGKILL')
    t.strictSame(names(await watcher.until(({ count }) => count === 1)), ['bob'], 'a member on a live node stays')
    const other = await Watcher.ofRoom(roster, 'b')
    t.strictSame(other.told, [{ members: [], count: 0, stale: false }])
    t.strictSame((await client.keys('*{b}*')), [], 'no key of the room is left')
  })

  await t.test('a Redis that restarts empty receives all members again, with the changes meanwhile', async (t) => {
    const server = await redisServer(t)
    const [one, two] = [open(t, { url: server.socket }), open(t, { url: server.socket })]
    await one.enter('a', 'c1', ada)
    await two.enter('a', 'c2', bob)
    await two.enter('a', 'c3', eve)
    const watchers = await Promise.all([one, two].map((roster) => Watcher.ofRoom(roster, 'a')))
    await server.kill()
    for (const watcher of watchers) t.strictSame(names(await watcher.until(({ stale }) => stale)), ['ada', 'bob', 'eve'])
    await one.enter('a', 'c4', { id: 'ivy', name: 'ivy' })
    await two.leave('a', 'c2')
    await server.start()
    for (const watcher of watchers) {
      await watcher.until(({ stale, members }) => !stale && names({ members }).join() === 'ada,eve,ivy')
      t.equal(watcher.told.filter(({ stale }) => stale).length, 1, 'stale is reported once')
    }
  })

  await t.test('a node whose lease expired while it was stopped registers its members again', async (t) => {
    const { socket, client } = await redisServer(t)
    const [one, two] = [open(t, { url: socket }), open(t, { url: socket })]
    for (const room of ['a', 'b']) await two.enter(room, 'c', ada)
    const watcher = await Watcher.ofRoom(two, 'a')
    const [late] = await client.hkeys('fastify-chat:{a}:present:nodes')
    await client.zrem('fastify-chat:{roster}:leases', late!)
    await client.publish('fastify-chat:{roster}:peers', '')
    await watcher.until(({ stale }) => stale)
    await watcher.until(({ stale }) => !stale)
    for (const room of ['a', 'b']) t.strictSame((await Watcher.ofRoom(one, room)).told, [{ members: [ada], count: 1, stale: false }])
    t.notOk((await client.hkeys('fastify-chat:{b}:present:nodes')).includes(late!))
  })

  await t.test('no lease expires while no node can renew its lease', async (t) => {
    const { socket, client } = await redisServer(t)
    const [one, two] = [open(t, { url: socket }), open(t, { url: socket })]
    await one.enter('a', 'c1', ada)
    await two.enter('a', 'c2', bob)
    const watchers = await Promise.all([one, two].map((roster) => Watcher.ofRoom(roster, 'a')))
    const nodes = await client.hkeys('fastify-chat:{a}:present:nodes')
    for (const node of ['', ...nodes]) await client.zincrby('fastify-chat:{roster}:leases', -100_000, node)
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await Promise.all(watchers.map(async (watcher) => {
      await watcher.until(({ stale }) => stale)
      await watcher.until(({ stale }) => !stale)
      t.ok(watcher.told.every(({ count }) => count === 2))
    }))
    t.strictSame(await client.hkeys('fastify-chat:{a}:present:nodes'), nodes)
  })

  await t.test("entries under a node's former id are removed with that id", async (t) => {
    const { socket, client } = await redisServer(t)
    const [one, two] = [open(t, { url: socket }), open(t, { url: socket })]
    await one.enter('a', 'c1', ada)
    await one.enter('b', 'c1', ada)
    const watchers = await Promise.all(['a', 'b'].map((room) => Watcher.ofRoom(two, room)))
    const own = await Watcher.ofRoom(one, 'a')
    await client.del('fastify-chat:{a}:present:nodes')
    await client.publish('fastify-chat:{a}:presence', '')
    await own.until(({ stale }) => stale)
    await own.until(({ stale }) => !stale)
    await one.leave('b', 'c1')
    await watchers[1]!.until(({ count }) => count === 0)
    t.equal(watchers[0]!.last!.count, 1)
  })

  await t.test('after a flush of Redis its nodes register their members again', async (t) => {
    const { socket, client } = await redisServer(t)
    const [one, two] = [open(t, { url: socket, lease: 900 }), open(t, { url: socket, lease: 900 })]
    await one.enter('a', 'c1', ada)
    await two.enter('a', 'c2', bob)
    const watcher = await Watcher.ofRoom(two, 'a')
    await client.flushall()
    await watcher.until(({ stale }) => stale)
    await watcher.until(({ stale, count }) => !stale && count === 2)
    await one.leave('a', 'c1')
    t.strictSame(names(await watcher.until(({ count }) => count === 1)), ['bob'])
  })

  await t.test('members of a room that Redis lost are registered again when a node reads the room', async (t) => {
    const { socket, client } = await redisServer(t)
    const [one, two] = [open(t, { url: socket }), open(t, { url: socket })]
    await one.enter('a', 'c1', ada)
    await one.enter('a', 'c2', bob)
    const watchers = await Promise.all([one, two].map((roster) => Watcher.ofRoom(roster, 'a')))
    await client.del(await client.keys('*{a}*'))
    await two.enter('a', 'c3', eve)
    for (const watcher of watchers) await watcher.until(({ stale, members }) => !stale && names({ members }).join() === 'ada,bob,eve')
  })

  await t.test('a stopped Redis is detected, blocks no call, and works again when it continues', async (t) => {
    const server = await redisServer(t)
    const roster = open(t, { url: server.socket, lease: 1_500, timeout: 500 })
    await roster.enter('a', 'c1', ada)
    const watcher = await Watcher.ofRoom(roster, 'a')
    process.kill(server.pid, 'SIGSTOP')
    t.teardown(() => process.kill(server.pid, 'SIGCONT'))
    await roster.enter('a', 'c2', bob)
    await roster.leave('a', 'c1')
    t.strictSame(names(await watcher.until(({ stale }) => stale)), ['ada'])
    const late = await Watcher.ofRoom(roster, 'b')
    t.strictSame(late.told, [{ members: [], count: 0, stale: true }])
    await t.rejects(roster.restrictions(['x']), { code: 'FST_CHAT_UNAVAILABLE' })
    process.kill(server.pid, 'SIGCONT')
    await watcher.until(({ stale, members }) => !stale && names({ members }).join() === 'bob')
    await late.until(({ stale }) => !stale)
  })

  await t.test('a node that starts without Redis has its own members, and registers them later', async (t) => {
    const server = await redisServer(t)
    await server.kill()
    const roster = open(t, { url: server.socket })
    await roster.enter('a', 'c1', ada)
    const watcher = await Watcher.ofRoom(roster, 'a')
    t.strictSame(watcher.told, [{ members: [ada], count: 1, stale: true }])
    await server.start()
    await watcher.until(({ stale, count }) => !stale && count === 1)
    const peer = await Watcher.ofRoom(open(t, { url: server.socket }), 'a')
    t.strictSame(peer.told, [{ members: [ada], count: 1, stale: false }])
  })

  await t.test('a node that reconnects receives the arrivals and restrictions that it missed', async (t) => {
    const { socket, port } = await redisServer(t, { tcp: true })
    const line = await proxy(t, port!)
    const [cut, other] = [open(t, { url: `redis://127.0.0.1:${line.port}` }), open(t, { url: socket })]
    const watcher = await Watcher.ofRoom(cut, 'a')
    const restrictions = Watcher.ofRestrictions(cut)
    const mute: Restriction = { kind: 'mute', duration: 1_000_000, reason: 'loud' }
    await other.restrict('ada', mute)
    await restrictions.until(() => true)
    line.target = undefined
    line.freeze()
    await cut.enter('a', 'c2', eve)
    await watcher.until(({ stale }) => stale)
    await other.enter('a', 'c1', ada)
    const missed: Array<[string, Restriction]> = [
      ['bob smith', { kind: 'ban', duration: 1_000_000, reason: 'spam' }],
      ['ada', { kind: 'mute', duration: 0, reason: '' }],
      ['eve', { kind: 'kick', reason: 'go' }]
    ]
    for (const [subject, restriction] of missed) await other.restrict(subject, restriction)
    line.target = port!
    t.strictSame(names(await watcher.until(({ stale }) => !stale)), ['ada', 'eve'])
    const caughtUp = reported(restrictions).slice(-3)
    t.match(caughtUp, [['bob smith', { kind: 'ban', reason: 'spam' }], ...missed.slice(1)])
    const [, ban] = caughtUp[0]!
    t.ok(ban.kind === 'ban' && ban.duration > 900_000 && ban.duration <= 1_000_000, 'the duration is what remains of the ban')
    await other.restrict('ada', { ...mute, reason: 'again' })
    await restrictions.until(([, { reason }]) => reason === 'again')
  })

  await t.test('subscriptions that were killed are restored', async (t) => {
    const { socket, client } = await redisServer(t)
    const roster = open(t, { url: socket })
    const watcher = await Watcher.ofRoom(roster, 'a')
    const listener = await Watcher.ofSignals(roster, 'a')
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await watcher.until(({ stale }) => stale)
    await watcher.until(({ stale }) => !stale)
    await roster.enter('a', 'c1', ada)
    await watcher.until(({ count }) => count === 1)
    roster.signal('a', { typing: ada, on: true })
    t.strictSame(await listener.until(() => true), { typing: ada, on: true })
    for (const signal of signals) roster.signal('a', signal)
    await listener.untilReceived(1 + signals.length)
    t.strictSame(sorted(listener.told.slice(1)), sorted(signals))
  })

  await t.test('nodes of an earlier version share typing in their format and receive no other signal', async (t) => {
    const { socket, client } = await redisServer(t)
    const roster = open(t, { url: socket })
    const listener = await Watcher.ofSignals(roster, 'a')
    const earlier = new Redis(socket)
    t.teardown(() => earlier.disconnect())
    await earlier.subscribe('fastify-chat:{a}:presence')
    const received: unknown[] = []
    earlier.on('message', (_, message) => received.push(JSON.parse(message)))
    const data = { ...ada, data: '{"role":"admin"}' }
    for (const signal of [...signals, { typing: data, on: false }, { from: data, data: '1' }, { typing: data, on: true }]) roster.signal('a', signal)
    await listener.untilReceived(signals.length + 3)
    await earlier.ping()
    t.strictSame(received, [{ id: 'id of ada', name: 'ada' }, ada])
    t.notOk(JSON.stringify(listener.told).includes('admin'))
    await client.publish('fastify-chat:{a}:presence', JSON.stringify(bob))
    await listener.untilReceived(signals.length + 4)
    t.strictSame(listener.last, { typing: bob, on: true })
  })

  await t.test('signals of a later version are ignored', async (t) => {
    const { socket, client } = await redisServer(t)
    const listener = await Watcher.ofSignals(open(t, { url: socket }), 'a')
    for (const later of [null, 1, [], {}, { later: true }, { typing: { id: 'ada' }, on: false }, { typing: ada }, { from: ada }, { data: '1' }, { from: 1, data: '1' }, { from: null, data: {} }]) {
      await client.publish('fastify-chat:{a}:signals', JSON.stringify(later))
    }
    await client.publish('fastify-chat:{a}:signals', JSON.stringify({ typing: ada, on: false }))
    await listener.until(() => true)
    t.strictSame(listener.told, [{ typing: ada, on: false }])
  })

  await t.test('attendances that were cut are restored, also those that begin or end meanwhile', async (t) => {
    const { socket, client } = await redisServer(t)
    const [roster, other] = [open(t, { url: socket }), open(t, { url: socket })]
    const members = Array.from({ length: 20 }, (_, i) => `member ${i}`)
    const ended: Array<Watcher<string>> = []
    let watchers = await Promise.all(members.map((id) => Watcher.ofMember(roster, id)))
    for (let round = 0; round < 5; round++) {
      const cut = client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      const began = members.map((id) => Watcher.ofMember(roster, id))
      for (const watcher of watchers) watcher.stop()
      ended.push(...watchers)
      await cut
      watchers = await Promise.all(began)
    }
    for (const [i, id] of members.entries()) {
      // Data is lost until the subscription is restored. Data that was passed to Redis once before the cut may arrive as well.
      await eventually(async () => await other.send(id, JSON.stringify(id)))
      await watchers[i]!.untilReceived(1)
      t.strictSame(watchers[i]!.last, JSON.stringify(id))
    }
    t.ok(ended.every(({ told }) => told.length === 0))
    for (const watcher of watchers) watcher.stop()
    for (const id of members) await untilUnattended(other, id)
  })

  await t.test('a member that is attended while Redis is down is attended when it is back', async (t) => {
    const server = await redisServer(t)
    const roster = open(t, { url: server.socket, timeout: 200 })
    const early = await Watcher.ofMember(roster, 'ada')
    await server.kill()
    const [late, ended] = [await Watcher.ofMember(roster, 'bob'), await Watcher.ofMember(roster, 'eve')]
    ended.stop()
    await t.rejects(roster.send('ada', '0'), { code: /^FST_CHAT_(?:UNAVAILABLE|UNKNOWN)$/ })
    await server.start()
    const other = open(t, { url: server.socket })
    for (const [id, watcher] of [['ada', early], ['bob', late]] as const) {
      await eventually(async () => await other.send(id, '1'))
      await watcher.untilReceived(1)
    }
    t.equal(await other.send('eve', '2'), false)
    t.strictSame(ended.told, [])
  })

  await t.test('an attendance that Redis rejected begins once the user has the permission', async (t) => {
    const { socket, client } = await redisServer(t)
    await client.call('ACL', 'SETUSER', 'default', 'resetchannels', '&fastify-chat:{roster}:*')
    const roster = open(t, { url: socket, lease: 300 })
    const watcher = await Watcher.ofMember(roster, 'ada')
    await client.call('ACL', 'SETUSER', 'default', 'allchannels')
    await eventually(async () => await roster.send('ada', '1'))
    await watcher.untilReceived(1)
    t.strictSame(watcher.told, ['1'])
  })

  await t.test('thousands of attended members take few commands, and none of another call is refused', async (t) => {
    const { socket, client } = await redisServer(t)
    const roster = open(t, { url: socket, timeout: 20_000, inFlight: 100 })
    await roster.check()
    const calls = async (command: string) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await client.info('commandstats'))?.[1] ?? 0)
    const before = [await calls('subscribe'), await calls('unsubscribe')] as const
    const members = Array.from({ length: full(20_000, 5_000) }, (_, i) => `member ${i}`)
    const attending = Promise.all(members.map((id) => Watcher.ofMember(roster, id)))
    await t.resolves(roster.restrictions(['x']))
    const watchers = await attending
    t.ok(await calls('subscribe') - before[0] <= 30, `${await calls('subscribe') - before[0]} commands`)
    t.equal(await roster.send(members.at(-1)!, '1'), true)
    await watchers.at(-1)!.untilReceived(1)
    for (const watcher of watchers) watcher.stop()
    for (const id of [members[0]!, members.at(-1)!]) await untilUnattended(roster, id)
    t.ok(await calls('unsubscribe') - before[1] <= 30, `${await calls('unsubscribe') - before[1]} commands`)
    t.strictSame((await client.pubsub('CHANNELS', '*direct*')), [])
  })

  await t.test('in a Cluster, members share few slots, so that one command attends many of them', async (t) => {
    const client = await redisCluster(t, 2)
    const roster = open(t, { client, timeout: 20_000 })
    await roster.check()
    const calls = async (command: string) => {
      const stats = await Promise.all(client.nodes('master').map(async (node) => await node.info('commandstats')))
      return stats.reduce((sum, each) => sum + Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(each)?.[1] ?? 0), 0)
    }
    // The connections to both masters exist before the commands are counted.
    await Promise.all(Array.from({ length: 20 }, (_, i) => Watcher.ofMember(roster, `early ${i}`)))
    const before = await calls('ssubscribe')
    const members = Array.from({ length: 2_000 }, (_, i) => `member ${i}`)
    const watchers = await Promise.all(members.map((id) => Watcher.ofMember(roster, id)))
    t.ok(await calls('ssubscribe') - before <= 64, `${await calls('ssubscribe') - before} commands`)
    t.ok((await Promise.all(members.map((id) => roster.send(id, JSON.stringify(id))))).every(Boolean))
    await Promise.all(watchers.map((watcher) => watcher.untilReceived(1)))
    t.strictSame(watchers.map(({ told }) => told), members.map((id) => [JSON.stringify(id)]))
  })

  await t.test('a foreign message to a member is ignored', async (t) => {
    const { socket, client } = await redisServer(t)
    const roster = open(t, { url: socket })
    const watcher = await Watcher.ofMember(roster, 'ada')
    const warnings: string[] = []
    const warned = (warning: Error) => warnings.push(warning.name)
    process.on('warning', warned)
    t.teardown(() => process.off('warning', warned))
    const [channel] = await client.pubsub('CHANNELS', '*direct*') as string[]
    for (const message of ['nonsense', '', 'null', '[]', '{}', '{"data":1}', '{"later":"1"}']) await client.publish(channel!, message)
    await roster.send('ada', '1')
    await watcher.until(() => true)
    t.strictSame([watcher.told, warnings], [['1'], ['SyntaxError', 'SyntaxError']])
  })

  await t.test('nodes of the version before member data read the names, and may drop the data', async (t) => {
    const { socket, client } = await redisServer(t)
    const roster = open(t, { url: socket })
    const earlier = await EarlierRoster.on(client)
    const watcher = await Watcher.ofRoom(roster, 'a')
    const shows = async (...members: PresentMember[]) => {
      const wanted = JSON.stringify(members)
      t.equal(JSON.stringify((await watcher.until((presence) => JSON.stringify(presence.members) === wanted)).members), wanted)
    }
    for (const [i, data] of memberData.entries()) {
      const member = { id: `${i}`, name: `${i} of:a b`, data }
      await roster.enter('a', `c${i}`, member)
      await shows(member)
      t.strictSame(await earlier.names('a'), [member.name])
      await earlier.enter('a', member.id, member.name)
      await shows({ id: member.id, name: member.name })
      await roster.enter('a', `d${i}`, member)
      await shows(member)
      await earlier.leave('a', member.id)
      await earlier.enter('a', 'z', 'zoe')
      await shows({ id: 'z', name: 'zoe' }, member)
      await earlier.leave('a', 'z')
      await roster.leave('a', `c${i}`)
      await roster.leave('a', `d${i}`)
      await shows()
    }
    t.strictSame(await client.keys('*{a}*'), [])
  })

  await t.test('data of members is read once, not for each change of a member', async (t) => {
    const { socket, client } = await redisServer(t)
    const [one, two] = [open(t, { url: socket }), open(t, { url: socket })]
    const members = Array.from({ length: 100 }, (_, i) => ({ id: `${100 + i}`, name: `n${i}`, data: JSON.stringify(`${i}`.padEnd(1_000, 'x')) }))
    await Promise.all(members.map((member) => one.enter('a', member.id, member)))
    const watcher = await Watcher.ofRoom(two, 'a')
    t.strictSame(withoutOrder(watcher.last!.members), members)
    const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(await client.info('stats'))![1])
    const before = await sent()
    const [changed] = members.splice(50, 1, { ...members[50]!, data: JSON.stringify('y'.repeat(1_000)) })
    await one.enter('a', 'again', members[50]!)
    const { members: now } = await watcher.until((presence) => presence.members.some(({ data }) => data === members[50]!.data))
    t.strictSame(withoutOrder(now), members)
    const bytes = await sent() - before
    t.ok(bytes < 25_000, `${bytes} bytes`)
    await one.enter('a', 'once more', changed!)
    await watcher.until((presence) => presence.members.some(({ data }) => data === changed!.data))
  })

  await t.test('a lease is renewed by one command, for any number of members and rooms', async (t) => {
    const { socket, client } = await redisServer(t)
    // ioredis fails if Redis reports a command together with its reply to MONITOR, so no roster is open yet.
    const monitor = await client.monitor()
    t.teardown(() => monitor.disconnect())
    const roster = open(t, { url: socket, lease: 300 })
    for (let i = 0; i < 50; i++) {
      await Watcher.ofRoom(roster, `room${i}`)
      for (const member of [ada, bob]) await roster.enter(`room${i}`, member.id, member)
    }
    const last = await Watcher.ofRoom(roster, 'last')
    await roster.enter('last', 'c', eve)
    await last.until(({ count }) => count === 1)
    let renewed = 0
    for (let beyond = 0; renewed < 5 && beyond < 1_000; beyond++) {
      const [, command] = await once(monitor as unknown as NodeJS.EventEmitter, 'monitor') as [string, string[]]
      if (command[3] === 'fastify-chat:{roster}:leases' && command[0] === 'evalsha') renewed++
      if (renewed > 1) t.notOk(command.some((word) => word.includes('{room') || word.includes('{last')), command.join(' '))
    }
    t.equal(renewed, 5)
  })

  await t.test('thousands of members in a room take few commands, have an exact count, and leave nothing', async (t) => {
    const { socket, client } = await redisServer(t)
    const [one, two] = [open(t, { url: socket, coalesce: 100 }), open(t, { url: socket, coalesce: 100 })]
    const watcher = await Watcher.ofRoom(two, 'a')
    const size = full(20_000, 3_000)
    const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))![1])
    const before = await commands()
    await Promise.all(Array.from({ length: size }, (_, i) => one.enter('a', `c${i}`, { id: `member ${i}`, name: `name ${i}` })))
    t.equal((await watcher.until(({ count }) => count === size)).members.length, 100)
    // Commands that scripts run count too: four per arrival.
    t.ok(await commands() - before < 5 * size)
    t.ok(watcher.told.length < 300, `${watcher.told.length} reports`)
    for (const key of await client.keys('*')) t.ok(await client.pttl(key) > 0, `${key} expires`)
    for (let i = 0; i < size; i++) await one.leave('a', `c${i}`)
    await watcher.until(({ count }) => count === 0)
    t.strictSame(await client.keys('*{a}*'), [])
  })

  await t.test("close() removes this node's members and leaves the app's own client open", async (t) => {
    const { socket, client } = await redisServer(t)
    const own = new Redis(socket)
    t.teardown(() => own.disconnect())
    const roster = open(t, { client: own, prefix: 'mine' })
    await roster.enter('a', 'c1', ada)
    await roster.watch('b', () => {})
    await roster.enter('b', 'c1', ada)
    t.ok((await client.keys('*')).every((key) => key.startsWith('mine:')))
    await roster.close()
    t.strictSame(await client.keys('*{[ab]}*'), [])
    t.equal(await own.ping(), 'PONG')
  })

  await t.test("a foreign message on the roster's channels is ignored", async (t) => {
    const { socket, client } = await redisServer(t)
    const roster = open(t, { url: socket })
    const watcher = await Watcher.ofRoom(roster, 'a')
    await roster.listen('a', () => {})
    const warnings: string[] = []
    const warned = (warning: Error) => warnings.push(warning.name)
    process.on('warning', warned)
    t.teardown(() => process.off('warning', warned))
    for (const channel of ['{a}:presence', '{a}:signals', '{roster}:restricted']) await client.publish(`fastify-chat:${channel}`, 'nonsense')
    await roster.enter('a', 'c1', ada)
    await watcher.until(({ count }) => count === 1)
    t.strictSame(warnings, ['SyntaxError', 'SyntaxError', 'SyntaxError'])
  })

  await t.test('a roster closed without Redis stops its lease', async (t) => {
    const server = await redisServer(t)
    const roster = open(t, { url: server.socket })
    await roster.enter('a', 'c1', ada)
    const watcher = await Watcher.ofRoom(roster, 'a')
    await server.kill()
    await watcher.until(({ stale }) => stale)
    const stops = t.capture(Lease.prototype, 'stop', Lease.prototype.stop)
    await roster.close()
    t.equal(stops().length, 1)
  })

  await t.test("close() is bounded when Redis doesn't respond", async (t) => {
    const server = await redisServer(t)
    const roster = open(t, { url: server.socket, timeout: 200 })
    await roster.enter('a', 'c1', ada)
    process.kill(server.pid, 'SIGSTOP')
    t.teardown(() => process.kill(server.pid, 'SIGCONT'))
    await roster.close()
    await t.rejects(roster.enter('a', 'c2', bob), { code: 'FST_CHAT_ROSTER_CLOSED' })
  })
})

import t, { type Test } from 'tap'
import { RedisClient } from '../../src/drivers/redis/client/client.ts'
import { resolveOptions, type RedisStoreOptions } from '../../src/drivers/redis/store/options.ts'
import { RoomFeed } from '../../src/drivers/redis/store/room-feed.ts'
import { RoomScripts } from '../../src/drivers/redis/store/room-scripts.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { proxy } from '../support/proxy.ts'
import { redisCluster, redisServer, skip, type RedisServer } from '../support/redis-server.ts'
import { all, edit, fill, reauthorization, says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import type { Control, Controlled } from '../../src/change.ts'
import type { FeedPage } from '../../src/store.ts'

const never = 3_600_000
const state = 'fastify-chat:{a}:room'

function open (t: Test, options: RedisStoreOptions, pollInterval = never): RedisStore {
  const store = new RedisStore(options, pollInterval)
  t.teardown(() => store.close())
  return store
}

function scriptsOf (t: Test, server: RedisServer, options: RedisStoreOptions = {}): RoomScripts {
  const client = new RedisClient({ url: server.socket })
  t.teardown(() => client.close())
  return new RoomScripts(client, 'x', resolveOptions(options).room)
}

/** Returns scripts whose publications no node receives. */
function silentScripts (t: Test, server: RedisServer): RoomScripts {
  return Object.assign(scriptsOf(t, server), { channel: () => 'elsewhere' })
}

const removal = (member: string | number): Control => ({ remove: { member: `${member}`, reason: 'go' } })
const controlsOf = ({ pages }: { readonly pages: readonly FeedPage[] }): Controlled[] => pages.flatMap(({ controls = [] }) => controls)
const membersOf = (follower: Follower) => controlsOf(follower).map(({ control }) => 'remove' in control ? control.remove.member : 'reauthorize')

/** Returns those entries that were delivered before the control that was stored right before them. */
function tooEarly ({ pages }: Follower): string[] {
  const removed = new Set<string>()
  const early: string[] = []
  for (const page of pages) {
    for (const { control } of page.controls ?? []) if ('remove' in control) removed.add(control.remove.member)
    early.push(...page.entries.map(({ body }) => String(body)).filter((body) => !removed.has(body)))
  }
  return early
}

const cutSubscriptions = (server: RedisServer) => server.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')

const rooms = upTo(40).map((i) => `room-${i}`)

/** Calls that each store a control, and a post right after it, in all rooms. */
const losses: Record<string, (t: Test, server: RedisServer) => (store: RedisStore, member: string) => Promise<unknown>> = {
  'nothing is lost': () => removeAndPost,
  'publications of controls are lost': (t, server) => {
    const silent = silentScripts(t, server)
    return (store, member) => Promise.all(rooms.map(async (room) => {
      await silent.control(room, JSON.stringify(removal(member)))
      await store.append(room, says(member))
    }))
  },
  'subscriptions cut before': (_t, server) => async (store, member) => {
    await cutSubscriptions(server)
    await removeAndPost(store, member)
  },
  'subscriptions cut meanwhile': (_t, server) => async (store, member) => {
    await Promise.all([removeAndPost(store, member), cutSubscriptions(server)])
  },
  'subscriptions cut between them': (_t, server) => async (store, member) => {
    await Promise.all(rooms.map((room) => store.control(room, removal(member))))
    await Promise.all([cutSubscriptions(server), ...rooms.map((room) => store.append(room, says(member)))])
  }
}

async function removeAndPost (store: RedisStore, member: string): Promise<void> {
  await Promise.all(rooms.map(async (room) => {
    await store.control(room, removal(member))
    await store.append(room, says(member))
  }))
}

for (const [title, lossOf] of Object.entries(losses)) {
  t.test(`a post comes after the control before it, 200 times: ${title}`, { skip }, async (t) => {
    const server = await redisServer(t)
    const [store, peer] = [open(t, { url: server.socket }), open(t, { url: server.socket })]
    const followers = await Promise.all([store, peer].flatMap((each) => rooms.map((room) => Follower.of(each, room))))
    const call = lossOf(t, server)
    for (const i of upTo(5)) {
      await call(peer, `${i}`)
      await Promise.all(followers.map((follower) => follower.has(`${i}`)))
    }
    t.strictSame(followers.flatMap(tooEarly), [])
    for (const follower of followers) {
      t.strictSame([membersOf(follower), follower.numbers], [upTo(5).map(String), upTo(5)], 'each once, in order')
      t.ok(follower.pages.every(({ complete }) => complete))
    }
  })
}

t.test('a post comes after the control before it when the whole connection is cut', { skip }, async (t) => {
  const server = await redisServer(t, { tcp: true })
  const line = await proxy(t, server.port!)
  const store = open(t, { url: `redis://127.0.0.1:${line.port}`, timeout: 1_000 })
  const peer = open(t, { url: server.socket })
  const follower = await Follower.of(store, 'a')
  for (const i of upTo(24)) {
    if (i % 3 === 1) line.cut()
    await peer.control('a', removal(i))
    if (i % 3 === 2) line.cut()
    await peer.append('a', says(`${i}`))
    if (i % 6 === 0) await follower.has(`${i}`)
  }
  t.strictSame([tooEarly(follower), membersOf(follower)], [[], upTo(24).map(String)])
})

t.test('a post comes after the control before it in a Cluster, 200 times', { skip }, async (t) => {
  const client = await redisCluster(t, 3)
  const [store, peer] = [open(t, { client }), open(t, { client })]
  const follower = await Follower.of(store, 'a')
  for (const i of upTo(200)) {
    await peer.control('a', removal(i))
    await peer.append('a', says(`${i}`))
  }
  await follower.has('200')
  t.strictSame([tooEarly(follower), membersOf(follower)], [[], upTo(200).map(String)])
})

t.test('a control in the same tick as posts is delivered between them', async (t) => {
  const head = { position: { epoch: 'e', at: 1, offset: 0 }, change: { epoch: 'e', at: 1, number: 0 } }
  const page = { entries: [], complete: true, more: false, head, beginning: head.position, changed: [], moreChanged: false, oldest: undefined, unread: undefined, controls: [] }
  const feed = new RoomFeed(() => Promise.resolve(page), () => Promise.resolve(), () => {})
  await feed.catchUp()
  const pages: FeedPage[] = []
  feed.add((page) => pages.push(page))
  const messages = ['e-1-0-2[[0,"1"]]', 'e-2-1-2[[0,"2"]]', 'e-1-c0-3[{"control":{"reauthorize":{}}}]', '1-3!e-2-2-4[[0,"3"]]', '1-3!e-4-3-5[[0,"4"]]']
  for (const message of messages) feed.receive(Buffer.from(message))
  feed.deliver()
  t.strictSame(pages.map(({ controls, entries, head }) => [controls?.length, entries.map(({ body }) => body), head.offset, head.change.number]), [
    [undefined, ['1', '2'], 2, 0],
    [1, ['3', '4'], 4, 1]
  ])
})

for (const found of ['by a poll', 'by the next change', 'by the next control', 'by resubscribing']) {
  t.test(`a lost control is found ${found}, in a room where nobody posts`, { skip }, async (t) => {
    const server = await redisServer(t)
    const store = open(t, { url: server.socket }, found === 'by a poll' ? 10 : never)
    const silent = silentScripts(t, server)
    const [position] = await fill(store, 'a', 1)
    const follower = await Follower.of(store, 'a')
    await silent.control('a', JSON.stringify(removal('ada')))
    await silent.control('a', '{"reauthorize":{"member":"bob"}}')
    if (found === 'by the next change') await store.amend('a', position!, edit('y'))
    if (found === 'by the next control') await store.control('a', { reauthorize: {} })
    if (found === 'by resubscribing') await cutSubscriptions(server)
    await follower.until(() => controlsOf(follower).length >= 2)
    const { head } = await store.read('a', all)
    await follower.until(() => follower.pages.at(-1)!.head.change.revision === head.change.revision)
    const controls = controlsOf(follower)
    t.match(controls.map(({ change }) => change.number), upTo(found === 'by the next control' ? 3 : 2))
    t.strictSame(controls.slice(0, 2).map(({ control }) => control), [removal('ada'), { reauthorize: { member: 'bob' } }])
    t.ok(follower.pages.every(({ complete }) => complete))
    if (found === 'by the next change') t.ok(follower.pages.findIndex(({ controls }) => controls !== undefined) <= follower.pages.findIndex(({ changes }) => changes.length > 0))
  })
}

t.test('a page that has all changes before a lost control has the control', { skip }, async (t) => {
  const server = await redisServer(t)
  const [store, peer] = [open(t, { url: server.socket }), open(t, { url: server.socket })]
  const positions = await fill(peer, 'a', 400)
  const follower = await Follower.of(store, 'a')
  t.intercept(RoomScripts.prototype, 'channel', { value: () => 'elsewhere' })
  await Promise.all(positions.map((position, i) => peer.amend('a', position, edit(`${i}`))))
  await peer.control('a', removal('ada'))
  await peer.amend('a', positions[0]!, edit('after the removal'))
  // More entries than one page has.
  await fill(peer, 'a', 700)
  await peer.control('a', removal('bob'))
  await cutSubscriptions(server)
  const { head } = await peer.read('a', all)
  await follower.until(() => follower.pages.at(-1)?.head.position === head.position)
  t.strictSame(membersOf(follower), ['ada', 'bob'])
  t.equal(follower.pages[0]!.controls?.length, 2)
  t.equal(follower.changes.length, 400)
  t.strictSame(follower.pages.at(-1)!.head, head)
  t.ok(follower.pages.every(({ complete, controls = [], head }) => complete && controls.every(({ change }) => change.number <= head.change.number)))
})

/** isKnown: whether the break has the controls. posts: after the controls. */
const misses: Record<string, {
  readonly options: RedisStoreOptions, readonly edits?: number, readonly controls: readonly Control[], readonly posts?: number, readonly isKnown?: true
}> = {
  'more changes than a page has': { options: {}, edits: 600, controls: [removal('ada')], isKnown: true },
  'the entries before them are removed': { options: { historyEntries: 5 }, controls: [removal('ada'), reauthorization, removal('bob')], posts: 20, isKnown: true },
  'more controls than a page has': { options: {}, controls: upTo(100).map((i) => ({ remove: { member: `${i}`, reason: 'x'.repeat(1_000) } })) },
  'some of them are forgotten': { options: { historyEntries: 5 }, controls: upTo(200).map(removal) }
}
for (const [title, { options, edits = 0, controls, posts = 0, isKnown }] of Object.entries(misses)) {
  t.test(`a follower that missed controls receives a break: ${title}`, { skip }, async (t) => {
    const server = await redisServer(t)
    const [store, peer] = [open(t, { url: server.socket, ...options }), open(t, { url: server.socket, ...options })]
    const positions = await fill(peer, 'a', Math.max(1, edits))
    const follower = await Follower.of(store, 'a')
    t.intercept(RoomScripts.prototype, 'channel', { value: () => 'elsewhere' })
    await Promise.all(positions.slice(0, edits).map((position, i) => peer.amend('a', position, edit(`${i}`))))
    for (const control of controls) await peer.control('a', control)
    await fill(peer, 'a', posts)
    await cutSubscriptions(server)
    await follower.until(() => follower.pages.length > 0)
    t.match(follower.pages, [{ entries: [], changes: [], complete: false, head: (await peer.read('a', all)).head }])
    t.strictSame(controlsOf(follower).map(({ control }) => control), isKnown ? controls : [])
  })
}

t.test('controls are forgotten as changes are, and a room with controls alone is bounded', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, { url: server.socket, historyEntries: 5 })
  for (const i of upTo(300)) await store.control('a', removal(i))
  const fields = (await server.client.hkeys(state)).filter((field) => field.startsWith('!'))
  t.ok(fields.length <= 60 && fields.includes('!300'), `${fields.length} remembered`)
  const charge = async () => (await scriptsOf(t, server).readHead('a', false))!.charge
  const before = await charge()
  for (const i of upTo(700, 301)) await store.control('a', removal(i))
  t.ok(await charge() < 1.3 * before)
  const [position] = await fill(store, 'a', 1)
  for (const i of upTo(200)) await store.amend('a', position!, edit(`${i}`))
  t.notOk((await server.client.hkeys(state)).includes('!700'), 'changes forget them too')
  const follower = await Follower.of(store, 'a')
  await store.control('a', removal('ada'))
  await store.append('a', says('ada'))
  await follower.has('ada')
  t.strictSame([tooEarly(follower), membersOf(follower)], [[], ['ada']])
})

t.test('forgetting a control forgets no edit, whatever its key', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, { url: server.socket, historyEntries: 5, dedupWindow: never })
  await store.control('a', removal('ada'))
  const [position] = await fill(store, 'a', 1)
  const key = (await server.client.hget(state, '!1'))!.split(' ').slice(3).join(' ')
  for (const i of upTo(40)) await store.amend('a', position!, edit(`${i}`))
  await store.amend('a', position!, edit('keyed', { key, hash: 'h' }))
  for (const i of upTo(20)) await store.amend('a', position!, edit(`${i}`))
  t.equal((await server.client.hexists(state, '!1')), 0, 'the control is forgotten')
  t.match(await store.findChange('a', key), { number: 42 })
})

t.test('a control counts as a use of its room, and renews the ttl of a room with entries', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, { url: server.socket, roomTtl: 20 * never })
  const scripts = scriptsOf(t, server)
  await store.control('a', removal('ada'))
  const ttl = await server.client.pttl(state)
  t.ok(ttl > never - 60_000 && ttl <= never, 'a room without entries is kept for an hour')
  await server.client.pexpire(state, 100_000)
  await store.control('a', removal('ada'))
  t.ok(await server.client.pttl(state) <= 100_000, 'not longer')
  await fill(store, 'a', 1)
  const { head } = (await scripts.readHead('a', false))!
  await server.client.hset(state, 'at', '1', 'renewed', '1')
  await store.control('a', removal('ada'))
  t.ok(await server.client.pttl(state) > 19 * never)
  t.ok(await scripts.evict('a', head.change.at - 1) > 0, 'a room with a control since is not evicted')
})

t.test('a control that this version does not know, or that is damaged, concerns all rights', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, { url: server.socket })
  const follower = await Follower.of(store, 'a')
  const [loud, silent] = [scriptsOf(t, server), silentScripts(t, server)]
  await loud.control('a', '{"other":{"member":"ada"}}')
  await silent.control('a', 'null')
  await silent.control('a', '{damaged')
  await silent.control('a', JSON.stringify(removal('bob')))
  await store.append('a', says('end'))
  await follower.has('end')
  t.strictSame(controlsOf(follower).map(({ change, control }) => [change.number, control]), [1, 2, 3].map((i): [number, Control] => [i, { reauthorize: {} }]).concat([[4, removal('bob')]]))
})

t.test('a control of a lost room begins an epoch: it is delivered after the break', { skip }, async (t) => {
  const server = await redisServer(t)
  const [store, peer] = [open(t, { url: server.socket }), open(t, { url: server.socket })]
  const follower = await Follower.of(store, 'a')
  for (const i of upTo(3)) await peer.control('a', removal(i))
  await follower.until(() => controlsOf(follower).length === 3)
  await server.client.flushall()
  t.equal((await peer.control('a', removal('ada'))).number, 1)
  await peer.append('a', says('ada'))
  await follower.has('ada')
  t.strictSame(membersOf(follower), ['1', '2', '3', 'ada'])
  t.strictSame(follower.pages.filter(({ complete, controls }) => !complete || controls !== undefined).slice(-2).map(({ complete }) => complete), [false, true])
})

t.test('a post runs the same commands in rooms with controls, and names the last one', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, { url: server.socket })
  const subscriber = server.client.duplicate()
  t.teardown(() => subscriber.disconnect())
  const published = new Map<string, string>()
  subscriber.on('message', (channel, message: string) => published.set(channel, message))
  await subscriber.subscribe('fastify-chat:{with}:entries', 'fastify-chat:{without}:entries')
  const { revision } = await store.control('with', removal('ada'))
  const commands = async (room: string) => {
    await store.append(room, says('x', { key: '1', hash: 'h' }))
    await server.client.config('RESETSTAT')
    await store.append(room, says('x', { key: '2', hash: 'h' }))
    const stats = await server.client.info('commandstats')
    return [...stats.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm)].map(([, name, calls]) => `${name} ${calls}`).filter((line) => !line.startsWith('config') && !line.startsWith('info')).sort()
  }
  const without = await commands('without')
  t.strictSame(await commands('with'), without)
  t.strictSame(without, ['evalsha 1', 'hget 1', 'hmget 1', 'hset 2', 'llen 1', 'publish 1', 'rpush 1', 'time 1', 'xadd 1', 'xlen 1'])
  while (published.size < 2) await new Promise(setImmediate)
  const { position } = (await store.read('without', { ...all, limit: 1 })).head
  const [epoch, at] = position.split('-')
  t.match(published.get('fastify-chat:{without}:entries'), new RegExp(`^${epoch}-\\d+-1-${at}\\[`))
  const [, controlledAt] = revision.split('-')
  t.ok(published.get('fastify-chat:{with}:entries')!.startsWith(`1-${controlledAt}!`))
})

t.test('bytes of controls beyond the in-flight limit are BUSY', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, { url: server.socket, inFlightBytes: 5_000 })
  const outcomes = await Promise.allSettled(upTo(4).map((i) => store.control('a', removal(i))))
  t.strictSame(outcomes.map((outcome) => outcome.status === 'fulfilled' ? outcome.value.number : (outcome.reason as { code: string }).code), [1, 2, 'FST_CHAT_BUSY', 'FST_CHAT_BUSY'])
  t.equal((await store.control('a', removal('ada'))).number, 3)
})

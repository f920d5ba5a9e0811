import t, { type Test } from 'tap'
import { RedisClient } from '../../src/drivers/redis/client/client.ts'
import { DeletedContents } from '../../src/drivers/redis/store/deleted-contents.ts'
import { resolveOptions, type RedisStoreOptions } from '../../src/drivers/redis/store/options.ts'
import { RoomScripts } from '../../src/drivers/redis/store/room-scripts.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { parsePosition } from '../../src/drivers/position.ts'
import { eventually } from '../support/eventually.ts'
import { earlierScript } from '../support/earlier-scripts.ts'
import { redisServer, skip, type RedisServer } from '../support/redis-server.ts'
import { all, bodies, deletion, edit, fill, numbers, react, says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'

const never = 3_600_000
const keys = ['room', 'log', 'order'].map((rest) => `fastify-chat:{a}:${rest}`)
const [state, log] = keys as [string, string]

function open (t: Test, server: RedisServer, options: RedisStoreOptions = {}, pollInterval = never): RedisStore {
  const store = new RedisStore({ url: server.socket, ...options }, pollInterval)
  t.teardown(() => store.close())
  return store
}

function connect (t: Test, server: RedisServer): RedisClient {
  const client = new RedisClient({ url: server.socket })
  t.teardown(() => client.close())
  return client
}

function scriptsOf (t: Test, server: RedisServer): RoomScripts {
  return new RoomScripts(connect(t, server), 'x', resolveOptions({}).room)
}

const reacts = (member: string, reaction = '👍', on = true) => react(reaction, member, on)

/** Returns the names of the fields that hold changes. */
async function changeFields (server: RedisServer): Promise<string[]> {
  return (await server.client.hkeys(state)).filter((field) => /^[!+~$#@]/.test(field)).sort()
}

/** Returns the memory that Redis uses for the room 'a', and its charge. */
async function sizes (server: RedisServer, scripts: RoomScripts): Promise<{ used: number, charge: number }> {
  const found = await scripts.readHead('a', false)
  const used = await Promise.all(keys.map(async (key) => Number(await server.client.memory('USAGE', key, 'SAMPLES', 0))))
  return { used: used.reduce((sum, bytes) => sum + bytes, 0), charge: found!.charge }
}

const member = (i: number) => `${i}`.padStart(22, 'm')

const loads: Record<string, (store: RedisStore, positions: readonly string[]) => Promise<unknown>> = {
  'small edits': (store, positions) => Promise.all(positions.map((position, i) => store.amend('a', position, edit(`${i}`, { key: `${member(i)} ${i}`, hash: '1234567890' })))),
  'many edits of one entry': (store, positions) => Promise.all(upTo(2_000).map((i) => store.amend('a', positions[0]!, edit(`${i}`)))),
  'edits of some hundred bytes': (store, positions) => Promise.all(positions.map((position, i) => store.amend('a', position, edit('x'.repeat(130 + i))))),
  'large edits': (store, positions) => Promise.all(positions.slice(0, 50).map((position) => store.amend('a', position, edit('x'.repeat(8_300))))),
  'edits without an effect': (store, positions) => Promise.all(positions.map((position, i) => store.amend('a', position, edit('text', { key: `${member(i)} ${i}`, hash: 'h' })))),
  'one reaction to each entry': (store, positions) => Promise.all(positions.map((position) => store.amend('a', position, reacts('m')))),
  'a thousand reactions to one entry': (store, positions) => Promise.all(upTo(1_000).map((i) => store.amend('a', positions[0]!, reacts(member(i))))),
  'twenty reactions with long names': (store, positions) => Promise.all(upTo(20).map((i) => store.amend('a', positions[0]!, reacts(member(i), `${i}`.repeat(40))))),
  controls: (store) => Promise.all(upTo(300).map((i) => store.control('a', { remove: { member: member(i), reason: 'x'.repeat(i) } }))),
  deletions: (store, positions) => Promise.all(positions.map((position) => store.amend('a', position, deletion)))
}
for (const [title, load] of Object.entries(loads)) {
  t.test(`the charge of a room covers the memory that Redis uses for its changes: ${title}`, { skip }, async (t) => {
    const server = await redisServer(t)
    const store = open(t, server)
    const positions = await fill(store, 'a', 300, 'text')
    const scripts = scriptsOf(t, server)
    const before = await sizes(server, scripts)
    await load(store, positions)
    const after = await sizes(server, scripts)
    const [used, charged] = [after.used - before.used, after.charge - before.charge]
    t.ok(after.charge >= after.used, `${after.used} used, ${after.charge} charged`)
    t.ok(charged >= used && charged <= 2 * used, `grown by ${used}, charged ${charged}`)
  })
}

const isInLog = async (server: RedisServer, text: string) => (await server.client.dumpBuffer(log)).includes(text)

t.test('the deletions of a second write the stream again once', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const positions = await fill(store, 'a', 100, 'secret')
  const kept = await fill(store, 'a', 1, 'kept')
  for (const position of positions) await store.amend('a', position, deletion)
  t.strictSame(bodies(await store.read('a', all)).filter((body) => body !== ''), ['kept'], 'no read returns the content')
  await eventually(async () => !await isInLog(server, 'secret'))
  const [, written] = /^cmdstat_xadd:calls=(\d+)/m.exec(await server.client.info('commandstats'))!
  t.equal(Number(written), 2 * 101)
  t.equal((await store.get('a', kept[0]!))?.body, 'kept')
  t.equal((await store.append('a', says('end'))).offset, 102, 'the room is not lost')
})

t.test('entries that are deleted while contents are removed have a removal of their own', async (t) => {
  const removals: string[] = []
  const deleted = new DeletedContents((room) => new Promise<void>(() => { removals.push(room) }), 1)
  deleted.removeNow('a')
  deleted.removeSoon('a')
  deleted.removeNow('a')
  t.equal(removals.length, 1, 'a poll or a read starts no second one')
  while (removals.length < 2) await new Promise(setImmediate)
  deleted.removeSoon('a')
  deleted.flush()
  t.equal(removals.length, 3)
})

t.test('a room without a ttl stays when contents are removed', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const [position] = await fill(store, 'a', 1, 'secret')
  await store.amend('a', position!, deletion)
  for (const key of keys) await server.client.persist(key)
  await scriptsOf(t, server).removeDeleted('a')
  t.match(await store.read('a', all), { entries: [{ position, deleted: true }] })
})

t.test('a store that closes removes the content of deleted entries', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const [position] = await fill(store, 'a', 1, 'secret')
  await store.amend('a', position!, deletion)
  await store.close()
  t.equal(await isInLog(server, 'secret'), false)
})

for (const use of ['a read', 'a poll'] as const) {
  t.test(`content of entries that a node deleted before it died is removed after ${use}`, { skip }, async (t) => {
    const server = await redisServer(t)
    const store = open(t, server, {}, use === 'a poll' ? 20 : never)
    const [position] = await fill(store, 'a', 1, 'secret')
    if (use === 'a poll') await Follower.of(store, 'a')
    const { epoch, at } = parsePosition(position!)!
    await scriptsOf(t, server).amend('a', ['', '', '', epoch, `${at}-1`, '', 'null', 'delete', '', 0])
    t.equal(await isInLog(server, 'secret'), true)
    // The last of these numbers is the time of the deletion.
    const changes = (await server.client.hget(state, 'changes'))!
    await server.client.hset(state, 'changes', changes.replace(/\d+$/, '1'))
    while (await isInLog(server, 'secret')) if (use === 'a read') t.strictSame(bodies(await store.read('a', all)), [''])
  })
}

t.test('edits count in historyBytes, and trim the oldest entries', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyBytes: 20_000 })
  const positions = await fill(store, 'a', 10)
  await store.amend('a', positions[0]!, edit('x'.repeat(9_000)))
  await store.amend('a', positions[8]!, edit('y'.repeat(4_000)))
  t.equal((await store.read('a', all)).entries.length, 10)
  const { revision } = await store.read('a', { ...all, limit: 1 })
  await store.amend('a', positions[9]!, edit('z'.repeat(4_000)))
  t.strictSame(numbers(await store.read('a', all)), upTo(10, 2), 'the large one is gone, and no other')
  const page = await store.read('a', { ...all, after: positions[9]!, revision })
  t.match(page, { complete: true, changed: [{ offset: 10 }] })
  t.equal('oldest' in page, false, 'the trimmed entry changed before that revision')
  await store.amend('a', positions[9]!, edit('x'.repeat(30_000)))
  t.strictSame(numbers(await store.read('a', all)), [10], 'the newest stays')
})

t.test('trimmed entries leave nothing behind; a reader that missed their changes receives oldest', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyEntries: 10, dedupWindow: 0 })
  const [first, ...others] = await fill(store, 'a', 10)
  const { revision } = await store.read('a', all)
  await Promise.all([edit('x'.repeat(100)), ...upTo(50).map((i) => reacts(`m${i}`))].map((each) => store.amend('a', first!, each)))
  t.ok((await changeFields(server)).length > 60)
  await fill(store, 'a', 2)
  const page = await store.read('a', { ...all, after: others.at(-1)!, revision })
  t.match(page, { complete: true, changed: [], oldest: page.oldest })
  t.strictSame([numbers(page), page.oldest], [[11, 12], (await store.read('a', all)).entries[0]!.position])
  t.strictSame((await changeFields(server)).filter((field) => /^[~$#@]/.test(field)), [])
})

t.test('a room remembers at most ten times as many changes as entries, and always the last', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyEntries: 5 })
  const [position] = await fill(store, 'a', 1)
  const { revision } = await store.read('a', all)
  for (let i = 1; i <= 200; i++) await store.amend('a', position!, edit(`${i}`, { key: `k${i}`, hash: 'h' }))
  const fields = await changeFields(server)
  t.ok(fields.filter((field) => field.startsWith('!')).length <= 60)
  t.ok(fields.filter((field) => field.startsWith('+')).length <= 60)
  t.equal((await store.read('a', { ...all, after: position!, revision })).complete, false)
  t.equal(await store.findChange('a', 'k1'), undefined)
  t.equal((await store.findChange('a', 'k195'))?.number, 195)
  await t.rejects(store.amend('a', position!, edit('1', { key: 'k1', hash: 'h', since: revision })), { code: 'FST_CHAT_STALE' })
  await scriptsOf(t, server).removeOlderHalf('a')
  const newest = await store.read('a', all)
  t.equal((await store.read('a', { ...all, after: position!, revision: newest.revision })).complete, true)
})

t.test('keys of edits without an effect are bounded, and a late repeat undoes no edit', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const [position] = await fill(store, 'a', 1, 'same')
  const { revision: since } = await store.read('a', all)
  const idle = (i: number) => edit('same', { key: `k${i}`, hash: 'h' })
  t.match(await store.amend('a', position!, idle(1)), { number: 0, again: true })
  await store.amend('a', position!, edit('other'))
  t.match(await store.amend('a', position!, { ...idle(1), since }), { number: 0, again: true })
  t.strictSame(bodies(await store.read('a', all)), ['other'])
  await store.amend('a', position!, edit('same'))
  const made = await Promise.all(upTo(1_001, 2).map((i) => store.amend('a', position!, idle(i))))
  t.ok(made.every(({ again, number }) => again && number === 2))
  t.match(await store.amend('a', position!, idle(1_002)), { number: 3, again: false })
})

t.test('reactions have a quarter of historyBytes, trim nothing, and their bytes are freed', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyBytes: 40_000 })
  const positions = await fill(store, 'a', 3)
  const outcomes = await Promise.allSettled(upTo(300).map((i) => store.amend('a', positions[i % 3]!, reacts(`member ${i}`))))
  const refused = outcomes.filter(({ status }) => status === 'rejected')
  t.ok(refused.length > 10 && refused.length < 250, `${refused.length} refused`)
  t.ok(refused.every((outcome) => outcome.status === 'rejected' && (outcome.reason as { code: string }).code === 'FST_CHAT_TOO_MANY_REACTIONS'))
  t.equal((await store.read('a', all)).entries.length, 3)
  t.match(await store.amend('a', positions[0]!, reacts('member 3', '👍', false)), { again: false }, 'one can be removed')
  await store.amend('a', positions[0]!, deletion)
  t.match(await store.amend('a', positions[1]!, reacts('another')), { again: false })
})

t.test('a change counts as a use of its room', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { roomTtl: 10_000 })
  const scripts = scriptsOf(t, server)
  const [position] = await fill(store, 'a', 1)
  const now = async () => { const [seconds] = await server.client.time(); return 1_000 * Number(seconds) }
  const before = await now() - 1
  await store.amend('a', position!, edit('y'))
  const [, , ...rest] = [...(await server.client.hget(state, 'changes'))!.split(' ')]
  t.ok(await scripts.evict('a', before) > 0, 'a room that changed since is not evicted')
  await server.client.hset(state, 'changes', ['1', '1', ...rest].join(' '), 'at', '1', 'renewed', '1')
  await store.amend('a', position!, edit('z'))
  for (const key of [state, log]) t.ok(await server.client.pttl(key) > 9_000, 'its ttl begins again')
  t.equal(await scripts.removeDeleted('a'), (await scripts.readHead('a', false))!.charge)
  await server.client.del(log)
  t.equal(await scripts.removeDeleted('a'), 0, 'a lost room')
  await t.rejects(store.amend('a', position!, edit('y')), { code: 'FST_CHAT_NOT_KEPT' })
})

t.test('an edit costs Redis at most twice what a post costs', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const rooms = upTo(50).map((i) => `${i}`)
  const positions = new Map<string, string>()
  const from = { id: 'ada', name: 'Ada' }
  let count = 0
  const post = async (room: string) => {
    const { position } = await store.append(room, says('x'.repeat(100), { from, key: `k${++count}`, hash: 'h' }))
    positions.set(room, position)
  }
  const change = (room: string) => store.amend(room, positions.get(room)!, edit(`${++count}${'x'.repeat(100)}`, { own: 'ada', key: `k${count}`, hash: 'h' }))
  // Seconds of CPU of the only thread that runs commands.
  const used = async () => [...(await server.client.info('cpu')).matchAll(/main_thread:([\d.]+)/g)].reduce((sum, [, seconds]) => sum + Number(seconds), 0)
  const cost = async (call: (room: string) => Promise<unknown>) => {
    const before = await used()
    for (let i = 0; i < 40; i++) await Promise.all(rooms.map(call))
    return await used() - before
  }
  const posts: number[] = []
  const edits: number[] = []
  for (let i = 0; i < 3; i++) {
    posts.push(await cost(post))
    edits.push(await cost(change))
  }
  t.ok(Math.min(...edits) <= 2 * Math.min(...posts), `posts ${posts}, edits ${edits}`)
})

t.test('a node of the version without changes posts, reads and trims in a room with changes', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyEntries: 10 })
  const client = connect(t, server)
  const old = (name: 'append' | 'read' | 'remove-older-half', ...args: Array<string | number>) => client.run({ ...earlierScript('without changes', name), keys: 3 }, keys, args) as Promise<unknown[]>
  const post = (body: string, key = '') => old('append', 'new', never, never, 10, 100_000, never, '', 'PUBLISH', client.channel('a', 'entries'), key, 'h', '', `[0,"${body}"]`, body.length)
  const positions = await fill(store, 'a', 5)
  await store.append('a', says('known', { key: 'k', hash: 'h' }))
  const follower = await Follower.of(store, 'a')
  await store.amend('a', positions[0]!, edit('edited'))
  await store.amend('a', positions[1]!, reacts('ada'))
  await store.amend('a', positions[3]!, edit('edited too'))
  const { revision } = await store.read('a', all)
  t.strictSame((await post('known', 'k')).slice(4), [`6 ${parsePosition((await store.find('a', 'k'))!.position)!.at}`], 'keys are known')
  t.equal((await post('by the old'))[4], 7, 'the room is not lost')
  const [, , , , , complete, , , contents] = await old('read', 'new', never, 'newest', '', '', 10, 1_000, '')
  t.strictSame([complete, JSON.parse(String(contents))], [1, [...upTo(5).map(() => [0, 'x']), [0, 'known'], [0, 'by the old']]], 'it shows entries unchanged')
  await store.amend('a', positions[3]!, edit('edited again'))
  for (let i = 8; i <= 13; i++) await post(`${i}`)
  await follower.has('13')
  t.ok(follower.pages.every(({ complete }) => complete))
  const page = await store.read('a', all)
  t.strictSame([numbers(page), page.entries[1]!.body], [upTo(13, 3), 'edited again'], 'its trims keep the changes of kept entries')
  const resumed = await store.read('a', { ...all, after: positions[4]!, revision })
  t.match(resumed, { complete: true, changed: [{ offset: 4 }], oldest: positions[2] })
  await store.amend('a', positions[4]!, edit('end'))
  await fill(store, 'a', 2)
  t.strictSame((await changeFields(server)).filter((field) => /^[~$#@]/.test(field)), ['$5', '~5'], 'the next trim removes what the old one left')
  await old('remove-older-half')
  t.equal((await store.append('a', says('x'))).offset, 16)
})

t.test('an entry with invalid data fails alone, in reads and in the changes of a tick', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const positions = await fill(store, 'a', 4, 'text')
  await Promise.all(positions.map((position) => store.amend('a', position, reacts('ada'))))
  await server.client.hset(state, '#1', '1 1 100 \n["👍"",1]\n', '#2', 'x', '~3', 'x')
  const page = await store.read('a', all)
  t.match(page.entries, [{ deleted: true, body: '' }, { body: 'text' }, { deleted: true, body: '' }, { body: 'text', reactions: [{ reaction: '👍', count: 1 }] }])
  const follower = await Follower.of(store, 'a')
  const outcomes = await Promise.allSettled(positions.flatMap((position) => [reacts('bob', '👎'), reacts('ada', '👍', false)].map((each) => store.amend('a', position, each))))
  const codes = outcomes.map((outcome) => outcome.status === 'fulfilled' ? 'made' : (outcome.reason as { code: string }).code)
  t.strictSame(codes, ['made', 'made', ...Array(4).fill('FST_CHAT_UNAVAILABLE'), 'made', 'made'])
  await follower.until(() => follower.changes.length === 4)
  t.strictSame(follower.changes.map(({ offset, change: { number } }) => [offset, number]), [[1, 5], [1, 6], [4, 7], [4, 8]])
  t.match((await store.read('a', all)).entries[3], { reactions: [{ reaction: '👎', count: 1 }] })
})

for (const [title, amendments] of Object.entries({
  'edits of its only entry': upTo(200).map((i) => edit(`${i}`, { key: `k${i}`, hash: 'h' })),
  'reactions to its only entry': upTo(1_000).map((i) => reacts(`${i}`.padStart(300, 'm')))
})) {
  t.test(`a room is halved while Redis is out of memory: ${title}`, { skip }, async (t) => {
    const server = await redisServer(t)
    const store = open(t, server, {}, 20)
    const scripts = scriptsOf(t, server)
    const [position] = await fill(store, 'a', 1, 'text')
    await Promise.all(amendments.map((each) => store.amend('a', position!, each)))
    const follower = await Follower.of(store, 'a')
    const { charge } = (await scripts.readHead('a', false))!
    await server.client.config('SET', 'maxmemory', '1mb')
    await t.rejects(server.client.set('other', 'x'), { message: /^OOM/ })
    const left = await scripts.removeOlderHalf('a')
    t.ok(left < charge * 0.6, `${charge} before, ${left} after`)
    const { used, charge: charged } = await sizes(server, scripts)
    t.equal(charged, left)
    t.ok(charged >= used, `${used} used, ${charged} charged`)
    await server.client.config('SET', 'maxmemory', '0')
    const { entries } = await store.read('a', all)
    t.equal(entries.length, 1)
    if (title.startsWith('reactions')) {
      await follower.until(() => follower.changes.length > 0)
      t.strictSame(follower.changes.map(({ entry }) => entry), entries, 'followers receive the entry without reactions')
      t.equal('reactions' in entries[0]!, false)
    }
    t.match(await store.amend('a', position!, reacts('ada')), { again: false, number: amendments.length + (title.startsWith('reactions') ? 2 : 1) })
  })
}

t.test('changed entries are read with few commands, in the order of their last change', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const positions = await fill(store, 'a', 600)
  const { revision } = await store.read('a', all)
  // Neighbours in the stream, in another order.
  const order = upTo(5).flatMap((block) => upTo(100 * block, 100 * block - 99).reverse())
  await Promise.all(order.map((offset) => store.amend('a', positions[offset - 1]!, edit(`${offset}`))))
  await server.client.config('RESETSTAT')
  const after = positions.at(-1)!
  t.strictSame((await store.read('a', { ...all, after, revision })).changed.map(({ offset, body }) => [offset, body]), order.map((offset) => [offset, `${offset}`]))
  const stats = await server.client.info('commandstats')
  const [ranges, gets] = ['xrange', 'hmget'].map((name) => Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)![1]))
  t.ok(ranges! < 12 && gets! < 12, `${ranges} XRANGE, ${gets} HMGET`)
  const read: number[] = []
  for (let since = revision, more = true; more;) {
    const page = await store.read('a', { limit: 130, maxBytes: 200, after, revision: since })
    read.push(...page.changed.map(({ offset }) => offset))
    since = page.revision
    more = page.moreChanged
  }
  t.strictSame(read, order, 'page by page')
})

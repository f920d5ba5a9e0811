import t, { type Test } from 'tap'
import { RedisClient } from '../../src/drivers/redis/client/client.ts'
import type { RedisStoreOptions } from '../../src/drivers/redis/store/options.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { parsePosition } from '../../src/drivers/position.ts'
import { parseRevision } from '../../src/drivers/revision.ts'
import { eventually } from '../support/eventually.ts'
import { earlierScript } from '../support/earlier-scripts.ts'
import { redisServer, skip, type RedisServer } from '../support/redis-server.ts'
import { all, append, begin, bodies, deletion, end, fill, react, says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'

const never = 3_600_000
const keys = ['room', 'log', 'order'].map((rest) => `fastify-chat:{a}:${rest}`)
const [state] = keys as [string]

/** A node of the version without streams, and a store of this version. */
async function nodes (t: Test, server: RedisServer, options: RedisStoreOptions = {}) {
  const store = new RedisStore({ url: server.socket, ...options }, never)
  const client = new RedisClient({ url: server.socket })
  t.teardown(() => Promise.all([store.close(), client.close()]))
  const run = (name: 'append' | 'amend' | 'read', args: Array<string | number>) =>
    client.run({ ...earlierScript('without streams', name), keys: 3 }, keys, args) as Promise<Array<string | number>>
  const limits = [never, 10, 100_000, never, '']
  const publishes = ['PUBLISH', client.channel('a', 'entries')]
  return {
    store,
    old: {
      post: async (body: string) => (await run('append', ['new', never, ...limits, ...publishes, '', '', '', `[0,"${body}"]`, body.length]))[4],
      read: async () => {
        const reply = await run('read', ['new', never, 'newest', '', '', 10, 100_000, '', '', '', '', '', ''])
        return [reply[8], reply[12]].map((part) => JSON.parse(String(part)) as unknown[][])
      },
      amend: async (position: string, ...change: [kind: string, value: string, more: string | number]) => {
        const { epoch, at, offset } = parsePosition(position)!
        return (await run('amend', [...limits, ...publishes, '', '', '', epoch, `${at}-${offset}`, '', 'null', ...change]))[4]
      }
    }
  }
}

const changesOf: Array<[kind: string, value: string, more: string | number]> = [['edit', '"edited"', 6], ['delete', '', 0], ['react', '"+"', 1]]

t.test('a node without streams reads and posts beside streaming entries, but changes none', { skip }, async (t) => {
  const server = await redisServer(t)
  const { store, old } = await nodes(t, server)
  const follower = await Follower.of(store, 'a')
  const { position } = await store.append('a', says('so ', { data: '{"a":1}', streaming: true }))
  const empty = await begin(store, 'a')
  for (const i of upTo(64)) await store.amend('a', position, append('x', 2 + i))
  await store.amend('a', position, append('y', 67))
  const before = await server.client.hgetall(state)
  for (const change of changesOf) for (const each of [position, empty]) t.equal(await old.amend(each, ...change), 'failed', `${change[0]}: FST_CHAT_UNAVAILABLE`)
  t.strictSame(await server.client.hgetall(state), before, 'nothing has changed')
  const [contents, states] = await old.read()
  t.strictSame(contents, [[0, 'so ', '{"a":1}'], [0, '']])
  t.strictSame(states!.map((each) => each.slice(7)), [[[`so ${'x'.repeat(64)}`, '{"a":1}'], [], []], [[], [], []]], 'with the folded text')
  t.equal(await old.post('by the old'), 3)

  await store.amend('a', position, append('.', 68))
  await store.amend('a', position, end)
  await store.amend('a', empty, { by: null, change: { end: true, unfinished: true } })
  t.match(await old.amend(position, ...changesOf[2]!), /^\d+ \d+$/, 'a text that is complete is changed as any other')
  for (const change of changesOf) t.equal(await old.amend(empty, ...change), 'failed', 'an unfinished one is not')
  const text = `so ${'x'.repeat(64)}y.`
  t.strictSame((await old.read())[1]!.map((each) => Array.isArray(each) ? each[7] : each), [[text, '{"a":1}'], [], 0])
  const page = await store.read('a', all)
  t.match(page.entries, [{ body: text, reactions: [{ reaction: '+', count: 1 }] }, { body: '', unfinished: true }, { body: 'by the old' }])
  await follower.until(() => follower.pages.at(-1)!.head.change.number === page.head.change.number)
  t.ok(follower.pages.every(({ complete }) => complete))
})

t.test('the next beginning removes streams of entries that a node without streams trimmed', { skip }, async (t) => {
  const server = await redisServer(t)
  const { store, old } = await nodes(t, server, { historyEntries: 10, dedupWindow: 0 })
  const positions = [await begin(store, 'a'), await begin(store, 'a')]
  for (const i of upTo(70)) await store.amend('a', positions[0]!, append('x', i - 1))
  for (const i of upTo(20, 3)) t.equal(await old.post(`${i}`), i)
  await t.rejects(store.amend('a', positions[0]!, append('x', 70)), { code: 'FST_CHAT_NOT_KEPT' })
  const kept = await begin(store, 'a')
  const fields = (await server.client.hkeys(state)).filter((field) => /^[~$#@%]/.test(field)).sort()
  t.strictSame(fields, ['%21', '~21'])
  await store.amend('a', kept, append('text', 0))
  await store.amend('a', kept, deletion)
  t.equal((await store.read('a', all)).entries.at(-1)?.deleted, true)
  t.strictSame((await server.client.hget(state, 'changes'))!.split(' ').slice(5, 8), ['1', '0', '0'], 'nothing is charged for removed entries')
  await fill(store, 'a', 20)
  t.equal(bodies(await store.read('a', all)).at(-1), 'x')
})

t.test('what is published of a stream makes a node without streams read the room', { skip }, async (t) => {
  const server = await redisServer(t)
  const { store } = await nodes(t, server)
  const subscriber = server.client.duplicate()
  t.teardown(() => subscriber.disconnect())
  const records: unknown[] = []
  subscriber.on('message', (_channel, message: string) => { records.push(...JSON.parse(message.slice(message.indexOf('['))) as unknown[]) })
  await subscriber.subscribe('fastify-chat:{a}:entries')
  const position = await begin(store, 'a', 'x')
  await store.amend('a', position, append('y', 1))
  await store.amend('a', position, react('👍', 'ada'))
  await store.amend('a', position, end)
  await store.append('a', says('z'))
  while (records.length < 5) await new Promise(setImmediate)
  // It takes each record apart as an array, which fails for an object.
  t.strictSame(records.map((record) => Array.isArray(record)), [false, false, true, false, true])
})

t.test('nodes without controls post and change beside controls, ignore them and erase none', { skip }, async (t) => {
  const server = await redisServer(t)
  const { store, old } = await nodes(t, server)
  const follower = await Follower.of(store, 'a')
  const removal = (member: string) => ({ remove: { member, reason: 'go' } })
  const { position } = await store.append('a', says('x'))
  await store.control('a', removal('ada'))
  const stored = await server.client.hmget(state, 'control', '!1')
  t.equal(await old.post('by the old'), 2)
  t.match(await old.amend(position, 'edit', '"edited"', 6), /^2 \d+$/, 'its changes follow the control')
  t.strictSame((await old.read())[0], [[0, 'x'], [0, 'by the old']])
  await store.control('a', removal('bob'))
  await store.append('a', says('end'))
  await follower.has('end')
  t.strictSame(follower.pages.flatMap(({ controls = [] }) => controls.map(({ change, control }) => [change.number, control])), [[1, removal('ada')], [3, removal('bob')]])
  t.strictSame(await server.client.hmget(state, '!1', '!3'), [stored[1], (await server.client.hget(state, '!3'))!.replace(/(\d+) 0 0 0 /, '$1 0 0 1 ')], 'the second names the first')
  t.ok(follower.pages.every(({ complete }) => complete))
})

t.test('a node without controls forgets them as changes', { skip }, async (t) => {
  const server = await redisServer(t)
  const { store, old } = await nodes(t, server, { historyEntries: 10, dedupWindow: 0 })
  const { position } = await store.append('a', says('x'))
  for (const i of upTo(20)) await store.control('a', { remove: { member: `${i}`, reason: 'go' } })
  for (const i of upTo(150)) t.match(await old.amend(position, 'edit', `"${i}"`, 1), /^\d+ \d+$/)
  const fields = await server.client.hkeys(state)
  t.strictSame(fields.filter((field) => /^!(\d|1\d|20)$/.test(field)), [])
  t.ok(fields.includes('control'))
  const follower = await Follower.of(store, 'a')
  await store.control('a', { reauthorize: {} })
  await store.append('a', says('end'))
  await follower.has('end')
  t.match(follower.pages[0]!.controls, [{ change: { number: 171 } }])
})

t.test('what is published in a room with controls makes a node without controls read the room', { skip }, async (t) => {
  const server = await redisServer(t)
  const { store } = await nodes(t, server)
  const subscriber = server.client.duplicate()
  t.teardown(() => subscriber.disconnect())
  const messages: string[] = []
  subscriber.on('message', (_channel, message: string) => { messages.push(message) })
  await subscriber.subscribe('fastify-chat:{a}:entries')
  await store.control('a', { reauthorize: {} })
  await store.append('a', says('x'))
  while (messages.length < 2) await new Promise(setImmediate)
  t.notOk(Array.isArray((JSON.parse(messages[0]!.slice(messages[0]!.indexOf('['))) as unknown[])[0]), 'it takes each change apart as an array')
  // It parses what is before the content as a position or a revision, and a time.
  const [, before] = /^(.*)-(\d+)\[/.exec(messages[1]!)!
  t.strictSame([parsePosition(before!), parseRevision(before!)], [undefined, undefined])
})

t.test('nodes of versions without records keep records in the index, and may evict them', { skip }, async (t) => {
  const server = await redisServer(t)
  const { store } = await nodes(t, server)
  const client = new RedisClient({ url: server.socket })
  t.teardown(() => client.close())
  const run = async (name: 'read-head' | 'update-index' | 'remove-older-half' | 'evict', on: readonly string[], args: Array<string | number>) =>
    await client.run({ ...earlierScript('without records', name), keys: on.length }, on, args)
  const index = ['used', 'bytes', 'evicting', 'format'].map((rest) => `fastify-chat:{store}:${rest}`)
  const record = ['room', 'log', 'order'].map((rest) => `fastify-chat:{?@ada}:${rest}`)
  // Rooms that have the names of the fields of a state.
  const rooms = ['tag', 'born', 'at', 'n', 'first', 'bytes', 'keys', 'keyBytes', 'forgotten', 'renewed', 'changes', 'control']
  const positions = rooms.sort().map((room) => ({ room, position: 'e-1-1', offset: 1, at: 1 }))
  const total = async () => Number(await server.client.zscore('fastify-chat:{store}:bytes', ''))
  const charge = async () => Number(await server.client.zscore('fastify-chat:{store}:bytes', '?@ada') ?? 0)
  await store.markRead('ada', positions)
  await fill(store, 'a', 1)
  await eventually(async () => await charge() !== 0)

  t.strictSame(await run('read-head', record, ['', never, '']), [], 'it adds none to the index')
  const before = await total()
  t.match(await run('update-index', index, [never, 1e9, 'old', 10_000, 'b', 1_000]), [1_000 - before, 0, 3, 0], 'it keeps them, and their charge')
  t.equal(await run('remove-older-half', record, []), 0)
  t.strictSame(await store.readPositions('ada'), positions)
  t.equal(await run('evict', record, [0, 'NUMSUB', client.channel('?@ada', 'entries')]), 0)
  t.equal(await server.client.exists(record[0]!), 0)
  await run('update-index', index, [never, 1e9, 'old', 10_000, '?@ada', 0])
  t.equal(await charge(), 0)
  t.strictSame(await store.readPositions('ada'), [])
  await store.markRead('ada', positions)
  await eventually(async () => await charge() !== 0)
  t.strictSame(await store.readPositions('ada'), positions)
})

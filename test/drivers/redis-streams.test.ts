import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { RedisClient } from '../../src/drivers/redis/client/client.ts'
import { resolveOptions, type RedisStoreOptions } from '../../src/drivers/redis/store/options.ts'
import { RoomScripts } from '../../src/drivers/redis/store/room-scripts.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { redisServer, skip, type RedisServer } from '../support/redis-server.ts'
import { all, append, begin, bodies, deletion, end, fill, numbers, says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'

const never = 3_600_000
const keys = ['room', 'log', 'order'].map((rest) => `fastify-chat:{a}:${rest}`)
const [state] = keys as [string]

function open (t: Test, server: RedisServer, options: RedisStoreOptions = {}): RedisStore {
  const store = new RedisStore({ url: server.socket, ...options }, never)
  t.teardown(() => store.close())
  return store
}

function scriptsOf (t: Test, server: RedisServer): RoomScripts {
  const client = new RedisClient({ url: server.socket })
  t.teardown(() => client.close())
  return new RoomScripts(client, 'x', resolveOptions({}).room)
}

/** Returns the bytes of all append-only files. */
async function written (server: RedisServer): Promise<number> {
  // A file has what was acknowledged: Redis writes it before it replies.
  await server.client.ping()
  const directory = join(dirname(server.socket), 'appendonlydir')
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
}

/** Returns the names of the fields that hold changes and streams of the room 'a', but not the list of changes. */
async function fieldsOfEntries (server: RedisServer): Promise<string[]> {
  return (await server.client.hkeys(state)).filter((field) => /^[~$#@%]/.test(field)).sort()
}

/** Returns the memory that Redis uses for the room 'a', and its charge. */
async function sizes (server: RedisServer, scripts: RoomScripts): Promise<{ used: number, charge: number }> {
  const found = await scripts.readHead('a', false)
  const used = await Promise.all(keys.map(async (key) => Number(await server.client.memory('USAGE', key, 'SAMPLES', 0))))
  return { used: used.reduce((sum, bytes) => sum + bytes, 0), charge: found!.charge }
}

/** Appends a text in pieces, each after the one before. */
async function grow (store: RedisStore, position: string, pieces: readonly string[], from = 0): Promise<void> {
  let at = from
  for (const piece of pieces) {
    await store.amend('a', position, append(piece, at))
    at += piece.length
  }
}

t.test('a text of 64 KiB in 1,000 pieces writes at most 1 MB of append-only file', { skip }, async (t) => {
  const server = await redisServer(t, { args: ['--appendonly', 'yes', '--auto-aof-rewrite-percentage', '0'] })
  const store = open(t, server)
  const before = await written(server)
  const position = await begin(store, 'a')
  await grow(store, position, upTo(1_000).map((i) => `${i}`.padStart(65, '.')))
  await store.amend('a', position, end)
  const bytes = await written(server) - before
  t.equal((await store.get('a', position))?.body.length, 65_000)
  t.ok(bytes > 65_000 && bytes < 1_000_000, `${bytes} bytes`)
  t.strictSame(await fieldsOfEntries(server), ['$1', '~1'], 'the pieces are folded')
})

t.test('a beginning reads all open streams of its room at once', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const readsOf = async () => {
    await server.client.config('RESETSTAT')
    await begin(store, 'a')
    return Number(/cmdstat_hget:calls=(\d+)/.exec(await server.client.info('commandstats'))![1])
  }
  await readsOf()
  const reads = await readsOf()
  for (let i = 0; i < 20; i++) await begin(store, 'a')
  t.ok(await readsOf() <= reads)
  t.equal((await server.client.hget(state, 'streams'))!.split(' ').length, 23)
})

t.test('pieces of one character are folded, so that few of them have to be read', { skip }, async (t) => {
  const server = await redisServer(t, { args: ['--appendonly', 'yes', '--auto-aof-rewrite-percentage', '0'] })
  const store = open(t, server)
  const position = await begin(store, 'a')
  const before = await written(server)
  let most = 0
  const length = 20_000
  for (let at = 0; at < length; at += 500) {
    await Promise.all(upTo(at + 499, at).map((i) => store.amend('a', position, append(`${i % 10}`, i))))
    most = Math.max(most, (await fieldsOfEntries(server)).length)
  }
  const text = '0123456789'.repeat(length / 10)
  t.equal((await store.get('a', position))?.body, text)
  t.ok(most > 64 && most <= 1_024 + 3, `${most} fields`)
  const each = (await written(server) - before) / length
  t.ok(each < 600, `${each} bytes a piece`)
  await store.amend('a', position, end)
  t.equal((await store.get('a', position))?.body, text)
})

const texts: Record<string, readonly string[]> = {
  'one piece': ['x'],
  'fewer pieces than are folded': upTo(63).map((i) => `${i} "\\\n`),
  'pieces that are folded once': upTo(64).map((i) => `${i} "\\\n`),
  'pieces after a fold': upTo(200).map((i) => `${i} "\\\n`),
  'large pieces': upTo(7).map((i) => `${i}`.repeat(9_000))
}
for (const [title, pieces] of Object.entries(texts)) {
  t.test(`the charge covers a streamed text, and is exact after its end: ${title}`, { skip }, async (t) => {
    const server = await redisServer(t)
    const store = open(t, server, { historyEntries: 100_000 })
    // Their keys make the hash a hash table, which takes more memory than a short list.
    await Promise.all(upTo(600).map((i) => store.append('a', says('x', { key: `k${i}` }))))
    const scripts = scriptsOf(t, server)
    const [deleted, ended, beside] = [await begin(store, 'a', 'é"'), await begin(store, 'a', 'é"'), await begin(store, 'a')] as const
    const before = await sizes(server, scripts)
    const edited = async () => (await server.client.hget(state, 'changes'))!.split(' ').map(Number)[6]
    for (const position of [deleted, ended]) await grow(store, position, pieces, 2)
    const grown = await sizes(server, scripts)
    const [used, charged] = [grown.used - before.used, grown.charge - before.charge]
    t.ok(charged >= used && charged <= 2 * used, `grown by ${used}, charged ${charged}`)
    for (const position of [deleted, ended]) t.equal((await store.get('a', position))?.body, `é"${pieces.join('')}`)
    await store.amend('a', deleted, deletion)
    await store.amend('a', ended, end)
    await store.amend('a', beside, end)
    const content = await server.client.hget(state, '$602')
    t.equal(JSON.parse(content!), `é"${pieces.join('')}`)
    t.equal(await edited(), Math.floor(1.25 * ('$602'.length + Buffer.byteLength(content!))) + 72, 'the content of the only text is charged')
    t.strictSame(await fieldsOfEntries(server), ['$602', '~601', '~602', '~603'])
    const after = await sizes(server, scripts)
    t.ok(after.charge >= after.used, `${after.used} used, ${after.charge} charged`)
  })
}

t.test('streaming entries that are trimmed leave nothing behind', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyEntries: 10, dedupWindow: 0 })
  const positions = [await begin(store, 'a'), await begin(store, 'a')]
  await grow(store, positions[0]!, upTo(100).map(String))
  await fill(store, 'a', 20)
  t.strictSame(await fieldsOfEntries(server), [])
  const numbersOf = (await server.client.hget(state, 'changes'))!.split(' ').map(Number)
  t.strictSame(numbersOf.slice(5, 8), [0, 0, 0], 'no entries with a state, nothing is charged for them')
  await begin(store, 'a')
  t.strictSame(await fieldsOfEntries(server), ['%23', '~23'])
  t.equal(await server.client.hget(state, 'streams'), '23', 'it is the only one')
})

t.test('appended text counts in historyBytes, and trims the oldest entries', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server, { historyBytes: 20_000 })
  await fill(store, 'a', 9)
  const position = await begin(store, 'a')
  for (let at = 0; at < 20_000; at += 1_000) await store.amend('a', position, append('x'.repeat(1_000), at))
  const page = await store.read('a', all)
  t.ok(page.entries.length < 10, 'entries were trimmed')
  t.equal(numbers(page).at(-1), 10)
  t.equal(page.entries.at(-1)?.body.length, 20_000, 'the newest stays')
})

t.test('of two writers of one text, one appends at each place', { skip }, async (t) => {
  const server = await redisServer(t)
  const [one, two] = [open(t, server), open(t, server)]
  const follower = await Follower.of(two, 'a')
  const position = await begin(one, 'a')
  const outcomes = await Promise.allSettled(upTo(200).flatMap((i) => [one.amend('a', position, append('1', i - 1)), two.amend('a', position, append('2', i - 1))]))
  const made = outcomes.filter((outcome) => outcome.status === 'fulfilled' && !outcome.value.again)
  const { body } = (await two.get('a', position))!
  t.equal(made.length, body.length)
  t.ok(body.length >= 200)
  await follower.until(() => follower.changes.length === made.length)
  t.equal(follower.changes.map((changed) => changed.made !== undefined && 'append' in changed.made ? changed.made.append : '?').join(''), body)
})

t.test('a feed that missed pieces delivers the entry as a whole, then goes on', { skip }, async (t) => {
  const server = await redisServer(t)
  const [store, peer] = [open(t, server), open(t, server)]
  const position = await begin(peer, 'a')
  const follower = await Follower.of(store, 'a')
  await peer.amend('a', position, append('seen ', 0))
  await follower.until(() => follower.changes.length === 1)
  // The follower receives no publication, as during a break of its connection.
  const elsewhere = t.intercept(RoomScripts.prototype, 'channel', { value: () => 'elsewhere' })
  await peer.amend('a', position, append('missed ', 5))
  await peer.amend('a', position, append('and ', 12))
  elsewhere.restore()
  await peer.amend('a', position, append('so on', 16))
  await follower.until(() => follower.pages.at(-1)!.head.change.number === 4)
  await peer.amend('a', position, end)
  await follower.until(() => follower.changes.some(({ made }) => made !== undefined && 'end' in made))
  t.match(follower.changes, [{ made: { append: 'seen ', at: 0 } }, { entry: { body: /^seen missed and /, streaming: true } }])
  t.match(follower.changes.at(-1), { made: { end: true }, ended: { body: 'seen missed and so on' } })
  t.ok(follower.pages.every(({ complete }) => complete))
})

t.test('streams go on after Redis has lost its scripts, and in a room whose reads are small', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = open(t, server)
  const positions = await Promise.all(upTo(3).map(() => begin(store, 'a')))
  await server.client.script('FLUSH')
  for (const position of positions) await grow(store, position, upTo(100).map(() => 'x'.repeat(100)))
  await store.append('a', says('newest'))
  const page = await store.read('a', { limit: 10, maxBytes: 15_000 })
  t.strictSame(bodies(page), ['x'.repeat(10_000), 'newest'], 'a streamed text counts with its bytes')
  t.equal(page.more, true)
})

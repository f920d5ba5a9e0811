import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { Cluster, ClusterNode, Redis, RedisOptions } from 'ioredis'
import type { Test } from 'tap'
import { redis } from '../../src/drivers/redis/backend.ts'
import { RedisClient } from '../../src/drivers/redis/client/client.ts'
import { ConnectionLog } from '../../src/drivers/redis/client/connection-log.ts'
import { RedisRoster } from '../../src/drivers/redis/roster/roster.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import type { Presence } from '../../src/roster.ts'
import { freePort } from './free-port.ts'
import { LogLines } from './log-lines.ts'
import { redisCluster, redisSentinel, redisServer } from './redis-server.ts'
import { bodies, deletion, says } from '../../src/contract/store/entries.ts'
import { Watcher } from '../../src/contract/roster/watcher.ts'
import { Follower } from '../../src/contract/store/follower.ts'

type ClusterOptions = NonNullable<ConstructorParameters<typeof Cluster>[1]>

/** A copy of ioredis. */
export interface Ioredis {
  readonly Redis: new (options: RedisOptions) => Redis
  readonly Cluster: new (nodes: ClusterNode[], options?: ClusterOptions) => Cluster
  readonly Command: { setReplyTransformer (name: string, transformer: unknown): void }
}

/** What drivers with a client do: 'work', or log a line with this reason. */
type Outcome = 'work' | RegExp

const all = { limit: 100, maxBytes: 1_000_000 }
const forever = 3_600_000
let prefixes = 0

/** Options that an app may give its client. Drivers work with all of them. */
const options: Readonly<Record<string, object>> = {
  stringNumbers: { stringNumbers: true },
  showFriendlyErrorStack: { showFriendlyErrorStack: true },
  'replyMapping: resp3': { replyMapping: 'resp3' },
  'protocol: 2': { protocol: 2 },
  keyPrefix: { keyPrefix: 'app:' },
  enableAutoPipelining: { enableAutoPipelining: true, autoPipeliningIgnoredCommands: ['ping'] },
  'scripts that replace commands': { scripts: Object.fromEntries(['ping', 'call', 'subscribe', 'publish', 'info', 'scan', 'fastifyChatAppend'].map((name) => [name, { lua: 'return 1', numberOfKeys: 0 }])) },
  monitor: { monitor: true },
  readOnly: { readOnly: true },
  'commandTimeout: 0': { commandTimeout: 0 },
  'blockingTimeout: 1': { blockingTimeout: 1 },
  'connectTimeout: 1': { connectTimeout: 1 },
  'socketTimeout: 1': { socketTimeout: 1 },
  'maxLoadingRetryTime: 0': { maxLoadingRetryTime: 0 },
  'maxRetriesPerRequest: null': { maxRetriesPerRequest: null },
  'maxRetriesPerRequest: 0': { maxRetriesPerRequest: 0 },
  'retryStrategy: null': { retryStrategy: null },
  'retryStrategy that returns null': { retryStrategy: () => null },
  'reconnectOnError that resends': { reconnectOnError: () => 2 },
  'keepAlive: 0 and noDelay: false': { keepAlive: 0, noDelay: false },
  'enableOfflineQueue: false': { enableOfflineQueue: false },
  'autoResubscribe and autoResendUnfulfilledCommands: false': { autoResubscribe: false, autoResendUnfulfilledCommands: false },
  'enableReadyCheck: false': { enableReadyCheck: false },
  lazyConnect: { lazyConnect: true },
  connectionName: { connectionName: 'app', clientInfoTag: 'app' },
  disableClientInfo: { disableClientInfo: true },
  family: { family: 4 },
  himportFieldsets: { himportFieldsets: [{ name: 'app', fields: ['a'] }] }
}

/** Options of a Cluster beside those of its nodes. */
const clusterOptions: Readonly<Record<string, ClusterOptions>> = {
  'scaleReads: slave': { scaleReads: 'slave' },
  'scaleReads: a function': { scaleReads: () => [] },
  'slotsRefreshTimeout: 1': { slotsRefreshTimeout: 1 },
  'slotsRefreshInterval: 50': { slotsRefreshInterval: 50 },
  'maxRedirections: 0': { maxRedirections: 0 },
  'retry delays': { retryDelayOnFailover: 10, retryDelayOnClusterDown: forever, retryDelayOnMoved: forever, retryDelayOnTryAgain: forever },
  'clusterRetryStrategy that returns null': { clusterRetryStrategy: () => null },
  clusterNodeRetryStrategy: { clusterNodeRetryStrategy: () => 1 },
  shardedSubscribers: { shardedSubscribers: true },
  'enableOfflineQueue and enableReadyCheck: false': { enableOfflineQueue: false, enableReadyCheck: false },
  enableAutoPipelining: { enableAutoPipelining: true },
  keyPrefix: { keyPrefix: 'app:' },
  lazyConnect: { lazyConnect: true },
  natMap: { natMap: (key) => ({ host: 'localhost', port: Number(key.split(':')[1]) }) },
  redisOptions: { redisOptions: { ...options['stringNumbers'], ...options['commandTimeout: 0'], ...options['keyPrefix'], connectionName: 'app' } }
}

/** Changes to a user that has all permissions. */
const permissions: ReadonlyArray<readonly [changes: string, outcome: Outcome]> = [
  ['', 'work'],
  ['-info', 'work'],
  ['-client -hello -ping', 'work'],
  ['-@dangerous', 'work'],
  ['resetkeys ~chat* resetchannels &chat*', 'work'],
  ['-@all +@read +@write +@scripting +@pubsub +time +exists', 'work'],
  ['-@scripting', /permission: .*'eval/],
  ['-subscribe', /permission: .*'subscribe'/],
  ['-publish', /permission: .*'publish'/],
  ['-time', /permission: .*/],
  ['-zadd', /permission: .*'zadd'/],
  ['resetkeys', /permission: .*keys/],
  ['resetchannels', /permission: .*channels/],
  ['-@all', /permission: .*'subscribe'/],
  ['off', /^WRONGPASS/],
  ['resetpass >other', /^WRONGPASS/]
]

/** Runs the table of clients with a copy of ioredis. */
export async function redisClients (t: Test, { Redis, Cluster, Command }: Ioredis): Promise<void> {
  const one = (t: Test, options: object): Redis => closed(t, new Redis({ lazyConnect: true, ...options }))
  const server = await redisServer(t, { tcp: true })
  const { port } = server

  for (const [title, given] of Object.entries(options)) {
    await t.test(`Redis: ${title}`, (t) => works(t, one(t, { host: '127.0.0.1', port, ...given })))
  }
  await t.test('Redis: path', (t) => works(t, one(t, { path: server.socket })))
  await t.test('Redis: db', (t) => works(t, one(t, { port, db: 1 })))
  await t.test('Redis: db that is out of range', (t) => fails(t, one(t, { port, db: 16 }), /^ERR DB index is out of range/))
  await t.test('Redis: the password of a server without one', (t) => fails(t, one(t, { port, password: 's3cret', username: 'ada' }), /^WRONGPASS/))
  await t.test('Redis: a port without a server', async (t) => fails(t, one(t, { host: '127.0.0.1', port: await freePort() }), /^connect ECONNREFUSED/))
  await t.test('Redis: a host that does not exist', (t) => fails(t, one(t, { host: 'redis.invalid' }), /^getaddrinfo/))
  await t.test('Redis: a socket that does not exist', (t) => fails(t, one(t, { path: `${server.socket}?` }), /^connect ENOENT/))
  await t.test('Redis: reply transformers', async (t) => {
    const replies = (Command as unknown as { _transformer: { reply: Record<string, unknown> } })._transformer.reply
    const before = { ...replies }
    t.teardown(() => {
      for (const name of Object.keys(replies)) delete replies[name]
      Object.assign(replies, before)
    })
    for (const name of ['hmget', 'xrange', 'zrevrange', 'zrem', 'info', 'scan', 'ping', 'pubsub', 'publish']) Command.setReplyTransformer(name, () => 'transformed')
    await works(t, one(t, { port }))
  })

  for (const [changes, outcome] of permissions) {
    await t.test(`Redis: a user with +@all ${changes}`, async (t) => {
      await server.client.call('ACL', 'SETUSER', 'ada', 'reset', 'on', '>s3cret', '~*', '&*', '+@all', ...changes.split(' ').filter(Boolean))
      await has(t, one(t, { port, username: 'ada', password: 's3cret' }), outcome)
    })
  }
  await t.test('Redis: a user without SELECT, on database 1', async (t) => {
    await server.client.call('ACL', 'SETUSER', 'ada', 'reset', 'on', '>s3cret', '~*', '&*', '+@all', '-select')
    await fails(t, one(t, { port, username: 'ada', password: 's3cret', db: 1 }), /^NOPERM .*'select'/)
  })

  await t.test('Redis: password', async (t) => {
    const { port } = await redisServer(t, { tcp: true, args: ['--requirepass', 's3cret'] })
    await works(t, one(t, { port, password: 's3cret' }))
    await fails(t, one(t, { port }), /^NOAUTH/)
    await fails(t, one(t, { port, password: 's3crets' }), /^WRONGPASS/)
  })

  await t.test('Redis: tls', async (t) => {
    const directory = t.testdir({})
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', certificate,
      '-days', '1', '-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' })
    const secure = await freePort()
    const { port } = await redisServer(t, {
      tcp: true,
      args: ['--tls-port', String(secure), '--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate, '--tls-auth-clients', 'no']
    })
    const host = '127.0.0.1'
    await works(t, one(t, { host, port: secure, tls: { ca: readFileSync(certificate) } }))
    await works(t, one(t, { host, port: secure, tls: { rejectUnauthorized: false } }))
    await fails(t, one(t, { host, port: secure, tls: {} }), /^self-signed certificate/)
    await fails(t, one(t, { host, port: secure }), /^the connection was closed before it was ready|^(?:read|write) ECONNRESET/)
    await fails(t, one(t, { host, port, tls: {} }), /^connect ETIMEDOUT/)
  })

  await t.test('Redis: sentinels', async (t) => {
    const sentinel = { host: '127.0.0.1', port: await redisSentinel(t, server) }
    const away = { host: '127.0.0.1', port: await freePort() }
    await works(t, one(t, { sentinels: [sentinel], name: 'main' }))
    await works(t, one(t, { sentinels: [away, sentinel], name: 'main', role: 'slave', sentinelRetryStrategy: () => null, sentinelCommandTimeout: 0, failoverDetector: true }))
    await works(t, one(t, { sentinels: [sentinel], name: 'main', natMap: { [`127.0.0.1:${port}`]: { host: 'localhost', port } } }))
    await fails(t, one(t, { sentinels: [away], name: 'main', sentinelRetryStrategy: () => null }), /^All sentinels are unreachable/)
    await fails(t, one(t, { sentinels: [sentinel], name: 'other' }), /^All sentinels are unreachable/)
  })

  await t.test('Cluster', async (t) => {
    const admin = await redisCluster(t, 3)
    // Its masters are known once it is connected.
    await admin.ping()
    const nodes = admin.nodes('master').map(({ options: { host, port } }) => ({ host: host!, port: port! }))
    const cluster = (t: Test, given: ClusterOptions, more: object = {}): Cluster => closed(t, new Cluster([{ ...nodes[0]!, ...more }], { lazyConnect: true, ...given }))
    for (const [title, given] of Object.entries(clusterOptions)) await t.test(title, (t) => works(t, cluster(t, given)))
    await t.test('options of a node', (t) => works(t, cluster(t, {}, { stringNumbers: true, commandTimeout: 0, keyPrefix: 'app:' })))
    await t.test('a database', (t) => {
      t.throws(() => redis({ client: cluster(t, { redisOptions: { db: 1 } }) }), { code: 'FST_CHAT_INVALID_OPTION', message: /'client'/ })
      t.end()
    })
    await t.test('a Redis for one of its nodes', (t) => fails(t, one(t, nodes[0]!), /^this Redis is a node of a Cluster: .*'client'$/))
    await t.test('a Cluster for a Redis that is none', (t) => fails(t, closed(t, new Cluster([{ host: '127.0.0.1', port: port! }], { lazyConnect: true })), /^ERR This instance has cluster support disabled/))
    await t.test('nodes that are away', async (t) => fails(t, closed(t, new Cluster([{ host: '127.0.0.1', port: await freePort() }], { lazyConnect: true })), /^connect ECONNREFUSED|^Connection is closed/))
    for (const [changes, outcome] of [['', 'work'], ['-ssubscribe', /'ssubscribe'/], ['resetchannels', /channels/], ['-cluster', /'cluster/], ['off', /^WRONGPASS|^the connection was closed before it was ready/]] as const) {
      await t.test(`a user with +@all ${changes}`, async (t) => {
        const set = ['reset', 'on', '>s3cret', '~*', '&*', '+@all', ...changes.split(' ').filter(Boolean)]
        await Promise.all(admin.nodes('master').map(async (node) => await node.call('ACL', 'SETUSER', 'ada', ...set)))
        await has(t, cluster(t, { redisOptions: { username: 'ada', password: 's3cret' } }), outcome)
      })
    }
  })
}

function closed<T extends Redis | Cluster> (t: Test, client: T): T {
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

async function has (t: Test, client: Redis | Cluster, outcome: Outcome): Promise<void> {
  await (outcome === 'work' ? works(t, client) : fails(t, client, outcome))
}

function open (client: Redis | Cluster): { store: RedisStore, roster: RedisRoster, log: LogLines, prefix: string } {
  const log = new LogLines()
  const connectionLog = new ConnectionLog(log)
  const prefix = `chat${++prefixes}`
  const given = { client, prefix, timeout: 2_000 }
  return { store: new RedisStore(given, undefined, connectionLog), roster: new RedisRoster({ ...given, coalesce: 1 }, connectionLog), log, prefix }
}

/** Passes if everything that store and roster use of Redis works. */
async function works (t: Test, client: Redis | Cluster): Promise<void> {
  const { store, roster, log, prefix } = open(client)
  try {
    await Promise.all([store.check(), roster.check()])
    const follower = await Follower.of(store, 'a')
    const draft = says('first', { key: 'k', hash: 'h' })
    const first = await store.append('a', draft)
    t.match(first, { offset: 1, again: false })
    t.match(await store.append('a', draft), { offset: 1, again: true, position: first.position })
    await store.append('a', says('end'))
    await follower.has('end')
    t.strictSame(follower.numbers, [1, 2])
    t.match(await store.find('a', 'k'), { offset: 1, position: first.position })
    const page = await store.read('a', { ...all, after: first.position })
    t.strictSame([bodies(page), page.complete, page.head.offset], [['end'], true, 2])
    await store.amend('a', first.position, deletion)
    t.strictSame(bodies(await store.read('a', all)), ['', 'end'])

    await roster.enter('a', 'connection', { id: 'ada', name: 'Ada', data: '{ "role": 1 }' })
    const presence = await new Promise<Presence>((resolve, reject) => {
      roster.watch('a', (presence) => { if (presence.count > 0) resolve(presence) }).catch(reject)
    })
    t.strictSame(presence, { members: [{ id: 'ada', name: 'Ada', data: '{ "role": 1 }' }], count: 1, stale: false })
    await roster.restrict('ada', { kind: 'mute', duration: 60_000, reason: 'r' })
    t.match(await roster.restrictions(['ada']), { moment: Number, restrictions: [{ kind: 'mute', reason: 'r', duration: Number, moment: Number }] })

    t.equal(await roster.send('ada', '1'), false)
    const direct = await Watcher.ofMember(roster, 'ada')
    t.equal(await roster.send('ada', '2'), true)
    t.equal(await direct.until(() => true), '2')
    direct.stop()

    const own = new RedisClient({ client, prefix })
    try {
      await own.command('SET', own.key('b', 'log'), '')
      const rooms: string[] = []
      for await (const some of own.rooms('log')) rooms.push(...some)
      t.strictSame(rooms.toSorted(), ['a', 'b'])
      t.match(await own.maxMemory().catch(() => 0), 0)
    } finally {
      await own.close()
    }
  } finally {
    await Promise.all([store.close(), roster.close()])
  }
  t.strictSame(log.lines, [])
}

/** Passes if the log names the reason for which store and roster don't work, once. */
async function fails (t: Test, client: Redis | Cluster, reason: RegExp): Promise<void> {
  const { store, roster, log } = open(client)
  try {
    t.match(await log.line(1), { level: 'error', address: /./, reason })
    await Promise.all([store, roster].map(async (driver) => {
      const error = await driver.check().then(() => undefined, (error: unknown) => error)
      if (error !== undefined) t.match(error, { code: /^FST_CHAT_(?:UNAVAILABLE|UNKNOWN|STORE_DENIED)$/ })
      t.notMatch(inspect(error, { depth: 9, showHidden: true }), 's3cret')
    }))
    const reasons = log.lines.map((line) => line.reason)
    t.strictSame([...new Set(reasons)], reasons, 'each reason is logged once')
    t.strictSame(reasons.filter((each) => !reason.test(each ?? '')), [], 'nothing else is logged')
    t.notMatch(inspect(log.lines), 's3cret')
  } finally {
    await Promise.all([store.close(), roster.close()])
  }
}

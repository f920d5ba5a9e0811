import { inspect } from 'node:util'
import { Cluster, Redis } from 'ioredis'
import t from 'tap'
import { redis } from '../../src/drivers/redis/backend.ts'
import { parseRedisUrl } from '../../src/drivers/redis/client/redis-url.ts'

const wrong = [
  // Characters of a password that end the host or the user.
  'redis://:s3cret/w@host', 'redis://:s3cret#w@host', 'redis://:s3cret?w@host', 'redis://user:12/s3cret@host', 'redis://user:12?s3cret@host',
  'redis://user:12#s3cret@host', 'redis://:s3cret%zz@host', 'redis://:s3cret@[::1', 'redis://:s3cret@ho st',
  'http://:s3cret@host', 'https://host/s3cret', 'ftp://s3cret', 's3cret', 'redis:s3cret', 'redis:/s3cret', 'redis//s3cret', 'localhost:6379', '6379', '127.0.0.1', './s3cret', '',
  'redis://', 'redis://:s3cret@', 'redis:///0', 'redis://:6379', 'redis://:s3cret@host:0x1', 'redis://:s3cret@host:65536',
  'redis://host/s3cret', 'redis://host/0/s3cret', 'redis://host/-1', 'redis://host/1.5', 'redis://host/1e1', 'redis://host/1?db=2', 'redis://host?db=s3cret',
  'redis://host?family=5', 'redis://host?stringNumbers=true', 'redis://host?keyPrefix=s3cret', 'redis://host?password=s3cret', 'redis://host#s3cret',
  '/run/redis.sock?pass=s3cret', '/run/redis.sock?password=s3cret&password=b', '/run/redis.sock?db=s3cret'
]

t.test('an invalid url is rejected at once, without its secrets', (t) => {
  for (const url of wrong) {
    const error = thrown(() => redis({ url }))
    t.match(error, { code: 'FST_CHAT_INVALID_OPTION', message: /^fastify-chat: option 'url' must be redis:\/\/ or rediss:\/\// }, url)
    t.notMatch(inspect(error, { depth: 9, showHidden: true }).split('\n    at ')[0], 's3cret')
  }
  t.end()
})

t.test('a client that is not one of ioredis, or is not alone, is rejected at once', async (t) => {
  const client = new Redis({ lazyConnect: true })
  const cluster = new Cluster([], { lazyConnect: true, redisOptions: { db: 1 } })
  const rejected = (options: object, message: RegExp) => t.throws(() => redis(options), { code: 'FST_CHAT_INVALID_OPTION', message })
  // As of the package `redis`.
  rejected({ client: { duplicate: () => {}, sendCommand: () => {}, options: {} } }, /'client' must be a client of ioredis/)
  rejected({ client: Redis }, /'client' must be/)
  rejected({ client, url: 'redis://127.0.0.1' }, /'url' has no effect with the option 'client'/)
  rejected({ client: cluster }, /'client' must not select a database/)
})

t.test('the address that a url names', (t) => {
  const tcp = { host: 'host', port: 6379, db: 0, family: 0 }
  const known: Record<string, object> = {
    'redis://host': tcp,
    'redis://host/': tcp,
    'redis://host:6380/2': { ...tcp, port: 6380, db: 2 },
    'redis://host?db=2&family=6': { ...tcp, db: 2, family: 6 },
    'REDIS://host': tcp,
    'rediss://host': { ...tcp, tls: {} },
    'redis://:p%2Fw%25@host': { ...tcp, password: 'p/w%' },
    'redis://ada@host': { ...tcp, username: 'ada' },
    'redis://a%40da:s%3Acret@host': { ...tcp, username: 'a@da', password: 's:cret' },
    'redis://[::1]:6380': { ...tcp, host: '::1', port: 6380 },
    '/run/redis.sock': { path: '/run/redis.sock', db: 0 },
    '/run/my%20redis.sock?username=ada&password=p%3Fw&db=2': { path: '/run/my%20redis.sock', username: 'ada', password: 'p?w', db: 2 }
  }
  for (const [url, address] of Object.entries(known)) t.strictSame(parseRedisUrl(url), address, url)
  t.end()
})

function thrown (call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}

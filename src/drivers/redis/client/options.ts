import { Redis, type Cluster } from 'ioredis'
import { limit, milliseconds, type Checks } from '../../../checks.ts'

/** Where a Redis is, and how it is used. */
export interface RedisOptions {
  /** an ioredis client, which says where Redis is: connections of our own are made like it, and it stays the caller's. Or: */
  readonly client?: Redis | Cluster | undefined
  /** redis://, rediss:// or the path of a Unix socket; redis://127.0.0.1:6379 */
  readonly url?: string | undefined
  /** of all keys and channels; 'fastify-chat' */
  readonly prefix?: string | undefined
  /** ms within which a command is answered; 5 s */
  readonly timeout?: number | undefined
  /** commands that may wait for an answer; 10,000 */
  readonly inFlight?: number | undefined
}

export const checks: Checks<RedisOptions> = {
  client: {
    mustBe: 'a client of ioredis',
    passes: (value) => typeof (value as { duplicate?: unknown } | null)?.duplicate === 'function'
  },
  url: { mustBe: 'a redis:// or rediss:// address, or the path of a Unix socket', passes: (value) => typeof value === 'string' && value !== '' },
  prefix: {
    mustBe: 'a string without braces, which Redis finds the slot of a key by',
    passes: (value) => typeof value === 'string' && !/[{}]/.test(value)
  },
  timeout: milliseconds(1),
  inFlight: limit
}

/** Connections like those of a client, or to an address: they try again for ever, and queue and repeat nothing. */
export function connect ({ client, url = 'redis://127.0.0.1:6379' }: RedisOptions, timeout: number): Redis | Cluster {
  const own = {
    keyPrefix: '',
    lazyConnect: false,
    readOnly: false,
    role: 'master' as const,
    connectTimeout: timeout,
    // Also ends a connection that went silent in its handshake, where no deadline of ours runs.
    socketTimeout: timeout,
    enableAutoPipelining: false,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    // What was under way when a connection broke is refused at once, and never sent a second time.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // Its promise is nobody's: a break meanwhile would be an unhandled rejection.
    autoResubscribe: false,
    retryStrategy: again,
    // Whoever was the master no longer is: the address leads to the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY')
  }
  const connection = client !== undefined && isCluster(client)
    ? client.duplicate([], {
      keyPrefix: '',
      lazyConnect: false,
      // Its nodes are connected to when first needed: what waits for that is bounded as all is that waits for an answer.
      enableOfflineQueue: true,
      enableAutoPipelining: false,
      scaleReads: 'master',
      shardedSubscribers: false,
      // A command is not sent again when its connection closed: it may have been carried out.
      retryDelayOnFailover: 0,
      redisOptions: own
    })
    : client?.duplicate(own) ?? new Redis(url, own)
  connection.on('error', () => {})
  return connection
}

/** Also of a client made by another copy of ioredis. */
export function isCluster (client: Redis | Cluster): client is Cluster {
  return client.isCluster
}

/** ms until a connection is tried again: for ever, and at the latest after a second and a quarter. */
export function again (attempt: number): number {
  return Math.min(50 * 2 ** (attempt - 1), 1_000) * (1 + Math.random() / 4)
}

import { Redis, type Cluster } from 'ioredis'
import { limit, milliseconds, type Checks } from '../../../checks.ts'

/** Address of Redis, prefix of its keys, and limits of its commands. Each comment ends with the default. */
export interface ConnectionOptions {
  /** ioredis client whose settings new connections copy; the client itself is never used or closed; overrides `url`; none */
  readonly client?: Redis | Cluster | undefined
  /** redis:// or rediss:// URL, or the path of a Unix socket; redis://127.0.0.1:6379 */
  readonly url?: string | undefined
  /** prefix of all keys and channels; 'fastify-chat' */
  readonly prefix?: string | undefined
  /** ms until a command without a reply is rejected; 5 s */
  readonly timeout?: number | undefined
  /** maximum number of commands that wait for a reply; 10,000 */
  readonly inFlight?: number | undefined
}

export const connectionChecks: Checks<ConnectionOptions> = {
  client: {
    mustBe: 'a client of ioredis',
    passes: (value) => typeof (value as { duplicate?: unknown } | null)?.duplicate === 'function'
  },
  url: { mustBe: 'a redis:// or rediss:// address, or the path of a Unix socket', passes: (value) => typeof value === 'string' && value !== '' },
  prefix: {
    mustBe: 'a string without braces, which delimit the hash tag of a key',
    passes: (value) => typeof value === 'string' && !/[{}]/.test(value)
  },
  timeout: milliseconds(1),
  inFlight: limit
}

/** Returns a connection to `url`, or with the settings of `client`. It reconnects forever and never repeats a command. */
export function connect ({ client, url = 'redis://127.0.0.1:6379' }: ConnectionOptions, timeout: number): Redis | Cluster {
  const own = {
    keyPrefix: '',
    lazyConnect: false,
    readOnly: false,
    role: 'master' as const,
    connectTimeout: timeout,
    // Also ends a connection that goes silent during its handshake, when no command's deadline runs.
    socketTimeout: timeout,
    enableAutoPipelining: false,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    // When a connection breaks, commands in flight fail at once and are never sent again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // ioredis doesn't handle the promise of its resubscription: a disconnect during it would be an unhandled rejection.
    autoResubscribe: false,
    retryStrategy: reconnectDelay,
    // The master became a replica. The address leads to the new master.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY')
  }
  const connection = client !== undefined && isCluster(client)
    ? client.duplicate([], {
      keyPrefix: '',
      lazyConnect: false,
      // Nodes are connected on first use. Commands that wait for this count towards `inFlight`.
      enableOfflineQueue: true,
      enableAutoPipelining: false,
      scaleReads: 'master',
      // See `ShardedSubscriptions`.
      shardedSubscribers: false,
      // A command whose connection closed may have run, so it is not sent again.
      retryDelayOnFailover: 0,
      redisOptions: own
    })
    : client?.duplicate(own) ?? new Redis(url, own)
  connection.on('error', () => {})
  return connection
}

/** Returns whether a client is a Cluster, also if another copy of ioredis made it. */
export function isCluster (client: Redis | Cluster): client is Cluster {
  return client.isCluster
}

/** Returns the ms until the next attempt to connect, at most 1,250. */
export function reconnectDelay (attempt: number): number {
  return Math.min(50 * 2 ** (attempt - 1), 1_000) * (1 + Math.random() / 4)
}

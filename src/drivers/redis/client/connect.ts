import { Redis, type Cluster, type ClusterNode } from 'ioredis'
import { Backoff } from './backoff.ts'
import type { ConnectionOptions } from './options.ts'
import { parseRedisUrl } from './redis-url.ts'
import { withoutArguments } from './reply-errors.ts'

/**
 * Returns a connection to `url`, or with the settings of `client`. It reconnects until it is closed, and never repeats a
 * command. Options of `client` that change replies, times or retries are reset.
 */
export function connect ({ client, url = 'redis://127.0.0.1:6379' }: Pick<ConnectionOptions, 'client' | 'url'>, timeout: number): Redis | Cluster {
  if (client === undefined) return connectTo((own) => new Redis({ ...parseRedisUrl(url), ...own }), timeout)
  return isCluster(client) ? connectToCluster(client, timeout) : connectTo((own) => client.duplicate(own), timeout)
}

/** Returns a connection of its own to the node of another connection, with the settings of that one. */
export function connectToNode (node: Redis, timeout: number): Redis {
  return connectTo((own) => node.duplicate(own), timeout)
}

/** Returns whether a client is a Cluster, also if another copy of ioredis made it. */
export function isCluster (client: Redis | Cluster): client is Cluster {
  return client.isCluster
}

/**
 * Returns whether commands can be sent. Seen in ioredis 5.6.0: a connection becomes ready although Redis rejected its user or
 * its database, as the default user or with database 0, while it is being closed.
 */
export function isReady (connection: Redis | Cluster): boolean {
  return connection.status === 'ready' && (isCluster(connection) || connection.stream.writable)
}

function connectTo (create: (own: ReturnType<typeof ownOptions>) => Redis, timeout: number): Redis {
  const backoff = new Backoff()
  const redis = create(ownOptions(timeout, backoff))
  redis.on('ready', () => { if (isReady(redis)) backoff.works() })
  redis.on('error', (error: Error) => {
    // ioredis would use database 0 instead of the rejected one.
    if (withoutArguments(error) === 'select') redis.disconnect(true)
  })
  return redis
}

function connectToCluster (client: Cluster, timeout: number): Cluster {
  const backoff = new Backoff()
  const own = ownOptions(timeout, backoff)
  const { startupNodes } = client as unknown as { startupNodes: readonly ClusterNode[] }
  // Options of a node override `redisOptions`.
  const nodes = startupNodes.map((node): ClusterNode => typeof node === 'object' ? Object.assign({}, node, own) : node)
  const cluster = client.duplicate(nodes, {
    ...sharedOptions,
    // Nodes are connected on first use. Commands that wait for this count towards `inFlight`.
    enableOfflineQueue: true,
    enableReadyCheck: true,
    scaleReads: 'master',
    clusterRetryStrategy: () => backoff.next(),
    clusterNodeRetryStrategy: null,
    slotsRefreshTimeout: timeout,
    // See `refreshSlots`.
    slotsRefreshInterval: 0,
    maxRedirections: 16,
    retryDelayOnMoved: 0,
    retryDelayOnClusterDown: 100,
    retryDelayOnTryAgain: 100,
    // A command whose connection closed may have run, so it is not sent again.
    retryDelayOnFailover: 0,
    // See `ShardedSubscriptions`.
    shardedSubscribers: false,
    // ioredis 5 would drop the others, such as the password.
    redisOptions: { ...client.options.redisOptions, ...own }
  })
  cluster.on('ready', () => backoff.works())
  cluster.on('error', withoutArguments)
  cluster.on('node error', withoutArguments)
  refreshSlots(cluster, client.options.slotsRefreshInterval)
  return cluster
}

/**
 * Refreshes the slots of a Cluster at an interval in ms while it is connected. Replaces `slotsRefreshInterval` of ioredis. Seen in
 * ioredis 5.6.1 and 6.0.0: a refresh that ends after `disconnect` starts the next timer, so that the process never exits.
 */
function refreshSlots (cluster: Cluster, interval = 0): void {
  if (interval === 0) return
  let timer: NodeJS.Timeout | undefined
  cluster.on('ready', () => { timer ??= setInterval(() => cluster.refreshSlotsCache(), interval).unref() })
  cluster.on('close', () => {
    clearInterval(timer)
    timer = undefined
  })
}

/** Options that a Redis and a Cluster have in common. undefined resets an option. */
const sharedOptions = {
  keyPrefix: '',
  lazyConnect: false,
  enableAutoPipelining: false,
  showFriendlyErrorStack: false,
  scripts: undefined,
  himportFieldsets: undefined
}

function ownOptions (timeout: number, backoff: Backoff) {
  return {
    ...sharedOptions,
    stringNumbers: false,
    replyMapping: 'legacy' as const,
    monitor: false,
    readOnly: false,
    role: 'master' as const,
    noDelay: true,
    connectTimeout: timeout,
    // Also ends a connection that goes silent during its handshake, when no command's deadline runs.
    socketTimeout: timeout,
    // Replaced by the deadlines of `RedisClient`.
    commandTimeout: undefined,
    maxLoadingRetryTime: 1_000,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    // When a connection breaks, commands in flight fail at once and are never sent again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // ioredis doesn't handle the promise of its resubscription: a disconnect during it would be an unhandled rejection.
    autoResubscribe: false,
    retryStrategy: () => backoff.next(),
    sentinelRetryStrategy: () => backoff.next(),
    sentinelCommandTimeout: timeout,
    // The master became a replica. The address leads to the new master.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY')
  }
}

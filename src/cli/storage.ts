import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import type { Backend, OpenBackend } from '../backend.ts'
import { parseRedisUrl } from '../drivers/redis/client/redis-url.ts'
import { PackageMissing } from '../errors.ts'
import { withPackage } from '../optional-package.ts'

/** ms within which Redis must accept the connection */
const REDIS_TIMEOUT = 5_000

/** The storage can't be used: printed to stderr, exit code 1. */
export class StorageError extends Error {}

/** Returns whether the text is redis://host, rediss://host or the path of a Unix socket. */
export function isRedisAddress (text: string): boolean {
  return parseRedisUrl(text) !== undefined
}

/** Returns a backend in a directory. Its `open` rejects with a StorageError if the directory can't be used. */
export function directoryBackend (path: string): Backend {
  return { open: async (app) => await openDirectory(path, app) }
}

/** Returns a backend in a Redis. Its `open` rejects with a StorageError if Redis can't be used now. */
export function redisBackend (url: string): Backend {
  return { open: async (app) => await openRedis(url, app) }
}

async function openDirectory (path: string, app: FastifyInstance): Promise<OpenBackend> {
  try {
    const { lmdb } = await import('../drivers/lmdb/backend.ts')
    return await lmdb({ path }).open(app)
  } catch (error) {
    throw new StorageError(reasonOf(error as Error))
  }
}

async function openRedis (url: string, app: FastifyInstance): Promise<OpenBackend> {
  try {
    await probeRedis(url)
    const { redis } = await import('../drivers/redis/backend.ts')
    const backend = await redis({ url }).open(app)
    await backend.store.check().catch(async (error: unknown) => {
      await backend.close()
      throw error
    })
    return backend
  } catch (error) {
    if (error instanceof PackageMissing) throw new StorageError(error.message)
    throw new StorageError(`can't use the Redis at ${withoutSecrets(url)}: ${reasonOf(error as Error)}`)
  }
}

/** Rejects with the reason as soon as a connection fails. The driver would log it and retry until its timeout. */
async function probeRedis (url: string): Promise<void> {
  const { Redis } = await withPackage('the Redis backend', 'ioredis', async () => await import('ioredis'))
  const client = new Redis({ ...parseRedisUrl(url), lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => {})
  const signal = AbortSignal.timeout(REDIS_TIMEOUT)
  try {
    // The first rejection has the cause. A later one only reports that the connection was closed.
    await Promise.race([once(client, 'ready', { signal }), client.connect()])
  } catch (error) {
    throw signal.aborted ? new Error(`no answer within ${REDIS_TIMEOUT / 1_000} s`) : error
  } finally {
    client.disconnect()
  }
}

/** Returns an address that is safe to print, without user info and query, both of which may contain a password. */
function withoutSecrets (url: string): string {
  if (url.startsWith('/')) return url.replace(/\?.*/s, '')
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

/**
 * Returns the message of an error and of its cause, unless the first includes the second. Returns the code of an error without
 * a message: a host name with several addresses fails with an empty one.
 */
export function reasonOf (error: NodeJS.ErrnoException): string {
  const { message, code, cause } = error
  const isComplete = error instanceof PackageMissing || !(cause instanceof Error) || message.endsWith(cause.message)
  return isComplete ? message || String(code) : `${message}: ${cause.message}`
}

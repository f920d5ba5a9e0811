import { once } from 'node:events'
import type { Roster } from '../roster.ts'
import type { Store } from '../store.ts'

/** Where messages are stored, from the command line; if neither is given, in the memory of this process. */
export interface StorageTarget {
  /** path of a directory */
  readonly data?: string | undefined
  /** address of a Redis, in a form that `isRedisAddress` accepts */
  readonly redis?: string | undefined
}

/** The store and the roster of a chat; undefined: the default, in the memory of this process. */
export interface Storage {
  readonly store?: Store
  readonly roster?: Roster
  /** Closes the store and the roster. */
  close (): Promise<void>
}

/** ms within which Redis must accept the connection */
const REDIS_TIMEOUT = 5_000

/** The storage can't be used: printed to stderr, exit code 1. */
export class StorageError extends Error {}

/** Returns whether the text is redis://host, rediss://host or the path of a Unix socket. */
export function isRedisAddress (text: string): boolean {
  return text.startsWith('/') || (/^rediss?:\/\/[^/?#]/.test(text) && URL.canParse(text))
}

/** Opens the storage. Rejects with a StorageError if it can't be used. */
export async function openStorage ({ data, redis }: StorageTarget): Promise<Storage> {
  if (data !== undefined) return await openDirectory(data)
  if (redis !== undefined) return await openRedis(redis)
  return { close: async () => {} }
}

async function openDirectory (path: string): Promise<Storage> {
  try {
    // Loaded on demand, like the Redis driver: its package is optional.
    const { LmdbStore } = await import('../drivers/lmdb/store.ts')
    const store = new LmdbStore({ path })
    return { store, close: async () => await store.close() }
  } catch (error) {
    if (isMissing(error)) throw new StorageError("--data requires the package 'lmdb': run npm install lmdb")
    throw new StorageError(reasonOf(error as Error))
  }
}

async function openRedis (url: string): Promise<Storage> {
  try {
    await probeRedis(url)
    const { RedisStore, RedisRoster } = await import('../drivers/redis/index.ts')
    const store = new RedisStore({ url })
    const roster = new RedisRoster({ url })
    const close = async () => { await Promise.all([store.close(), roster.close()]) }
    await store.check().catch(async (error: unknown) => {
      await close()
      throw error
    })
    return { store, roster, close }
  } catch (error) {
    if (isMissing(error)) throw new StorageError("--redis requires the package 'ioredis': run npm install ioredis")
    throw new StorageError(`can't use the Redis at ${withoutSecrets(url)}: ${reasonOf(error as Error)}`)
  }
}

/** Rejects with the reason if Redis can't be reached. The drivers would retry for ever without reporting it. */
async function probeRedis (url: string): Promise<void> {
  const { Redis } = await import('ioredis')
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
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
  const { protocol, host, pathname } = new URL(url, 'file:')
  return host === '' ? decodeURI(pathname) : `${protocol}//${host}${pathname}`
}

export function isMissing (error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
}

/** Returns the message of an error, or its code: a host name with several addresses fails with an empty message. */
export function reasonOf ({ message, code, cause }: NodeJS.ErrnoException): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message || String(code)
}

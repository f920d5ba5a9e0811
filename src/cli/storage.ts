import { once } from 'node:events'
import type { Roster } from '../roster.ts'
import type { ChatStore } from '../store.ts'

/** Where messages are to be kept, as it was asked for on the command line; neither: in the memory of this process. */
export interface Place {
  /** a directory of this machine */
  readonly data?: string | undefined
  /** the address of a Redis, of the form that `isRedisAddress` knows */
  readonly redis?: string | undefined
}

/** What a chat is given to keep its messages in, undefined for the memory of this process. */
export interface Storage {
  readonly store?: ChatStore
  readonly roster?: Roster
  /** Closes both. */
  close (): Promise<void>
}

/** ms that a Redis is given to let us in */
const REDIS_TIMEOUT = 5_000

/** Why messages can't be kept where they are to be: said on stderr, exit code 1. */
export class StorageError extends Error {}

/** redis://host, rediss://host, or the path of a Unix socket. */
export function isRedisAddress (text: string): boolean {
  return text.startsWith('/') || (/^rediss?:\/\/[^/?#]/.test(text) && URL.canParse(text))
}

/** @throws StorageError */
export async function openStorage ({ data, redis }: Place): Promise<Storage> {
  if (data !== undefined) return await inDirectory(data)
  if (redis !== undefined) return await inRedis(redis)
  return { close: async () => {} }
}

async function inDirectory (path: string): Promise<Storage> {
  try {
    // Loaded when it is needed, as the driver of Redis is: the package beneath it is optional.
    const { LmdbStore } = await import('../drivers/lmdb/store.ts')
    const store = new LmdbStore({ path })
    return { store, close: async () => await store.close() }
  } catch (error) {
    if (isMissing(error)) throw new StorageError("--data needs the package 'lmdb': npm install lmdb")
    throw new StorageError(reasonOf(error as Error))
  }
}

async function inRedis (url: string): Promise<Storage> {
  try {
    await askRedis(url)
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
    if (isMissing(error)) throw new StorageError("--redis needs the package 'ioredis': npm install ioredis")
    throw new StorageError(`the Redis at ${withoutSecrets(url)} can't be used: ${reasonOf(error as Error)}`)
  }
}

/** Rejects with why a Redis can't be reached: the drivers try for ever, and don't say. */
async function askRedis (url: string): Promise<void> {
  const { Redis } = await import('ioredis')
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => {})
  const signal = AbortSignal.timeout(REDIS_TIMEOUT)
  try {
    // The first to fail is the error, where there is one: that the connection closed comes after it.
    await Promise.race([once(client, 'ready', { signal }), client.connect()])
  } catch (error) {
    throw signal.aborted ? new Error(`no answer within ${REDIS_TIMEOUT / 1_000} s`) : error
  } finally {
    client.disconnect()
  }
}

/** An address as it may be printed: passwords can be before the host and in the query. */
function withoutSecrets (url: string): string {
  const { protocol, host, pathname } = new URL(url, 'file:')
  return host === '' ? decodeURI(pathname) : `${protocol}//${host}${pathname}`
}

function isMissing (error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
}

/** Where a name has several addresses, why each of them failed is in its code alone. */
function reasonOf ({ message, code, cause }: NodeJS.ErrnoException): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message || String(code)
}

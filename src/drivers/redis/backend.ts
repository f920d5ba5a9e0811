import type { Backend } from '../../backend.ts'
import { check, limit, milliseconds, type Checks } from '../../checks.ts'
import { largestPayload } from '../../message-size.ts'
import { withPackage } from '../../optional-package.ts'
import { checkStoreBytes, historyChecks } from '../history-options.ts'
import { checkTarget, connectionChecks } from './client/options.ts'
import { resolveOptions, type RedisStoreOptions } from './store/options.ts'

/** Address of Redis, and bounds of the chat in it. Each comment ends with the default. */
export interface RedisOptions extends RedisStoreOptions {
  /** ms before the absence of a member is reported; 5 s */
  readonly grace?: number | undefined
  /** ms until the members of a dead node are removed; must be the same on all nodes; 30 s */
  readonly lease?: number | undefined
}

const checks: Checks<RedisOptions> = {
  ...connectionChecks,
  ...historyChecks,
  storeBytes: limit,
  inFlightBytes: limit,
  readBytes: limit,
  grace: milliseconds(0),
  lease: milliseconds(1)
}

/**
 * Returns a backend in a Redis, or a Redis Cluster, that any number of processes share: together they are one chat. Entries are
 * as durable as the configuration of Redis makes them. While Redis can't be reached, posts are rejected and members keep what
 * they have; it may be unavailable when the backend is opened. Opening it rejects if the package `ioredis` isn't installed.
 * @throws InvalidOption
 */
export function redis (options: RedisOptions = {}): Backend {
  check(options, checks)
  checkTarget(options)
  const { grace, lease, ...storeOptions } = options
  const { connection, room: { historyBytes }, storeBytes = Infinity } = resolveOptions(storeOptions)
  checkStoreBytes(historyBytes, storeBytes)
  return {
    async open (app) {
      const [{ ConnectionLog }, { RedisStore }, { RedisRoster }] = await withPackage('the Redis backend', 'ioredis', async () => await Promise.all([
        import('./client/connection-log.ts'), import('./store/store.ts'), import('./roster/roster.ts')
      ]))
      const log = new ConnectionLog(app.log)
      // Two clients: a store that has as many commands in flight as it accepts must not delay the lease.
      const [store, roster] = [new RedisStore(storeOptions, undefined, log), new RedisRoster({ ...connection, grace, lease }, log)]
      const close = async () => { await Promise.all([store.close(), roster.close()]) }
      try {
        await store.open()
      } catch (error) {
        await close()
        throw error
      }
      return { store, roster, maxPayload: largestPayload(Math.min(historyBytes, storeBytes)), close }
    }
  }
}

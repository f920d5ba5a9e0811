import type { Backend } from '../../backend.ts'
import { check, limit, milliseconds, type Checks } from '../../checks.ts'
import { largestPayload } from '../../message-size.ts'
import { withPackage } from '../../optional-package.ts'
import { checkStoreBytes, historyChecks } from '../history-options.ts'
import { MemoryRoster } from '../memory/roster.ts'
import { resolveLimits, type LmdbStoreOptions } from './options.ts'

/** The directory of a chat, and its bounds. Each comment ends with the default. */
export interface LmdbOptions extends LmdbStoreOptions {
  /** ms before the absence of a member is reported; 5 s */
  readonly grace?: number | undefined
}

const checks: Checks<LmdbOptions> = {
  path: { mustBe: 'a directory', passes: (value) => typeof value === 'string' && value !== '' },
  verify: { mustBe: 'true or false', passes: (value) => typeof value === 'boolean' },
  ...historyChecks,
  storeBytes: limit,
  inFlight: limit,
  inFlightBytes: limit,
  cacheBytes: limit,
  grace: milliseconds(0)
}

/**
 * Returns a backend that stores messages in a local directory: acknowledged ones are on disk and outlive the process. Members
 * and restrictions are in the memory of this process. Opening it rejects if the directory is in use, damaged, of another
 * format, or can't be written, or if the package `lmdb` isn't installed.
 * @throws InvalidOption
 */
export function lmdb (options: LmdbOptions): Backend {
  // `path` is the only option that has no default.
  check({ ...options, path: options?.path ?? null }, checks)
  const { grace, ...store } = options
  const { historyBytes, storeBytes } = resolveLimits(store)
  checkStoreBytes(historyBytes, storeBytes)
  return {
    async open () {
      const { LmdbStore } = await withPackage('the LMDB backend', 'lmdb', async () => await import('./store.ts'))
      const opened = await LmdbStore.open(store)
      const roster = new MemoryRoster({ grace })
      const close = async () => { await Promise.all([opened.close(), roster.close()]) }
      return { store: opened, roster, maxPayload: largestPayload(Math.min(historyBytes, storeBytes)), close }
    }
  }
}

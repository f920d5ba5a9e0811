import type { Backend } from '../../backend.ts'
import { check, limit, milliseconds, type Checks } from '../../checks.ts'
import { largestPayload } from '../../message-size.ts'
import { checkStoreBytes, historyBounds, historyChecks } from '../history-options.ts'
import { MemoryRoster } from './roster.ts'
import { DEFAULT_STORE_BYTES, MemoryStore, type MemoryStoreOptions } from './store.ts'

/** Bounds of the memory that a chat takes. Each comment ends with the default. */
export interface MemoryOptions extends Omit<MemoryStoreOptions, 'rooms'> {
  /** ms before the absence of a member is reported; 5 s */
  readonly grace?: number | undefined
}

const checks: Checks<MemoryOptions> = { ...historyChecks, storeBytes: limit, grace: milliseconds(0) }

/**
 * Returns a backend in the memory of this process. Messages, members and restrictions are lost when the last chat that uses it
 * is closed. Bytes are charged at the memory that they take.
 * @throws InvalidOption
 */
export function memory (options: MemoryOptions = {}): Backend {
  check(options, checks)
  const { grace, ...bounds } = options
  const { historyBytes } = historyBounds(bounds)
  const { storeBytes = DEFAULT_STORE_BYTES } = bounds
  checkStoreBytes(historyBytes, storeBytes)
  return {
    async open () {
      const [store, roster] = [new MemoryStore(bounds), new MemoryRoster({ grace })]
      const close = async () => { await Promise.all([store.close(), roster.close()]) }
      return { store, roster, maxPayload: largestPayload(Math.min(historyBytes, storeBytes)), close }
    }
  }
}

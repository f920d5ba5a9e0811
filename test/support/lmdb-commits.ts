import type { Test } from 'tap'
import { LmdbDatabase, type Writes } from '../../src/drivers/lmdb/database.ts'
import { StoreUnavailable } from '../../src/errors.ts'
import type { Store } from '../../src/store.ts'
import { tick } from './tick.ts'

/** Makes commits reject with an error, until the result is set to undefined. */
export function failingCommits (t: Test): { error: Error | undefined } {
  const { commit } = LmdbDatabase.prototype
  const state: { error: Error | undefined } = { error: new StoreUnavailable() }
  t.intercept(LmdbDatabase.prototype, 'commit', {
    value (this: LmdbDatabase, ...args: Parameters<typeof commit>) {
      return state.error === undefined ? commit.apply(this, args) : Promise.reject(state.error)
    }
  })
  return state
}

/**
 * Returns what each commit writes, from now on.
 * @param watch returns methods that replace those of the writes, and adds to `written`
 */
export function writtenBy<T> (t: Test, watch: (written: T[], writes: Writes) => Partial<Writes>): T[][] {
  const { commit } = LmdbDatabase.prototype
  const commits: T[][] = []
  t.intercept(LmdbDatabase.prototype, 'commit', {
    value (this: LmdbDatabase, bytes: number, add: (writes: Writes) => void) {
      const written: T[] = []
      commits.push(written)
      return commit.call(this, bytes, (writes) => { add({ ...writes, ...watch(written, writes) }) })
    }
  })
  return commits
}

/** Resolves when the store accepts writes again. */
export async function writable (store: Store): Promise<void> {
  do await tick(); while (await store.check().then(() => false, () => true))
}

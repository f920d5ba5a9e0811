import { mock } from 'node:test'
import { open } from 'lmdb'
import type { Test } from 'tap'
import type { LmdbStoreOptions } from '../../src/drivers/lmdb/options.ts'
import { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import type { Store } from '../../src/store.ts'
import { directory } from './directory.ts'
import { tick } from './tick.ts'

/** Opens a store that is closed at the end of the test. */
export async function opened (t: Test, options: Omit<LmdbStoreOptions, 'path'> = {}, path = directory(t)): Promise<LmdbStore> {
  const store = await LmdbStore.open({ path, ...options })
  t.teardown(() => store.close())
  return store
}

/** Resolves when nothing is left to remove. */
export async function idle (store: Store): Promise<void> {
  for (let i = 0; i < 50; i++) {
    await store.check()
    await tick()
  }
}

/** Holds the clock, and the timer of the sweep, until the end of the test. */
export function holdClock (t: Test): void {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1e12 })
  t.teardown(() => mock.timers.reset())
}

/** Advances the held clock by a minute, several times. Resolves when the work that this starts is done. */
export async function minutes (store: Store, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    mock.timers.tick(60_000)
    await idle(store)
  }
}

/** What a directory has on disk. `rows`: of entries. */
export interface Stored { readonly rows: number, readonly heads: number, readonly changes: number, readonly uses: number, readonly bytes: number }

/** Counts what a closed directory has on disk, with the charged bytes. */
export async function storedIn (path: string): Promise<Stored> {
  const root = open<unknown, string>({ path, noSubdir: false, encoding: 'json' })
  const indexes = Array.from(root.openDB<unknown, [string, number]>('rows', {}).getKeys(), ([, index]) => index)
  const heads = indexes.filter((index) => index === Number.MAX_SAFE_INTEGER).length
  const [changes, uses] = ['changes', 'uses'].map((name) => root.openDB(name, {}).getKeysCount()) as [number, number]
  const stored = { rows: indexes.length - heads, heads, changes, uses, bytes: root.get('bytes') as number }
  await root.close()
  return stored
}

/** What a directory without rooms has on disk. */
export const NOTHING: Stored = { rows: 0, heads: 0, changes: 0, uses: 0, bytes: 0 }

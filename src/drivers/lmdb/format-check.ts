import type { Database, RootDatabase } from 'lmdb'
import { assertFormat } from '../stored-format.ts'
import type { LmdbEnvironment } from './environment.ts'

/**
 * Number of the format of heads, records and the other values. Increased when the version before can't read what this version
 * writes. Format 3 added the changes of entries. Format 4 added streamed text, which the version before would take for
 * complete. Read positions have the same number: they are in trees of their own, which the version before neither reads nor changes.
 */
const FORMAT = 4

/** The formats that have no changes, and no streamed text, but are otherwise the same. They become format 4 when they are opened. */
const EARLIER: Array<number | string> = [2, 3]

/**
 * Checks the number of the format of an environment, and writes it unless the environment has it. Must be called before another
 * database is created: a database without a number would be rejected after a crash.
 * @throws StoreFormat
 */
export function checkFormat ({ path, root }: LmdbEnvironment): void {
  const found = formatOf(root)
  if (!EARLIER.includes(found)) assertFormat(`'${path}'`, found, FORMAT)
  const format = root.openDB<number, string>('format', { encoding: 'json' })
  if (format.get('number') !== FORMAT) format.putSync('number', FORMAT)
}

/**
 * Returns the number of the format of an environment: FORMAT if it is empty, 0 if it has data without a number, which may be of
 * another app. Opens no database that doesn't exist, because that would create it.
 */
function formatOf (root: RootDatabase<unknown, string>): number {
  const entries = entriesOf(root)
  if (entries === 0) return FORMAT
  // With `create: false`, lmdb 3.5 returns undefined for a missing database. Its types don't include that.
  const existing = { encoding: 'json', create: false } as const
  const format = root.openDB<number, string>('format', existing) as Database<number, string> | undefined
  if (format === undefined) return 0
  // A process that ended right after it created the first database left it empty.
  return format.get('number') ?? (entries === 1 && entriesOf(format) === 0 ? FORMAT : 0)
}

function entriesOf (database: Database<unknown, string>): number { return (database.getStats() as { entryCount: number }).entryCount }

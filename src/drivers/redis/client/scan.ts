import type { Redis } from 'ioredis'

/** Keys that one SCAN inspects. */
const STEP = 1_000

/** Yields, in batches, the keys of a master with this start and end. A batch may be empty, and a key may be repeated. */
export async function * keysOf (master: Redis, start: string, end: string): AsyncGenerator<string[]> {
  const pattern = `${globOf(start)}*${globOf(end)}`
  let cursor = '0'
  do {
    const [next, keys] = await master.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', STEP) as [string, string[]]
    cursor = next
    yield keys
  } while (cursor !== '0')
}

/** Returns a glob pattern that matches only this text. */
function globOf (text: string): string { return text.replace(/[*?[\]\\^]/g, '\\$&') }

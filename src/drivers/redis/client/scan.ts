import type { Redis } from 'ioredis'

/** Keys that one command looks at. */
const STEP = 1_000

/** Yields the keys of a master that begin and end so, some at a time: perhaps none, and a key more than once. */
export async function * keysOf (master: Redis, start: string, end: string): AsyncGenerator<string[]> {
  const pattern = `${literal(start)}*${literal(end)}`
  let cursor = '0'
  do {
    const [next, keys] = await master.scan(cursor, 'MATCH', pattern, 'COUNT', STEP)
    cursor = next
    yield keys
  } while (cursor !== '0')
}

/** Returns a pattern that matches a text alone. */
function literal (text: string): string { return text.replace(/[*?[\]\\^]/g, '\\$&') }

import type { Redis } from 'ioredis'

/** Resolves with the `maxmemory` of these masters together, in bytes; 0 if a master has none. Rejects if it can't be read. */
export async function maxMemoryOf (masters: readonly Redis[]): Promise<number> {
  const each = await Promise.all(masters.map(async (master) => {
    const [, bytes] = /^maxmemory:(\d+)/m.exec(String(await master.call('INFO', 'memory'))) ?? []
    return Number(bytes)
  }))
  if (each.length === 0 || each.some(Number.isNaN)) throw new Error('maxmemory is unknown')
  return each.includes(0) ? 0 : each.reduce((sum, bytes) => sum + bytes, 0)
}

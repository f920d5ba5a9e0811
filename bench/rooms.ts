import { setTimeout as wait } from 'node:timers/promises'
import { Redis as Client } from 'ioredis'
import type { Store } from '../src/index.ts'
import { MemoryStore } from '../src/drivers/memory/store.ts'
import { RedisStore } from '../src/drivers/redis/store/store.ts'
import { Redis } from './redis.ts'

const ROOMS = 100_000

/** Concurrent appends. */
const IN_FLIGHT = 1_000

/** ms that a room is kept in this measurement. The defaults of the stores are an hour and 30 days. */
const ROOM_TTL = 30_000

/** ms between two checks whether the rooms were removed. */
const POLL_INTERVAL = 1_000

/** Minimum fraction of the allocated bytes that must be freed. The allocator keeps the rest. */
const FREED = 0.95

/** Measures the bytes of 100,000 rooms with one message each, and whether they are freed. */
async function measure (name: string, store: Store, bytes: () => Promise<number>): Promise<object> {
  const before = await bytes()
  let next = 0
  const begun = performance.now()
  await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
    while (next < ROOMS) await store.append(`room-${next++}`, { key: 'a key', hash: 'a hash', from: { id: 'ada', name: 'ada' }, body: 'x'.repeat(64) })
  }))
  const seconds = (performance.now() - begun) / 1_000
  const taken = await bytes() - before
  process.stderr.write(`${name}: ${ROOMS.toLocaleString('en')} rooms in ${seconds.toFixed(1)} s; waiting until they are removed\n`)
  let freed = 0
  for (const end = performance.now() + ROOM_TTL * 4; performance.now() < end && freed < FREED;) {
    await wait(POLL_INTERVAL)
    freed = (before + taken - await bytes()) / taken
  }
  return { 'rooms/s': Math.round(ROOMS / seconds), 'bytes/room': Math.round(taken / ROOMS), freed: `${Math.round(freed * 100)} %` }
}

async function memory (): Promise<object> {
  const store = new MemoryStore({ roomTtl: ROOM_TTL })
  const measured = await measure('memory', store, async () => {
    globalThis.gc!()
    return process.memoryUsage().heapUsed
  })
  await store.close()
  return measured
}

async function redis (): Promise<object> {
  const server = new Redis()
  const url = await server.ready()
  const client = new Client(url)
  const store = new RedisStore({ url, roomTtl: ROOM_TTL })
  const measured = await measure('redis', store, async () =>
    Number(/used_memory:(\d+)/.exec(await client.info('memory'))![1]))
  await store.close()
  client.disconnect()
  await server.end()
  return measured
}

console.table({ memory: await memory(), redis: await redis() })

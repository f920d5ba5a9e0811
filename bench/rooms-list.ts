import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Redis as RedisClient } from 'ioredis'
import { WebSocket } from 'ws'
import { Process } from './processes.ts'
import { Redis } from './redis.ts'
import type { RoomsListServer } from './servers/rooms-list.ts'

/*
 * Measures the request `rooms` of a member, and the counts of `app.chat.unread`: their time, and the CPU time of the server and of Redis. One
 * request after another, so use an idle machine. `npm run bench:rooms-list`
 */

/** Rooms of the member, lists before those that are measured, and measured lists. */
const [ROOMS, WARM_UP, LISTS] = [1_000, 30, 100]

interface Usage { readonly server: number, readonly redis: number }

interface Row { readonly what: string, readonly times: number[], readonly cpu: Usage }

for (const hasRedis of [false, true]) {
  const redis = hasRedis ? new Redis() : undefined
  const socket = await redis?.ready()
  const server = new Process(fileURLToPath(new URL('servers/rooms-list.ts', import.meta.url)), [])
  const port = await server.call<number>('start', { socket, rooms: ROOMS } satisfies RoomsListServer)
  const client = await connect(port)
  const info = socket === undefined ? undefined : new RedisClient(socket)
  const usage = async (): Promise<Usage> => {
    const { user, system } = await server.call<NodeJS.CpuUsage>('usage')
    return { server: (user + system) / 1_000, redis: await redisCpu(info) }
  }
  const measure = async (what: string, run: (times: number) => Promise<number[]>): Promise<Row> => {
    await run(WARM_UP)
    const before = await usage()
    const times = await run(LISTS)
    const after = await usage()
    return { what, times, cpu: { server: (after.server - before.server) / LISTS, redis: (after.redis - before.redis) / LISTS } }
  }
  const rows = [
    await measure('first page', async (times) => await repeat(times, async () => { await client.page() })),
    await measure('all pages', async (times) => await repeat(times, async () => { await client.all() })),
    await measure('app.chat.unread', async (times) => await server.call<number[]>('unread', times))
  ]
  process.stdout.write(`${hasRedis ? 'redis' : 'memory'}, ${ROOMS} rooms\n${rows.map(line).join('\n')}\n`)
  client.close()
  info?.disconnect()
  await server.end()
  await redis?.end()
}

/** Returns the ms of each call. */
async function repeat (times: number, call: () => Promise<void>): Promise<number[]> {
  const taken: number[] = []
  while (taken.length < times) {
    const begun = performance.now()
    await call()
    taken.push(performance.now() - begun)
  }
  return taken
}

function line ({ what, times, cpu }: Row): string {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!.toFixed(2)
  return `  ${what.padEnd(16)} p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; CPU: server ${cpu.server.toFixed(2)} ms, Redis ${cpu.redis.toFixed(2)} ms`
}

/** Resolves with the ms of CPU time that Redis has used; 0 without one. */
async function redisCpu (redis: RedisClient | undefined): Promise<number> {
  const info = await redis?.info('cpu') ?? ''
  return [...info.matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm)].reduce((sum, [, seconds]) => sum + Number(seconds) * 1_000, 0)
}

/** Resolves with a client that was welcomed. `all` requests one page after another. */
async function connect (port: number) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, 'fastify-chat.v1')
  await once(socket, 'open')
  const request = async (message: object): Promise<{ readonly type: string, readonly rooms?: unknown[], readonly next?: string }> => {
    socket.send(JSON.stringify(message))
    const [data] = await once(socket, 'message') as [Buffer]
    return JSON.parse(data.toString()) as { type: string }
  }
  await request({ type: 'hello', changes: true })
  const page = async (after?: string) => {
    const { type, rooms = [], next } = await request({ type: 'rooms', id: '1', after })
    if (type !== 'rooms' || rooms.length === 0) throw new Error(`the server answered ${type}`)
    return { listed: rooms.length, next }
  }
  const all = async () => {
    let listed = 0
    let next: string | undefined
    do {
      const answer = await page(next)
      listed += answer.listed
      next = answer.next
    } while (next !== undefined)
    if (listed !== ROOMS) throw new Error(`${listed} rooms`)
  }
  return { page, all, close: () => socket.terminate() }
}

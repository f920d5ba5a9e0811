// A chat server in a process of its own, to be attacked. Its argument is the JSON of ServerConfig. It sends its port at
// the start, and its memory whenever it receives a message.
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { lmdb } from '../../src/drivers/lmdb/backend.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { redis as redisBackend } from '../../src/drivers/redis/backend.ts'

export interface ServerConfig {
  /** a directory, for LMDB */
  readonly data?: string
  /** Unix socket of a Redis */
  readonly redis?: string
  /** bounds of the backend */
  readonly bounds?: { readonly storeBytes?: number, readonly inFlightBytes?: number }
  readonly options?: FastifyChatOptions
}

/** Memory that a server process reports, in bytes. */
export interface Memory { readonly heap: number, readonly external: number, readonly rss: number }

const { data, redis, bounds, options = {} } = JSON.parse(process.argv[2]!) as ServerConfig

const app = Fastify({ logger: { level: 'error' } })
const backend = data !== undefined ? lmdb({ path: data, ...bounds }) : redis !== undefined ? redisBackend({ url: redis, ...bounds }) : memory(bounds)
await app.register(fastifyChat, { ...options, backend })
await app.listen({ host: '127.0.0.1', port: 0 })

process.on('message', () => {
  const { heapUsed, external, rss } = process.memoryUsage()
  process.send!({ heap: heapUsed, external, rss } satisfies Memory)
})
process.on('disconnect', () => process.exit())
process.send!({ port: (app.server.address() as AddressInfo).port })

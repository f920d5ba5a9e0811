// A chat server in a process of its own, to be attacked. Its argument is the JSON of ServerConfig. It sends its port at
// the start, and its memory whenever it receives a message.
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import { RedisRoster, RedisStore } from '../../src/drivers/redis/index.ts'

export interface ServerConfig {
  /** a directory, for LMDB */
  readonly data?: string
  /** Unix socket of a Redis */
  readonly redis?: string
  /** limit of LMDB or Redis */
  readonly store?: { readonly storeBytes?: number, readonly inFlightBytes?: number }
  readonly options?: FastifyChatOptions
}

/** Memory that a server process reports, in bytes. */
export interface Memory { readonly heap: number, readonly external: number, readonly rss: number }

const { data, redis, store: bounds, options = {} } = JSON.parse(process.argv[2]!) as ServerConfig

const app = Fastify({ logger: { level: 'error' } })
if (data !== undefined) {
  const store = new LmdbStore({ path: data, ...bounds })
  app.addHook('onClose', () => store.close())
  await app.register(fastifyChat, { ...options, store })
} else if (redis !== undefined) {
  const store = new RedisStore({ url: redis, ...bounds })
  const roster = new RedisRoster({ url: redis })
  app.addHook('onClose', () => Promise.all([store.close(), roster.close()]))
  await app.register(fastifyChat, { ...options, store, roster })
} else {
  await app.register(fastifyChat, options)
}
await app.listen({ host: '127.0.0.1', port: 0 })

process.on('message', () => {
  const { heapUsed, external, rss } = process.memoryUsage()
  process.send!({ heap: heapUsed, external, rss } satisfies Memory)
})
process.on('disconnect', () => process.exit())
process.send!({ port: (app.server.address() as AddressInfo).port })

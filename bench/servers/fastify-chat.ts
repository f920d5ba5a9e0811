import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fastify } from 'fastify'
import type { FastifyChatOptions } from '../../src/index.ts'
import { serve } from './serve.ts'

interface Options extends FastifyChatOptions {
  readonly storage?: 'lmdb'
  /** Unix socket of a Redis */
  readonly redis?: string
}

// Users run compiled code, so the loader of this file must not compile it.
const compiled = (file: string) => new URL(`../../dist/${file}`, import.meta.url).href

serve(async ({ storage, redis, ...options }: Options) => {
  const { default: plugin } = await import(compiled('index.js')) as typeof import('../../src/index.ts')
  const app = fastify()
  await app.register(plugin, { ...options, ...await stores(storage, redis) })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server
})

async function stores (storage: Options['storage'], redis: string | undefined): Promise<Pick<FastifyChatOptions, 'store' | 'roster'>> {
  if (redis !== undefined) {
    const { RedisStore, RedisRoster } = await import(compiled('drivers/redis/index.js')) as typeof import('../../src/drivers/redis/index.ts')
    return { store: new RedisStore({ url: redis }), roster: new RedisRoster({ url: redis }) }
  }
  if (storage === undefined) return {}
  const { LmdbStore } = await import(compiled('drivers/lmdb/store.js')) as typeof import('../../src/drivers/lmdb/store.ts')
  const path = mkdtempSync(join(tmpdir(), 'fastify-chat-bench-'))
  process.on('exit', () => rmSync(path, { recursive: true, force: true }))
  return { store: new LmdbStore({ path }) }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fastify } from 'fastify'
import type { Backend, FastifyChatOptions } from '../../src/index.ts'
import { bounds } from '../contenders.ts'
import { serve } from './serve.ts'

interface Options extends FastifyChatOptions {
  readonly storage?: 'lmdb'
  /** Unix socket of a Redis */
  readonly redis?: string
}

// Measures compiled code, as users run it, and not code that the loader of this file compiles.
const compiled = (file: string) => new URL(`../../dist/${file}`, import.meta.url).href

serve(async ({ storage, redis, ...options }: Options) => {
  const { pluginWith } = await import(compiled('plugin.js')) as typeof import('../../src/plugin.ts')
  const app = fastify()
  await app.register(pluginWith(bounds), { ...options, backend: await backendOf(storage, redis) })
  app.get('/route', async () => 'ok')
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server
})

async function backendOf (storage: Options['storage'], path: string | undefined): Promise<Backend | undefined> {
  if (path !== undefined) {
    const { redis } = await import(compiled('drivers/redis/backend.js')) as typeof import('../../src/drivers/redis/backend.ts')
    return redis({ url: path })
  }
  if (storage === undefined) return undefined
  const { lmdb } = await import(compiled('drivers/lmdb/backend.js')) as typeof import('../../src/drivers/lmdb/backend.ts')
  const directory = mkdtempSync(join(tmpdir(), 'fastify-chat-bench-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  return lmdb({ path: directory })
}

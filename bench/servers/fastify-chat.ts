import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fastify, type FastifyInstance } from 'fastify'
import type { Backend, FastifyChatOptions } from '../../src/index.ts'
import { bounds } from '../contenders.ts'
import { serve } from './serve.ts'

interface Options extends FastifyChatOptions {
  readonly storage?: 'lmdb'
  /** Unix socket of a Redis */
  readonly redis?: string
  /** Whether posts are appended to a streamed text of their room, and refused. */
  readonly streams?: true
}

// Measures compiled code, as users run it, and not code that the loader of this file compiles.
const compiled = (file: string) => new URL(`../../dist/${file}`, import.meta.url).href

/** Maximum bytes of a streamed text, after which another one begins. */
const MAX_TEXT = 60_000

serve(async ({ storage, redis, streams, ...options }: Options) => {
  const { pluginWith } = await import(compiled('plugin.js')) as typeof import('../../src/plugin.ts')
  const app = fastify()
  await app.register(pluginWith(bounds), { ...options, ...streams && { prePost: appending(app) }, backend: await backendOf(storage, redis) })
  app.get('/route', async () => 'ok')
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server
})

/** Returns a hook that appends the posts of each room to a streamed text, and refuses them. */
function appending (app: FastifyInstance): NonNullable<FastifyChatOptions['prePost']> {
  const open = new Map<string, { readonly stream: ReturnType<typeof app.chat.createWriteStream>, bytes: number }>()
  return async ({ room, text = '' }) => {
    let writing = open.get(room)
    if (writing === undefined || writing.bytes > MAX_TEXT) {
      writing?.stream.end()
      open.set(room, writing = { stream: app.chat.createWriteStream(room), bytes: 0 })
    }
    writing.stream.write(text)
    writing.bytes += text.length
    throw new Error('appended')
  }
}

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

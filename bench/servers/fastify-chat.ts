import { fastify } from 'fastify'
import type fastifyChat from '../../src/index.ts'
import type { FastifyChatOptions } from '../../src/index.ts'
import { serve } from './serve.ts'

// What users run: compiled, not as the loader of this file would make it.
const compiled = new URL('../../dist/index.js', import.meta.url).href

serve(async (options: FastifyChatOptions) => {
  const { default: plugin } = await import(compiled) as { default: typeof fastifyChat }
  const app = fastify()
  await app.register(plugin, options)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server
})

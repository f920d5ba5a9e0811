// A node for each core behind one port, one conversation by Redis. Start a Redis, then open http://127.0.0.1:3000 in
// several windows: each says in the log which worker serves it. REDIS_URL says where Redis is, WORKERS how many there are.
import cluster from 'node:cluster'
import { availableParallelism } from 'node:os'
import closeWithGrace from 'close-with-grace'
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'
import { RedisRoster, RedisStore } from 'fastify-chat/redis'

const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'

if (cluster.isPrimary) supervise(Number(process.env['WORKERS'] ?? availableParallelism()))
else await serve()

/** Keeps so many workers running until it is told to stop. */
function supervise (workers: number): void {
  let stopping = false
  for (let i = 0; i < workers; i++) cluster.fork()
  cluster.on('exit', () => { if (!stopping) cluster.fork() })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stopping = true
      for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM')
    })
  }
}

async function serve (): Promise<void> {
  const app = Fastify({ logger: { base: { worker: cluster.worker?.id, pid: process.pid } } })
  // Ctrl-C reaches every process of the terminal: the supervisor passes it on, once.
  process.on('SIGINT', () => {})
  closeWithGrace({ logger: app.log, skip: ['SIGINT'] }, async () => { await app.close() })

  const store = new RedisStore({ url })
  const roster = new RedisRoster({ url })
  app.addHook('onClose', async () => { await Promise.all([store.close(), roster.close()]) })
  await app.register(fastifyChat, { page: '/', store, roster })

  await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })
}

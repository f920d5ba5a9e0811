// Runs one node per core behind one port; Redis connects them to one chat. Start Redis, then open http://127.0.0.1:3000 in
// several windows: the log shows which worker serves each. REDIS_URL sets the address of Redis, WORKERS the number of nodes.
import cluster from 'node:cluster'
import { availableParallelism } from 'node:os'
import closeWithGrace from 'close-with-grace'
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'
import { redis } from 'fastify-chat/redis'

const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'

if (cluster.isPrimary) supervise(Number(process.env['WORKERS'] ?? availableParallelism()))
else await serve()

/** Keeps this number of workers running until SIGINT or SIGTERM. */
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
  // Ctrl-C sends SIGINT to every process of the terminal. A worker ignores it and waits for SIGTERM from the supervisor.
  process.on('SIGINT', () => {})
  closeWithGrace({ logger: app.log, skip: ['SIGINT'] }, async () => { await app.close() })

  await app.register(fastifyChat, { page: '/', backend: redis({ url }) })

  await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })
}

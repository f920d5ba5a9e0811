// Serves the metrics of the chat and of the process to Prometheus: curl http://127.0.0.1:3000/metrics
// Chat in several windows of http://127.0.0.1:3000 and look again. Don't expose /metrics to the public.
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'
import { collectDefaultMetrics, Registry } from 'prom-client'

const app = Fastify({ logger: true })

const metrics = new Registry()
collectDefaultMetrics({ register: metrics })

await app.register(fastifyChat, { page: '/', metrics })

app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()))

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

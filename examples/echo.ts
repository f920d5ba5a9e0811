// Sends each message back unchanged. Try it at http://127.0.0.1:3000, or with
// npx fastify-chat connect ws://127.0.0.1:3000/echo
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

const app = Fastify({ logger: { level: 'debug' } })

await app.register(fastifyChat, { page: '/', chat: false })

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

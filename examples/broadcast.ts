// Sends each message to all members of the room. Open http://127.0.0.1:3000 in several windows, and join them with
// npx fastify-chat connect ws://127.0.0.1:3000/chat --name ada
// To restart it when its code changes: npx tsx watch examples/broadcast.ts
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

const app = Fastify({ logger: { level: 'debug' } })

await app.register(fastifyChat, {
  page: '/',
  echo: false,
  // false excludes the sender. A client can override this for itself with ?self=0 or ?self=1.
  chat: { greeting: 'connected to WebSocket server', includeSender: true }
})

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

// Talk to the server: npx fastify-chat connect ws://127.0.0.1:3000/echo
// Talk to each other, from two terminals: npx fastify-chat connect ws://127.0.0.1:3000/chat --name ada
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

const greeting = 'Hello webSocket'
const app = Fastify({ logger: { level: 'debug' } })

await app.register(fastifyChat, {
  page: false,
  echo: { greeting, reply: (message) => `I heard you say "${message}"` },
  // A message is sent to the other members of the room, not back to its sender.
  chat: { greeting, includeSender: false }
})

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

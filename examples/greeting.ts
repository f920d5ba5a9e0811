// Greets each client, and then logs its messages without a reply. Try it with
// npx fastify-chat connect ws://127.0.0.1:3000/echo --send 'Msg from client'
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

const app = Fastify({ logger: true })

await app.register(fastifyChat, {
  page: false,
  chat: false,
  echo: {
    greeting: 'Hello from server',
    reply (message) {
      app.log.info(`Message received: ${message}`)
      return undefined
    }
  }
})

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

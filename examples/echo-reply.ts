// Replies World! to every message. Try it at http://127.0.0.1:3000, or with
// npx fastify-chat connect ws://127.0.0.1:3000/echo --send Hello --every 3s
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

const app = Fastify({ logger: true })

await app.register(fastifyChat, {
  page: '/',
  chat: false,
  echo: {
    reply (message) {
      app.log.info(`Received: ${message}`)
      return 'World!'
    }
  }
})

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

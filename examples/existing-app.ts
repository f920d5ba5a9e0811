// Adds a chat for signed-in users to an app that has its own home page: http://127.0.0.1:3000, or
// npx fastify-chat connect 'ws://ada:secret@127.0.0.1:3000/chat?room=orders'
// and then, in another terminal, curl -u ada:secret -X POST http://127.0.0.1:3000/orders/7
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

const app = Fastify({ logger: true })

// Open to everybody: the home page and its files.
await app.register(fastifyStatic, { root: fileURLToPath(new URL('existing-app/', import.meta.url)) })

// For members only: the hook runs before a WebSocket is opened, as before any other response.
await app.register(async (members) => {
  members.addHook('onRequest', async (request, reply) => {
    if (request.headers.authorization === `Basic ${btoa('ada:secret')}`) return
    return reply.code(401).header('www-authenticate', 'Basic realm="members"').send({ message: 'sign in first' })
  })

  await members.register(fastifyChat)

  members.post<{ Params: { id: string } }>('/orders/:id', async ({ params: { id } }) => {
    await members.chat.publish('orders', { text: `order ${id} has come in`, from: { id: 'shop', name: 'shop' } })
    return { id }
  })
})

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

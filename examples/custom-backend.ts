// Keeps messages in files of JSON lines, in ./chat-data: chat on http://127.0.0.1:3000, restart the program, and chat on.
// The store is in custom-backend/; test/docs/custom-backend.test.ts checks it with fastify-chat/contract.
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'
import { JsonLinesStore } from './custom-backend/json-lines-store.ts'

const app = Fastify({ logger: true })
const store = await JsonLinesStore.open({ path: process.env['CHAT_DATA'] ?? 'chat-data' })

await app.register(fastifyChat, { page: '/', echo: false, store })
app.addHook('onClose', () => store.close())

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

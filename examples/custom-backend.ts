// Keeps messages in files of JSON lines, in ./chat-data: chat on http://127.0.0.1:3000, restart the program, and chat on.
// The backend is in custom-backend/; test/docs/custom-backend.test.ts checks its store with fastify-chat/contract.
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'
import { jsonLines } from './custom-backend/json-lines.ts'

const app = Fastify({ logger: true })

await app.register(fastifyChat, { page: '/', echo: false, backend: jsonLines({ path: process.env['CHAT_DATA'] ?? 'chat-data' }) })

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

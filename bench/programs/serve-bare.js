import { fastify } from 'fastify'
import bare from './bare.js'

const app = fastify({ logger: true })
app.register(bare)
await app.listen({ port: 0, host: '127.0.0.1' })

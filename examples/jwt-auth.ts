// Members name themselves with a JSON Web Token, which the client sends in its `hello`:
//   const client = new ChatClient('ws://127.0.0.1:3000/chat', { token: async () => (await signIn()).token })
// The function is called for each connection. signIn() stands for a request such as
//   curl -H 'content-type: application/json' -d '{"name":"ada","password":"secret"}' http://127.0.0.1:3000/token
import { randomBytes } from 'node:crypto'
import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

const passwords = new Map([['ada', 'secret'], ['bob', 'secret']])
const credentials = { type: 'object', required: ['name', 'password'], properties: { name: { type: 'string' }, password: { type: 'string' } } }

const app = Fastify({ logger: true })

// With a random secret, tokens are no longer valid after a restart of the server.
await app.register(fastifyJwt, { secret: process.env['JWT_SECRET'] ?? randomBytes(32).toString('hex') })

app.post<{ Body: { name: string, password: string } }>('/token', { schema: { body: credentials } }, async ({ body: { name, password } }, reply) => {
  if (passwords.get(name) !== password) return reply.code(401).send({ message: 'wrong name or password' })
  return { token: app.jwt.sign({ sub: name }, { expiresIn: '1h' }) }
})

await app.register(fastifyChat, {
  page: false,
  echo: false,
  authenticate (_request, { token = '' }) {
    try {
      const { sub, exp } = app.jwt.verify<{ sub: string, exp: number }>(token)
      // A token counts seconds, the plugin milliseconds.
      return { id: sub, name: sub, expiresAt: exp * 1000 }
    } catch (error) {
      app.log.info({ err: error }, 'token rejected')
      return null
    }
  }
})

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

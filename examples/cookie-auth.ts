// Members sign in with a form; a signed cookie names them from then on. Open http://127.0.0.1:3000 and sign in as ada or bob,
// with the password "secret".
import { randomBytes } from 'node:crypto'
import fastifyCookie from '@fastify/cookie'
import Fastify, { type FastifyRequest } from 'fastify'
import fastifyChat from 'fastify-chat'

const day = 24 * 60 * 60 * 1000
const passwords = new Map([['ada', 'secret'], ['bob', 'secret']])
const credentials = { type: 'object', required: ['name', 'password'], properties: { name: { type: 'string' }, password: { type: 'string' } } }
const form = '<form method="post" action="/login"><input name="name"><input name="password" type="password"><button>Sign in</button></form>'

const app = Fastify({ logger: true })

// With a random secret, a restart of the server signs everybody out.
await app.register(fastifyCookie, { secret: process.env['COOKIE_SECRET'] ?? randomBytes(32).toString('hex') })

app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body: string, done) => {
  done(null, Object.fromEntries(new URLSearchParams(body)))
})

app.get('/', (_request, reply) => reply.type('text/html').send(form))

app.post<{ Body: { name: string, password: string } }>('/login', { schema: { body: credentials } }, async ({ body: { name, password } }, reply) => {
  if (passwords.get(name) !== password) return reply.code(401).send({ message: 'wrong name or password' })
  const expiresAt = Date.now() + day
  return reply
    .setCookie('member', `${expiresAt}:${name}`, { signed: true, httpOnly: true, sameSite: 'lax', path: '/', expires: new Date(expiresAt) })
    .redirect('/chat-page/', 303)
})

await app.register(fastifyChat, { page: '/chat-page/', echo: false, authenticate: member })

/** Returns the member that the cookie names. A browser sends it with the upgrade request, as with every other request. */
function member (request: FastifyRequest): { id: string, name: string, expiresAt: number } | null {
  const { valid, value } = request.unsignCookie(request.cookies['member'] ?? '')
  if (!valid) return null
  const [expiresAt = '', name = ''] = value.split(':')
  return { id: name, name, expiresAt: Number(expiresAt) }
}

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })

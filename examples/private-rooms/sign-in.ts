import { randomBytes } from 'node:crypto'
import fastifyCookie from '@fastify/cookie'
import fastifyJwt from '@fastify/jwt'
import fastifySession from '@fastify/session'
import type { FastifyInstance, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface Session { identity?: Identity }
  interface FastifyRequest { me: string }
}

/** What `authenticate` returns. */
interface Identity { readonly id: string, readonly name: string, readonly expiresAt: number }

/** Returns the person that sent a request or opened a connection. @param token of the client's `hello` */
type Identify = (request: FastifyRequest, token?: string) => Identity | undefined

/** A sign-in method. */
interface Method {
  /** Signs in a person whose password was correct. Resolves with the body of the answer. */
  start (request: FastifyRequest, id: string): Promise<object>
  readonly identify: Identify
}

const hour = 60 * 60 * 1000
const credentials = { type: 'object', required: ['name', 'password'], properties: { name: { type: 'string' }, password: { type: 'string' } } }

/** Passwords, by name. Real ones are hashed. */
export const people = new Map([['ada', 'secret'], ['bob', 'secret'], ['eve', 'secret']])

/** Adds `POST /sign-in` to the app. @param method `session` or `jwt` */
export async function signIn (app: FastifyInstance, method: (app: FastifyInstance) => Promise<Method>): Promise<Identify> {
  const { start, identify } = await method(app)
  app.post<{ Body: { name: string, password: string } }>('/sign-in', { schema: { body: credentials } }, async (request, reply) => {
    const { name, password } = request.body
    if (people.get(name) !== password) return reply.code(401).send({ message: 'wrong name or password' })
    return await start(request, name)
  })
  return identify
}

/** Answers requests to the routes of an app with 401 unless the person has signed in. Sets `request.me` to the id of the person. */
export function requireSignIn (app: FastifyInstance, identify: Identify): void {
  app.decorateRequest('me', '')
  app.addHook('onRequest', async (request, reply) => {
    const identity = identify(request)
    if (identity === undefined) return await reply.code(401).send({ message: 'sign in first' })
    request.me = identity.id
  })
}

/** Signs in with a cookie, which a browser sends with each request, and with the upgrade. */
export async function session (app: FastifyInstance): Promise<Method> {
  await app.register(fastifyCookie)
  await app.register(fastifySession, {
    secret: secret(app, 'SESSION_SECRET'),
    // Without `store`, sessions are kept in the memory of this process.
    saveUninitialized: false,
    rolling: false,
    // lax: browsers omit the cookie from POST, PUT and DELETE requests of other sites. auto: HTTPS only, if the request came over HTTPS.
    cookie: { sameSite: 'lax', secure: 'auto', maxAge: hour }
  })
  return {
    async start (request, id) {
      // Replaces the session id, because an attacker may have set the cookie that came with the request.
      await request.session.regenerate()
      request.session.identity = { id, name: id, expiresAt: Date.now() + hour }
      return { id }
    },
    identify: (request) => request.session.identity
  }
}

/** Signs in with a JSON Web Token: HTTP requests have it as `authorization: Bearer …`, a chat client sends it in its `hello`. */
export async function jwt (app: FastifyInstance): Promise<Method> {
  await app.register(fastifyJwt, { secret: secret(app, 'JWT_SECRET') })
  return {
    start: async (_request, id) => ({ id, token: app.jwt.sign({ sub: id }, { expiresIn: hour }) }),
    identify (request, token = request.headers.authorization?.replace('Bearer ', '') ?? '') {
      try {
        const { sub, exp } = app.jwt.verify<{ sub: string, exp: number }>(token)
        // `exp` is in seconds, `expiresAt` in milliseconds.
        return { id: sub, name: sub, expiresAt: exp * 1000 }
      } catch (error) {
        request.log.info({ err: error }, 'token rejected')
        return undefined
      }
    }
  }
}

/** Returns a secret from the environment. Without one, a random secret serves for development. */
function secret (app: FastifyInstance, name: string): string {
  const value = process.env[name]
  if (value === undefined) app.log.warn(`${name} is not set: everybody is signed out when this process ends`)
  return value ?? randomBytes(32).toString('hex')
}

import { existsSync, readdirSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyRequest } from 'fastify'

const root = fileURLToPath(new URL('../../public/', import.meta.url))
/** The same folder from `src/` and from `dist/` itself. */
const compiled = fileURLToPath(new URL('../../dist/', import.meta.url))

export interface PageOptions {
  /** where the page is; ends with a slash */
  readonly path: string
  /** where the routes are, false for one that is off */
  readonly chat: string | false
  readonly echo: string | false
  /** the room it opens when its address names none */
  readonly room: string
}

/** All that the page takes: its path, with and without the slash, its files and what it asks for. */
export function pagePaths (path: string): string[] {
  const lib = [...library(), '*'].map((file) => `lib/${file}`)
  const files = ['', 'config.json', ...filesIn(root), ...lib].map((file) => path + file)
  return path === '/' ? files : [path.slice(0, -1), ...files]
}

/** The demo page, and the paths it connects to, relative to itself so that a proxy may put all of them elsewhere. */
export async function pageRoutes (app: FastifyInstance, { path, chat, echo, room }: PageOptions): Promise<void> {
  const fromHere = (to: string | false) => to === false ? null : posix.relative(path, to) + (to.endsWith('/') ? '/' : '')
  const built = library()
  const client = built.includes('client/index.js')
  const config = { chat: fromHere(chat), echo: fromHere(echo), room, client }
  if (chat !== false && !client) app.log.warn('the page cannot open the chat: its client is not compiled, run "npm run build"')

  app.addHook('onSend', async (request, reply) => {
    reply.header('content-security-policy', contentSecurityPolicy(request))
    reply.header('x-content-type-options', 'nosniff')
    reply.header('referrer-policy', 'same-origin')
  })
  // Without the slash its relative links would lead beside it.
  app.addHook('onRequest', async ({ url, routeOptions }, reply) => {
    const [pathname = '', query = ''] = url.split(/(?=\?)/)
    if (routeOptions.url?.replace(/\/$/, '') === app.prefix && !pathname.endsWith('/')) {
      return reply.redirect(`${app.prefix}/${query}`, 301)
    }
  })
  app.get('/config.json', async (_request, reply) => {
    reply.header('cache-control', 'no-cache')
    return config
  })
  await app.register(fastifyStatic, { root, wildcard: false, decorateReply: false })
  if (!client) return
  await app.register(fastifyStatic, {
    root: compiled,
    prefix: '/lib',
    allowedPath: (path) => built.includes(path.slice(1)),
    decorateReply: false
  })
}

/** What a browser loads of the compiled files: the client, and the protocol it shares with the server. */
function library (): string[] {
  const client = filesIn(join(compiled, 'client')).filter((file) => file.endsWith('.js'))
  const protocol = ['protocol.js'].filter((file) => existsSync(join(compiled, file)))
  return [...client.map((file) => `client/${file}`), ...protocol]
}

/** None when there is no such folder. */
function filesIn (folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

/** Only itself and its WebSocket, which is named too: to older browsers a ws: URL is not 'self'. */
function contentSecurityPolicy ({ host }: FastifyRequest): string {
  const sockets = /^[\w.:[\]-]+$/.test(host) ? ` ws://${host} wss://${host}` : ''
  return `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'${sockets}; ` +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

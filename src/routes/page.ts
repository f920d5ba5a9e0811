import { join, posix } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { PageFiles } from './page-files.ts'

export interface PageOptions {
  /** path of the page; ends with a slash */
  readonly path: string
  readonly files: PageFiles
  /** path of the chat route; false if it is off */
  readonly chat: string | false
  /** path of the echo route; false if it is off */
  readonly echo: string | false
  /** room that the page opens when its URL names none */
  readonly room: string
  /** bytes of a request to the chat; the configuration has null for Infinity */
  readonly payload: number
}

/** Adds the demo page. Its configuration has relative paths of the routes, so that a proxy may move everything together. */
export async function pageRoutes (app: FastifyInstance, { path, files: { root, folders, bundles, library }, chat, echo, room, payload }: PageOptions): Promise<void> {
  const relative = (to: string | false) => to === false ? null : posix.relative(path, to) + (to.endsWith('/') ? '/' : '')
  const client = library.includes('client.js')
  const config = { chat: relative(chat), echo: relative(echo), room, payload, client }
  if (chat !== false && !client) app.log.warn('the page cannot open the chat because its client is not compiled: run npm run build')

  app.addHook('onSend', async (request, reply) => {
    reply.header('content-security-policy', contentSecurityPolicy(request))
    reply.header('x-content-type-options', 'nosniff')
    reply.header('referrer-policy', 'same-origin')
  })
  // Without the slash, relative links would resolve against the parent path.
  app.addHook('onRequest', async ({ originalUrl, routeOptions }, reply) => {
    const { pathname, query } = split(originalUrl)
    if (routeOptions.url?.replace(/\/$/, '') !== app.prefix || pathname.endsWith('/')) return undefined
    // Relative, because a proxy may have removed a prefix. With the dot, `\\host` in the last segment leads to no other host.
    return reply.redirect(`./${pathname.slice(pathname.lastIndexOf('/') + 1)}/${query}`)
  })
  app.get('/config.json', { schema: { hide: true } as object }, async (_request, reply) => {
    reply.header('cache-control', 'no-cache')
    return config
  })
  // One route for each folder: a route for each file would take most of the time of a start.
  await app.register(fastifyStatic, { root, wildcard: false, globIgnore: folders.map((folder) => `${folder}/**`), decorateReply: false })
  for (const folder of folders) await app.register(fastifyStatic, { root: join(root, folder), prefix: `/${folder}`, decorateReply: false })
  if (!client) return
  await app.register(fastifyStatic, {
    root: bundles,
    prefix: '/lib',
    allowedPath: (path) => library.includes(path.slice(1)),
    decorateReply: false
  })
}

/** Splits a URL. query: begins with a question mark; empty for none. */
function split (url: string): { readonly pathname: string, readonly query: string } {
  const end = url.indexOf('?')
  return end === -1 ? { pathname: url, query: '' } : { pathname: url.slice(0, end), query: url.slice(end) }
}

/**
 * Allows the page's origin only, and no string as HTML or code. Its WebSocket URLs are listed: in older browsers 'self' doesn't match
 * ws: URLs.
 */
function contentSecurityPolicy ({ host }: FastifyRequest): string {
  const sockets = /^[\w.:[\]-]+$/.test(host) ? ` ws://${host} wss://${host}` : ''
  return `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'${sockets}; ` +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
}

import type { FastifyRequest } from 'fastify'
import { OriginRefused } from '../errors.ts'
import type { Origins } from '../options.ts'

/**
 * Refuses an upgrade from another site. Browsers send cookies with a WebSocket from any page and apply no CORS check, so
 * this check prevents cross-site WebSocket hijacking: RFC 6455, section 10.2.
 * @throws OriginRefused
 */
export async function checkOrigin (request: FastifyRequest, allowed: Origins): Promise<void> {
  const { origin } = request.headers
  if (origin === undefined || allowed === true) return
  // Only `true` allows the origin, as in `authorize`: an untyped hook may return a string or an object.
  if (typeof allowed === 'function' ? await allowed(origin, request) === true : isOwn(origin, request) || allowed?.includes(origin) === true) return
  throw new OriginRefused(origin, request.host)
}

/** Returns whether the origin is that of the host that the request names. */
function isOwn (origin: string, request: FastifyRequest): boolean {
  const from = parse(origin)
  // Both are parsed as URLs of the page's scheme, so that an explicit default port makes no difference.
  return from !== undefined && parse(`${from.protocol}//${request.host}`)?.host === from.host
}

/** Returns undefined for an opaque origin (`null`, a `file:` page), which identifies no site. */
function parse (origin: string): URL | undefined {
  return /^https?:\/\/[^/]/.test(origin) && URL.canParse(origin) ? new URL(origin) : undefined
}

import type { FastifyRequest } from 'fastify'
import { OriginRefused } from '../errors.ts'
import type { Origins } from '../options.ts'

/**
 * Refuses a page of another site. Browsers send cookies along with any page's WebSocket, and no CORS check keeps it
 * from being opened, so this is what stands against cross-site WebSocket hijacking. RFC 6455, section 10.2.
 * @throws OriginRefused
 */
export async function checkOrigin (request: FastifyRequest, allowed: Origins): Promise<void> {
  const { origin } = request.headers
  if (origin === undefined || allowed === true) return
  // Only true is a yes, as of `authorize`: not the string or object that a hook without types returns.
  if (typeof allowed === 'function' ? await allowed(origin, request) === true : matches(origin, request, allowed)) return
  throw new OriginRefused(origin)
}

function matches (origin: string, request: FastifyRequest, allowed: readonly string[] | undefined): boolean {
  if (allowed !== undefined) return allowed.includes(origin)
  const from = parse(origin)
  // Compared as URLs of the page's scheme, so that a default port is the same written or not.
  return from !== undefined && parse(`${from.protocol}//${request.host}`)?.host === from.host
}

/** An opaque origin (`null`, a `file:` page) is nobody's in particular. */
function parse (origin: string): URL | undefined {
  return /^https?:\/\/[^/]/.test(origin) && URL.canParse(origin) ? new URL(origin) : undefined
}

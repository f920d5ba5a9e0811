import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { FastifyReply } from 'fastify'

/** Headers that belong to the connection or to a body: RFC 9110, sections 6.4, 7.6.1 and 8. The handshake sets its own. */
const excluded = new Set([
  'connection', 'content-encoding', 'content-language', 'content-length', 'content-location', 'content-range', 'content-type', 'keep-alive',
  'proxy-authenticate', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'
])

/**
 * Returns the header lines of a 101 response that contain the headers of a reply, such as cookies that a hook has set. Node and `ws`
 * don't check these lines, so a line break in a value would end the header, or the response.
 * @throws Node's error for an invalid name or value, which is removed from the reply
 */
export function responseHeaders (reply: FastifyReply): string[] {
  const lines: string[] = []
  for (const [name, given] of Object.entries(reply.getHeaders())) {
    if (excluded.has(name.toLowerCase()) || /^sec-websocket-/i.test(name)) continue
    for (const value of [given].flat()) {
      try {
        validateHeaderName(name)
        validateHeaderValue(name, String(value))
      } catch (error) {
        reply.removeHeader(name)
        throw error
      }
      lines.push(`${name}: ${value}`)
    }
  }
  return lines
}

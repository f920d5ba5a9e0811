import * as fastify from 'fastify'
import type { FastifyInstance, FastifyRequest, FastifyServerOptions } from 'fastify'
import { build as pretty } from 'pino-pretty'

// Not a transport: its worker, when the terminal is closed, keeps the process for ten seconds.
const style = { translateTime: 'HH:MM:ss', ignore: 'pid,hostname', singleLine: true, sync: true }

// In a line of JSON: escapes that are control characters once parsed, but for a stack's line breaks; then the control
// and direction characters that JSON does not escape.
const hostile = /\\(?:\\|[bfr]|n(?! {4}at )|u00[01].)|[\x7f-\x9f\p{Bidi_Control}]/gu

/** For people on a terminal, JSON lines for everything else. */
export function logOptions (level: string): FastifyServerOptions {
  const logger = process.stdout.isTTY
    ? { level, stream: pretty(style), hooks: { streamWrite: harmless } }
    : { level }
  return { logger, ...noRequestLines() }
}

/** pino-pretty prints what clients sent, in messages and URLs, as it is: it could command the terminal. */
function harmless (line: string): string {
  return line.replace(hostile, (found) => {
    if (found === '\\\\') return found
    return found.startsWith('\\') ? `\\${found}` : `\\\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/**
 * Turns Fastify's own lines about requests off. Newer versions of Fastify 5 warn of the option that the older ones have instead
 * of the class (seen on 5.0.0 and 5.12.8).
 */
function noRequestLines (): FastifyServerOptions {
  const disableRequestLogging = true
  return 'LogController' in fastify
    ? { logController: new fastify.LogController({ disableRequestLogging }) }
    : { disableRequestLogging }
}

/**
 * Logs refused and failed requests. Successful ones would hide the messages: a page is five requests, and an upgrade never
 * completes. The plugin logs the life of each connection.
 */
export function logRefusedRequests (app: FastifyInstance): void {
  const errors = new WeakMap<FastifyRequest, Error>()
  app.addHook('onError', async (request, _reply, error) => { errors.set(request, error) })
  app.addHook('onResponse', async (request, { statusCode }) => {
    const { method, url, log } = request
    const err = errors.get(request)
    if (statusCode >= 500) log.error({ method, url, statusCode, err }, 'request failed')
    else if (statusCode >= 400) log.info({ method, url, statusCode, reason: err?.message }, 'request refused')
  })
}

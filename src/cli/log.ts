import * as fastify from 'fastify'
import type { FastifyInstance, FastifyRequest, FastifyServerOptions } from 'fastify'

// Not a transport: its worker keeps the process alive for ten seconds after the terminal is closed.
const style = { translateTime: 'HH:MM:ss', ignore: 'pid,hostname', singleLine: true, sync: true }

// In a line of JSON: the escapes of control characters, except the line breaks of a stack; then the control and bidi
// characters that JSON does not escape.
const controls = /\\(?:\\|[bfr]|n(?! {4}at )|u00[01].)|[\x7f-\x9f\p{Bidi_Control}]/gu

/** Resolves with options for readable lines on a terminal, and for JSON lines elsewhere. */
export async function logOptions (level: string): Promise<FastifyServerOptions> {
  const logger = process.stdout.isTTY
    ? { level, stream: (await import('pino-pretty')).build(style), hooks: { streamWrite: escapeControls } }
    : { level }
  return { logger, ...noRequestLines() }
}

/** Escapes control characters: pino-pretty prints messages and URLs of clients unchanged, which could control the terminal. */
function escapeControls (line: string): string {
  return line.replace(controls, (found) => {
    if (found === '\\\\') return found
    return found.startsWith('\\') ? `\\${found}` : `\\\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/**
 * Turns off Fastify's own log lines about requests. Older versions of Fastify 5 have only the option; newer ones have the
 * class, and warn about the option (seen on 5.0.0 and 5.12.8).
 */
function noRequestLines (): FastifyServerOptions {
  const disableRequestLogging = true
  return 'LogController' in fastify
    ? { logController: new fastify.LogController({ disableRequestLogging }) }
    : { disableRequestLogging }
}

/**
 * Logs refused and failed requests. Successful ones would hide the messages: a page load is five requests, and an upgrade
 * never completes. The plugin logs the start and the end of each connection.
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

import { LogController } from 'fastify'
import type { FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
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
  return { logger, logController: new RefusedRequests() }
}

/** pino-pretty prints what clients sent, in messages and URLs, as it is: it could command the terminal. */
function harmless (line: string): string {
  return line.replace(hostile, (found) => {
    if (found === '\\\\') return found
    return found.startsWith('\\') ? `\\${found}` : `\\\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/**
 * A page is five requests and an upgrade never completes: only what was refused is worth a line among the messages.
 * The life of a connection is logged by the plugin.
 */
class RefusedRequests extends LogController {
  override incomingRequest (): void {}

  override routeNotFound (): void {}

  override defaultErrorLog (error: Error, request: FastifyRequest, reply: FastifyReply): void {
    if (reply.statusCode >= 500) super.defaultErrorLog(error, request, reply)
    else request.log.info(error.message)
  }

  override requestCompleted (error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    const { method, url } = request
    const { statusCode } = reply
    if (error || statusCode >= 500) request.log.error({ method, url, statusCode, err: error }, 'request failed')
    else if (statusCode >= 400) request.log.info({ method, url, statusCode }, 'request refused')
  }
}

import type { FastifyBaseLogger } from 'fastify'
import type { Message } from './message.ts'

/** Logs a message of a client at level debug. */
export function logReceived (logger: FastifyBaseLogger, message: Message, room?: string): void {
  const log = logger as { readonly level?: string, isLevelEnabled? (level: string): boolean }
  // Fastify's logger for an app without a logger has no level.
  if (log.level === undefined || log.isLevelEnabled?.('debug') === false) return
  const content = message.isBinary ? { bytes: message.length } : { text: message.text }
  logger.debug(room === undefined ? content : { room, ...content }, 'received')
}

import type { FastifyBaseLogger } from 'fastify'
import type { Address } from './address.ts'
import { disconnectLabel, type CloseReason } from './close-reason.ts'
import { diagnostics } from '../observability/diagnostics.ts'
import { legible } from '../observability/printable.ts'
import type { RefusalLog } from '../observability/refusal-log.ts'
import type { Receiver } from './receiver.ts'
import type { Writer } from './writer.ts'

/** The connection that a report is about. */
export interface Reported {
  readonly log: FastifyBaseLogger
  readonly address: Address
  readonly receiver: Receiver
  readonly writer: Writer
}

/** Where the connections of one route are reported. */
export interface Reporting {
  /** the chat's prefix, which identifies it */
  readonly chat: string
  /** of the route */
  readonly path: string
  readonly refusals: RefusalLog
}

/** The code and the reason of the close event of `ws`. */
export interface Closed { readonly code: number, readonly reason: string }

/** Returns the client of a connection, for the log. */
export function clientOf ({ address, receiver }: Reported): { readonly address?: string | undefined, readonly member?: string | undefined } {
  return { address: address.name || undefined, member: receiver.handler?.memberId }
}

/**
 * Logs and publishes the end of a connection, and counts it if the server ended it.
 * @param cause undefined if the server didn't end it
 * @param duration ms from the upgrade
 */
export function reportEnd (
  connection: Reported, cause: CloseReason | undefined, closed: Closed, duration: number, { chat, path, refusals }: Reporting
): void {
  const { log, receiver, writer } = connection
  const { code, reason, err, option }: CloseReason = cause ?? { ...closed, reason: legible(closed.reason) }
  const disconnect = cause && disconnectLabel(cause)
  const line = {
    code,
    reason,
    ...err !== undefined && { err },
    option,
    path,
    ...clientOf(connection),
    duration,
    received: { messages: receiver.messagesReceived, bytes: receiver.bytesReceived },
    sent: { messages: writer.messagesSent, bytes: writer.bytesSent }
  }
  if (disconnect === undefined) log.info(line, 'websocket closed')
  else refusals.disconnected(disconnect, line, log)
  if (diagnostics.closed.hasSubscribers) diagnostics.closed.publish({ chat, connection, code, reason, disconnect, duration })
}

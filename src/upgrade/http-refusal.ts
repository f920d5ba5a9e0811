import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import { meaningOf } from '../error-meaning.ts'

/** Seconds after which a client may retry a request that was refused with a retryable error. */
const RETRY_AFTER = 5

/** ms within which a client must close its side of a connection after the HTTP response to its upgrade. */
const CLOSE_TIMEOUT = 1_000

/** The HTTP response to a refused upgrade, in the format of Fastify's error responses. */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: { readonly statusCode: number, readonly code: string, readonly error: string, readonly message: string }
}

export function refusalOf (error: FastifyError): Refusal {
  const { statusCode = 500, code, message } = error
  return {
    status: statusCode,
    headers: {
      ...meaningOf(error)?.retryable && { 'Retry-After': String(RETRY_AFTER) },
      // RFC 6455, section 4.4.
      ...statusCode === 400 && { 'Sec-WebSocket-Version': '13' }
    },
    body: { statusCode, code, error: STATUS_CODES[statusCode]!, message }
  }
}

/** Writes the HTTP response to a socket that has no `ServerResponse`, and ends the socket. */
export function writeRefusal (socket: Duplex, error: FastifyError): void {
  const { status, headers, body } = refusalOf(error)
  const json = JSON.stringify(body)
  const all = { ...headers, Connection: 'close', 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(json) }
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.write(`HTTP/1.1 ${status} ${body.error}\r\n${head}\r\n${json}`)
  endSocket(socket)
}

/** Ends a socket. Reads and drops received data: unread data would reset the connection before the response arrives. */
export function endSocket (socket: Duplex): void {
  const deadline = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT)
  socket.once('close', () => clearTimeout(deadline))
  socket.resume()
  socket.end()
}

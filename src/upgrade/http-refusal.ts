import { STATUS_CODES } from 'node:http'
import type { FastifyError } from '@fastify/error'

/** s after which who is refused for now may ask again. */
const RETRY_AFTER = 5

/** How an upgrade that is not let in is answered by HTTP: in words of Fastify's own, and told when to come back. */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: { readonly statusCode: number, readonly code: string, readonly error: string, readonly message: string }
}

export function refusalOf ({ statusCode = 500, code, message }: FastifyError): Refusal {
  return {
    status: statusCode,
    headers: {
      ...[429, 503].includes(statusCode) && { 'Retry-After': String(RETRY_AFTER) },
      // RFC 6455, section 4.4.
      ...statusCode === 400 && { 'Sec-WebSocket-Version': '13' }
    },
    body: { statusCode, code, error: STATUS_CODES[statusCode]!, message }
  }
}

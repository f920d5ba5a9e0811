import { STATUS_CODES } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { addAbortSignal } from 'node:stream'

const bodyTimeout = 2_000 // ms
const bodyLimit = 16_384 // characters
const messageLimit = 200 // characters

/** Resolves with the reason of a refused upgrade: the status of the response and the message in its body. */
export async function responseError (response: IncomingMessage): Promise<string> {
  const { statusCode = 0, statusMessage, headers } = response
  const status = `${statusCode} ${statusMessage || STATUS_CODES[statusCode] || ''}`.trimEnd()
  if (headers.location !== undefined) return `${status}: moved to ${shorten(headers.location)}`
  const message = messageOf(await read(response))
  return message === undefined ? status : `${status}: ${shorten(message)}`
}

async function read (response: IncomingMessage): Promise<string> {
  let body = ''
  try {
    for await (const chunk of addAbortSignal(AbortSignal.timeout(bodyTimeout), response).setEncoding('utf8')) {
      body += chunk
      if (body.length > bodyLimit) break
    }
  } catch {
    // The status is known. A body that is incomplete or endless only loses the explanation.
  }
  return body
}

/** Returns the message of an error body as Fastify sends it. */
function messageOf (body: string): string | undefined {
  try {
    const parsed: { message?: unknown } | null = JSON.parse(body)
    return typeof parsed?.message === 'string' ? parsed.message : undefined
  } catch {
    return undefined
  }
}

function shorten (text: string): string {
  return text.length > messageLimit ? `${text.slice(0, messageLimit)}…` : text
}

import { UNEXPECTED } from './handshake-refusal.ts'

/** Maximum characters of an HTTP answer that are read. */
const MAX_BODY = 16_384

/** Maximum characters of its message in a reason. */
const MAX_MESSAGE = 200

/** The part of an HTTP response of Node that is used. Browsers compile this file too. */
interface Response { readonly statusCode?: number, setEncoding (encoding: 'utf8'): AsyncIterable<string> }

/** The part of a WebSocket of `ws` that is used. */
export interface NodeSocket {
  on (event: 'unexpected-response', listener: (request: unknown, response: Response) => void): unknown
  emit (event: 'error', error: Error): unknown
  terminate (): void
}

/** Adds the message of the server's HTTP answer to the error of a refused handshake. */
export function explainRefusal (socket: NodeSocket): void {
  socket.on('unexpected-response', async (_request, response) => {
    socket.emit('error', new Error(`${UNEXPECTED}${response.statusCode}${await messageOf(response)}`))
    socket.terminate()
  })
}

/** Resolves with the message of a JSON body, as Fastify sends it, after a colon. */
async function messageOf (response: Response): Promise<string> {
  let body = ''
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      body += chunk
      if (body.length > MAX_BODY) break
    }
    const { message } = JSON.parse(body) as { message?: unknown }
    return typeof message === 'string' ? `: ${message.slice(0, MAX_MESSAGE)}` : ''
  } catch {
    // The status is known.
    return ''
  }
}

import type { IncomingMessage } from 'node:http'
import { WebSocket, type ClientOptions } from 'ws'
import { responseError } from './response-error.ts'

/** The server to connect to. */
export interface Target {
  readonly url: URL
  readonly options: Pick<ClientOptions, 'headers' | 'rejectUnauthorized'>
}

/** Statuses of a server that has something else at this path, or nothing: the page of a chat answers with 200. */
const noRoute: readonly number[] = [200, 404, 405]

// Milliseconds.
const timeouts = { handshakeTimeout: 10_000, closeTimeout: 5_000 }

/** Opens a socket. @param onFailure called with the reason of an error, before the socket closes */
export function openSocket ({ url, options }: Target, protocols: string[], onFailure: (reason: string) => void): WebSocket {
  const socket = new WebSocket(url, protocols, { ...options, ...timeouts })
  let refused = false
  socket.on('unexpected-response', async (_request, response: IncomingMessage) => {
    refused = true
    const reason = await responseError(response)
    onFailure(noRoute.includes(response.statusCode ?? 0) ? `${reason}: ${noRouteAt(url)}` : reason)
    socket.terminate()
  })
  socket.on('error', (error) => {
    // The error of terminate() adds nothing to the reason of the refusal.
    if (!refused) onFailure(reasonOf(error))
  })
  return socket
}

/** Returns the explanation for a server that doesn't accept WebSockets at the path. */
export function noRouteAt ({ pathname }: URL): string {
  return `no WebSocket route at '${pathname}'; fastify-chat serves the chat at '/chat' unless the app sets another path`
}

/** Returns the reason of an error. An AggregateError (a host with several addresses, such as localhost) has no message. */
function reasonOf (error: Error): string {
  return error instanceof AggregateError ? error.errors.map(({ message }) => message).join(', ') : error.message
}

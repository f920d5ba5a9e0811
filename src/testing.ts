import type {} from '@fastify/websocket'
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import { assertProperties } from './argument-checks.ts'
import { InvalidArgument } from './errors.ts'
import { onNextUpgrade } from './upgrade/internals/index.ts'

/** Options of `connect`. */
export interface ConnectOptions {
  /** the subprotocol to request */
  readonly protocol?: string | undefined
  /** headers of the upgrade request, for example cookies */
  readonly headers?: Record<string, string> | undefined
  /** the client's address, as in `request.ip`; default '127.0.0.1' */
  readonly remoteAddress?: string | undefined
}

/** The close code and reason of a connection. */
export interface Closed { readonly code: number, readonly reason: string }

/** An injected connection, without a port. Messages that arrive early are buffered until `next` is called. */
export interface TestConnection {
  readonly socket: WebSocket
  /** Resolves with the next message in order: text as a string, binary as a Buffer. Rejects when the connection has ended. */
  next (): Promise<string | Buffer>
  /** Sends text or bytes. @throws InvalidArgument */
  send (message: string | Uint8Array): void
  /** Closes the connection. Resolves once it is closed, by either side. */
  close (code?: number, reason?: string): Promise<Closed>
  /** Resolves when either side has ended the connection. */
  readonly closed: Promise<Closed>
}

/**
 * Connects to a WebSocket route of an app without listening on a port.
 * @param app made ready first if it isn't
 * @param path with its query, for example '/chat?room=lobby'
 * @throws InvalidArgument, or an error with the status in its message if the upgrade is refused
 */
export async function connect (app: FastifyInstance, path: string, options: ConnectOptions = {}): Promise<TestConnection> {
  assertArguments(path, options)
  const { protocol, headers, remoteAddress = '127.0.0.1' } = options
  // On a child scope, `ready` without a callback rejects once the app has started.
  await new Promise<void>((resolve, reject) => { app.ready((error) => error ? reject(error) : resolve()) })

  const received: Array<string | Buffer> = []
  const waiting: Array<{ resolve: (message: string | Buffer) => void, reject: (error: Error) => void }> = []
  let ended: Error | undefined
  let resolveClosed: (closed: Closed) => void
  const closed = new Promise<Closed>((resolve) => { resolveClosed = resolve })

  const context = {
    headers: { host: 'localhost', ...protocol && { 'sec-websocket-protocol': protocol }, ...headers },
    socket: Object.assign(new EventEmitter(), { remoteAddress })
  }
  let stream: Duplex | undefined
  const stop = onNextUpgrade(app.server, (serverSide) => { stream = serverSide })
  const socket = await app.injectWS(path, context as unknown as Parameters<typeof app.injectWS>[1], { onInit })
    .finally(stop) as unknown as WebSocket

  return {
    socket,
    closed,
    next () {
      const message = received.shift()
      if (message !== undefined) return Promise.resolve(message)
      if (ended !== undefined) return Promise.reject(ended)
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
    send (message) {
      if (typeof message !== 'string' && !(message instanceof Uint8Array)) {
        throw new InvalidArgument('message', 'must be a string or a Uint8Array')
      }
      socket.send(message)
    },
    close (code, reason) {
      socket.close(code, reason)
      return closed
    }
  }

  /** Adds listeners before the handshake is answered, so that no message sent with the 101 is missed. */
  function onInit (socket: WebSocket): void {
    socket.on('message', (data: Buffer, isBinary) => {
      const message = isBinary ? data : data.toString()
      const next = waiting.shift()
      if (next === undefined) received.push(message)
      else next.resolve(message)
    })
    socket.on('close', (code, reason) => {
      ended = new Error(`the connection ended with code ${code} ${reason.toString()}`.trim())
      for (const { reject } of waiting.splice(0)) reject(ended)
      resolveClosed({ code, reason: reason.toString() })
      // Nothing else ends the server's side of an injected connection, and its close timer would keep the process alive.
      setImmediate(() => stream?.destroy())
    })
  }
}

/** Checks the arguments: a wrong one would otherwise be ignored without an error. @throws InvalidArgument */
function assertArguments (path: unknown, options: ConnectOptions): void {
  if (typeof path !== 'string' || !path.startsWith('/')) throw new InvalidArgument('path', "must be a string that starts with '/'")
  assertProperties('options', options, ['protocol', 'headers', 'remoteAddress'])
  const { protocol, headers, remoteAddress } = options
  for (const [name, value] of Object.entries({ protocol, remoteAddress })) {
    if (value !== undefined && (typeof value !== 'string' || value === '')) {
      throw new InvalidArgument(`options.${name}`, 'must be a non-empty string')
    }
  }
  if (headers === undefined) return
  if (typeof headers !== 'object' || headers === null || Object.values(headers).some((value) => typeof value !== 'string')) {
    throw new InvalidArgument('options.headers', 'must be an object of strings')
  }
}

import type {} from '@fastify/websocket'
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { assertProperties } from './argument-checks.ts'
import { InvalidArgument, UpgradeRefused } from './errors.ts'
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

/** The part of an app that `connect` uses. Apps with any server, logger and type provider have it. */
export interface TestableApp {
  readonly server: EventEmitter
  readonly injectWS: (path?: string, context?: never, options?: { onInit?: (socket: WebSocket) => void }) => Promise<WebSocket>
  ready (listener: (error: Error | null) => void): unknown
}

/** The error of `connect` for a refused upgrade. */
export interface RefusedUpgrade extends Error {
  readonly code: 'FST_CHAT_UPGRADE_REFUSED'
  /** HTTP status of the response */
  readonly statusCode: number
  /** The response. code, message: of its JSON body; without one, message is the body or the status text. */
  readonly response: { readonly status: number, readonly code: string | undefined, readonly message: string }
}

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
 * @throws InvalidArgument, RefusedUpgrade
 */
export async function connect (app: TestableApp, path: string, options: ConnectOptions = {}): Promise<TestConnection> {
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
  let written: (() => Buffer) | undefined
  const stop = onNextUpgrade(app.server, (serverSide) => {
    stream = serverSide
    written = recordWrites(serverSide)
  })
  const socket = await app.injectWS(path, context as never, { onInit })
    .finally(stop)
    .then((socket) => { written?.(); return socket }, (error: unknown) => { throw refusalOf(written?.(), error) })

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

/** Records what is written to a stream. Returns a function that stops, and returns the bytes. */
function recordWrites (stream: Duplex): () => Buffer {
  const { write } = stream
  const chunks: Buffer[] = []
  stream.write = (...args: unknown[]) => {
    chunks.push(Buffer.from(args[0] as string))
    return Reflect.apply(write, stream, args) as boolean
  }
  return () => {
    stream.write = write
    return Buffer.concat(chunks)
  }
}

/** Returns the error for the HTTP response to a refused upgrade. @param cause the error of `injectWS`, which has only the status */
function refusalOf (response: Buffer = Buffer.alloc(0), cause: unknown): unknown {
  const start = response.indexOf('\r\n\r\n') + 4
  const head = response.subarray(0, start).toString()
  const [, status, phrase = ''] = /^HTTP\/1\.1 (\d{3}) (.*)\r\n/.exec(head) ?? []
  if (status === undefined) return cause
  // The stream of `injectWS` writes a byte of its own at its end.
  const [, length = 0] = /\r\ncontent-length: *(\d+)\r\n/i.exec(head) ?? []
  const body = response.subarray(start, start + Number(length)).toString()
  const { code, message } = propertiesOf(body)
  const reason = typeof message === 'string' ? message : body || phrase
  return Object.assign(new UpgradeRefused(status, reason, { cause }), {
    statusCode: Number(status),
    response: { status: Number(status), code: typeof code === 'string' ? code : undefined, message: reason }
  }) satisfies RefusedUpgrade
}

/** Returns the properties of a JSON object; none for any other text. */
function propertiesOf (body: string): { readonly code?: unknown, readonly message?: unknown } {
  try {
    return Object(JSON.parse(body)) as object
  } catch {
    return {}
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

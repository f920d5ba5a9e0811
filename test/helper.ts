import { once } from 'node:events'
import { connect as connectSocket, type AddressInfo, type Socket } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import { WebSocket, type ClientOptions } from 'ws'
import fastifyChat, { type FastifyChatOptions } from '../src/index.ts'

/** A log line, parsed. */
export type Line = Record<string, unknown> & { level: number, msg: string }

/** A Fastify app that closes itself with the test; `lines` has all it logs. */
export function bare (t: Test, options: Omit<FastifyServerOptions, 'logger'> = {}): FastifyInstance & { lines: Line[] } {
  const lines: Line[] = []
  const logger = { level: 'debug', stream: { write: (line: string) => { lines.push(JSON.parse(line) as Line) } } }
  const app: FastifyInstance = Fastify({ ...options, logger })
  t.teardown(() => app.close())
  return Object.assign(app, { lines })
}

/** The same with the plugin registered at its root. */
export async function build (t: Test, options: FastifyChatOptions = {}): Promise<FastifyInstance & { lines: Line[] }> {
  const app = bare(t)
  await app.register(fastifyChat, options)
  return app
}

/** Listens on a free port of the loopback; gives the port. */
export async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

/** A WebSocket client that keeps what it received until it is asked for. */
export interface Client {
  readonly socket: WebSocket
  next (): Promise<string | Buffer>
  readonly closed: Promise<{ code: number, reason: string }>
}

/** Connects over TCP; ended with the test. Rejects when the upgrade is refused. */
export async function open (t: Test, url: string, options: ClientOptions = {}): Promise<Client> {
  const socket = new WebSocket(url, options)
  t.teardown(() => socket.terminate())
  const received: Array<string | Buffer> = []
  const waiting: Array<(message: string | Buffer) => void> = []
  socket.on('message', (data: Buffer, isBinary) => {
    const message = isBinary ? data : data.toString()
    const next = waiting.shift()
    if (next === undefined) received.push(message)
    else next(message)
  })
  const closed = new Promise<{ code: number, reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
  })
  await once(socket, 'open')
  return {
    socket,
    closed,
    next: async () => received.shift() ?? new Promise((resolve) => waiting.push(resolve))
  }
}

/** The bytes of an upgrade request. */
export function upgradeRequest (path: string, headers: Record<string, string> = {}): string {
  const all = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers
  }
  return `GET ${path} HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

/** A TCP connection that keeps all it was sent; `until` waits for the bytes to satisfy, `ended` for the other side's FIN. */
export interface RawClient {
  readonly socket: Socket
  received: Buffer
  until (satisfied: (received: Buffer) => boolean): Promise<Buffer>
  readonly ended: Promise<void>
}

export async function raw (t: Test, port: number): Promise<RawClient> {
  const socket = connectSocket({ port, host: '127.0.0.1' })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const client = {
    socket,
    received: Buffer.alloc(0),
    ended: new Promise<void>((resolve) => {
      socket.once('end', resolve)
      socket.once('close', () => resolve())
    }),
    async until (satisfied: (received: Buffer) => boolean) {
      while (!satisfied(client.received)) await once(socket, 'data')
      return client.received
    }
  }
  socket.prependListener('data', (chunk: Buffer) => { client.received = Buffer.concat([client.received, chunk]) })
  socket.on('error', () => {})
  return client
}

/** A client frame, masked with zeroes so that its payload can be read in a dump. RFC 6455, section 5.2. */
export function clientFrame (opcode: number, payload: Uint8Array | string = '', { fin = true, masked = true, rsv = 0 } = {}): Buffer {
  const body = Buffer.from(payload as string)
  const header = body.length < 126
    ? Buffer.from([0, body.length])
    : body.length < 65_536
      ? Buffer.from([0, 126, body.length >> 8, body.length & 255])
      : Buffer.concat([Buffer.from([0, 127, 0, 0, 0, 0]), Buffer.from(new Uint32Array([body.length]).buffer).swap32()])
  header[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  if (masked) header[1]! |= 0x80
  return Buffer.concat([header, masked ? Buffer.alloc(4) : Buffer.alloc(0), body])
}

import { EventEmitter, once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { connect as connectSocket, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import { WebSocket, type ClientOptions } from 'ws'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { onNextUpgrade } from '../../src/upgrade/internals/index.ts'

/** A log line, parsed. */
export type Line = Record<string, unknown> & { level: number, msg: string }

const written = new EventEmitter().setMaxListeners(0)

/** Creates a Fastify app that closes with the test. `lines` holds all its log lines. */
export function bare (t: Test, options: Omit<FastifyServerOptions, 'logger'> = {}): FastifyInstance & { lines: Line[] } {
  const lines: Line[] = []
  const logger = { level: 'debug', stream: { write: (line: string) => { lines.push(JSON.parse(line) as Line); written.emit('line') } } }
  const app: FastifyInstance = Fastify({ ...options, logger })
  t.teardown(() => app.close())
  return Object.assign(app, { lines })
}

/** Does the same with the plugin registered at the root. */
export async function build (t: Test, options: FastifyChatOptions = {}): Promise<FastifyInstance & { lines: Line[] }> {
  const app = bare(t)
  await app.register(fastifyChat, options)
  return app
}

/** Resolves with the first line logged with this message, present or future. */
export async function logged ({ lines }: { lines: Line[] }, message: string): Promise<Line> {
  for (;;) {
    const line = lines.find(({ msg }) => msg === message)
    if (line !== undefined) return line
    await once(written, 'line')
  }
}

/** Listens on a free loopback port. Resolves with the port. */
export async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

/** A WebSocket client that queues the messages it receives. */
export interface Client {
  readonly socket: WebSocket
  next (): Promise<string | Buffer>
  readonly closed: Promise<{ code: number, reason: string }>
}

/** Connects over TCP; terminated with the test. Rejects when the upgrade is refused. */
export async function open (t: Test, url: string, { protocol, ...options }: ClientOptions & { protocol?: string } = {}): Promise<Client> {
  const socket = new WebSocket(url, protocol, options)
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

/** Requests an upgrade over TCP that must be refused. Resolves with the answer. */
export async function refused (url: string, options: ClientOptions = {}): Promise<{ status: number, headers: IncomingHttpHeaders, body: string }> {
  const socket = new WebSocket(url, options)
  const answers = [once(socket, 'unexpected-response'), once(socket, 'open')]
  const [, response] = await Promise.race(answers) as [unknown, IncomingMessage?]
  if (response === undefined) {
    socket.terminate()
    throw new Error(`${url} was upgraded`)
  }
  return { status: response.statusCode!, headers: response.headers, body: await text(response) }
}

/** Returns the bytes of an upgrade request. */
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

/** A TCP connection that keeps all received bytes. `until` waits until they satisfy, `ended` for the other side's FIN. */
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
      while (!satisfied(client.received)) {
        const over = await Promise.race([once(socket, 'data').then(() => false), client.ended.then(() => true)])
        if (over && !satisfied(client.received)) throw new Error(`ended after ${client.received.length} bytes`)
      }
      return client.received
    }
  }
  socket.prependListener('data', (chunk: Buffer) => { client.received = Buffer.concat([client.received, chunk]) })
  socket.on('error', () => {})
  socket.resume()
  return client
}

/** Opens a raw client and resolves once it is upgraded. `early` bytes leave in one packet with the request. */
export async function upgraded (
  t: Test, port: number, path: string, early: Uint8Array = Buffer.alloc(0), headers: Record<string, string> = {}
): Promise<RawClient> {
  const client = await raw(t, port)
  client.socket.write(Buffer.concat([Buffer.from(upgradeRequest(path, headers)), early]))
  const received = await client.until((received) => received.includes('\r\n\r\n'))
  if (!received.subarray(9, 12).equals(Buffer.from('101'))) throw new Error(`${path} was not upgraded: ${received.toString()}`)
  return client
}

export interface Frame { readonly opcode: number, readonly payload: Buffer }

/** Returns the server's complete frames after the head of its answer. RFC 6455, section 5.2. */
export function serverFrames (received: Buffer): Frame[] {
  const frames: Frame[] = []
  let at = received.indexOf('\r\n\r\n') + 4
  while (at + 2 <= received.length) {
    const short = received[at + 1]!
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10)
    if (start > received.length) break
    const length = short < 126 ? short : short === 126 ? received.readUInt16BE(at + 2) : Number(received.readBigUInt64BE(at + 2))
    if (start + length > received.length) break
    frames.push({ opcode: received[at]! & 0xf, payload: received.subarray(start, start + length) })
    at = start + length
  }
  return frames
}

/** Returns a frame that is a whole message, or a control frame. */
export interface WholeFrame extends Frame { readonly deflated: boolean }

/**
 * Returns everything that the server sent, as frames, without anything before the end of an HTTP head.
 * @throws unless all are complete, final, unmasked frames with the shortest header. RFC 6455, section 5.2
 */
export function wholeFrames (sent: Uint8Array): WholeFrame[] {
  let rest = Buffer.from(sent.buffer, sent.byteOffset, sent.byteLength)
  if (rest.subarray(0, 5).toString() === 'HTTP/') rest = rest.subarray(rest.indexOf('\r\n\r\n') + 4)
  const frames: WholeFrame[] = []
  while (rest.length > 0) {
    const [first = 0, second = 0xff] = rest
    const [opcode, rsv] = [first & 0xf, (first >> 4) & 7]
    const length = second < 126 ? second : second === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
    const start = second < 126 ? 2 : second === 126 ? 4 : 10
    const control = opcode >= 8
    const isFrame = first >= 0x80 && second < 128 && [1, 2, 8, 9, 10].includes(opcode) && (rsv === 0 || (rsv === 4 && !control)) &&
      start === (length < 126 ? 2 : length < 65_536 ? 4 : 10) && (!control || length < 126) && rest.length >= start + length
    if (!isFrame) throw new Error(`no frame after ${frames.length}: ${rest.subarray(0, 20).toString('hex')}`)
    frames.push({ opcode, deflated: rsv === 4, payload: rest.subarray(start, start + length) })
    rest = rest.subarray(start + length)
  }
  return frames
}

/** The server's side of a connection. */
export interface Wire {
  readonly socket: Socket
  /** The buffers of each write to the system, the answer to the upgrade first. */
  readonly writes: Buffer[][]
}

/** Connects one client. Resolves with the server's side of it too. */
export async function wired<T> (app: FastifyInstance, connect: () => Promise<T>): Promise<{ client: T, wire: Wire }> {
  const writes: Buffer[][] = []
  const bytes = (chunk: Buffer | string, encoding?: BufferEncoding) => Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk, encoding)
  const upgrade = new Promise<Socket>((resolve) => {
    onNextUpgrade(app.server, (duplex) => {
      const socket = duplex as Socket
      const { _write: write, _writev: writev } = socket
      socket._write = (chunk: Buffer | string, encoding, callback) => {
        writes.push([bytes(chunk, encoding)])
        write.call(socket, chunk, encoding, callback)
      }
      socket._writev = (chunks: Array<{ chunk: Buffer | string, encoding: BufferEncoding }>, callback) => {
        writes.push(chunks.map(({ chunk, encoding }) => bytes(chunk, encoding)))
        writev!.call(socket, chunks, callback)
      }
      resolve(socket)
    })
  })
  const client = await connect()
  return { client, wire: { socket: await upgrade, writes } }
}

/** Returns a client frame, masked with zeroes so that a dump shows its payload. RFC 6455, section 5.2. */
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

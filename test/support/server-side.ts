import type { Socket } from 'node:net'
import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { onNextUpgrade } from '../../src/upgrade/internals/index.ts'

/** Returns a function that resolves when the server's side of every later connection is closed, and asserts that none is left. */
export function connectionsGoneOf (t: Test, { server }: FastifyInstance): () => Promise<void> {
  const gone: Array<Promise<unknown>> = []
  server.on('connection', (socket) => gone.push(new Promise((resolve) => socket.once('close', resolve))))
  return async () => {
    await Promise.all(gone)
    t.equal(await promisify(server.getConnections.bind(server))(), 0, 'no connection is left')
  }
}

/** The server's side of a connection. */
export interface Wire {
  readonly socket: Socket
  /** The buffers of each write to the system, the answer to the upgrade first. */
  readonly writes: Buffer[][]
}

/** Connects one client. Resolves with the client and the server's side of the connection. */
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

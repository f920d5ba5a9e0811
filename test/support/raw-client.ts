import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'

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

/** A TCP connection. */
export interface RawClient {
  readonly socket: Socket
  /** All bytes received so far. */
  received: Buffer
  /** Resolves with the received bytes once they satisfy the predicate. Rejects when the connection has ended before. */
  until (satisfied: (received: Buffer) => boolean): Promise<Buffer>
  /** Resolves when the other side has ended the connection, or it is closed. */
  readonly ended: Promise<void>
}

/** Opens a TCP connection; destroyed with the test. */
export async function raw (t: Test, port: number): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1' })
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

/** Opens a raw client and resolves once it is upgraded. `early` bytes are sent in one packet with the request. */
export async function upgraded (
  t: Test, port: number, path: string, early: Uint8Array = Buffer.alloc(0), headers: Record<string, string> = {}
): Promise<RawClient> {
  const client = await raw(t, port)
  client.socket.write(Buffer.concat([Buffer.from(upgradeRequest(path, headers)), early]))
  const received = await client.until((received) => received.includes('\r\n\r\n'))
  if (!received.subarray(9, 12).equals(Buffer.from('101'))) throw new Error(`${path} was not upgraded: ${received.toString()}`)
  return client
}

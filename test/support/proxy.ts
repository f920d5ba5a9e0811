import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A proxy between clients and a server that simulates failures of a network. */
export interface Proxy {
  readonly port: number
  /** Port or Unix socket of the server for new connections. While undefined, they are closed at once. */
  target: number | string | undefined
  /** Ends all connections. Both sides detect it. */
  cut (): void
  /** Stops all traffic on the current connections, including FIN, so that neither side detects it. */
  freeze (): void
  /** Drops everything that the server sends on the current connections. */
  silence (): void
}

interface Pair { readonly client: Socket, readonly server: Socket, frozen: boolean, silent: boolean }

/** Starts a TCP proxy on the loopback, stopped with the test. */
export async function proxy (t: Test, target: number | string): Promise<Proxy> {
  const pairs = new Set<Pair>()
  const listener = createServer((client) => {
    client.on('error', () => {})
    if (self.target === undefined) {
      client.destroy()
      return
    }
    const pair: Pair = { client, server: typeof self.target === 'number' ? connect(self.target, '127.0.0.1') : connect(self.target), frozen: false, silent: false }
    pairs.add(pair)
    pair.server.on('error', () => {})
    client.on('data', (chunk) => { if (!pair.frozen) pair.server.write(chunk) })
    pair.server.on('data', (chunk) => { if (!pair.frozen && !pair.silent) client.write(chunk) })
    client.on('close', () => { if (!pair.frozen) pair.server.destroy() })
    pair.server.on('close', () => { if (!pair.frozen && !pair.silent) client.destroy() })
  })
  const each = (act: (pair: Pair) => void) => { for (const pair of pairs) act(pair) }
  const self: Proxy = {
    port: 0,
    target,
    cut: () => each((pair) => {
      if (pair.frozen) return
      pair.client.destroy()
      pair.server.destroy()
    }),
    freeze: () => each((pair) => { pair.frozen = true }),
    silence: () => each((pair) => { pair.silent = true })
  }
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.teardown(() => {
    listener.close()
    each(({ client, server }) => { client.destroy(); server.destroy() })
  })
  return Object.assign(self, { port: (listener.address() as AddressInfo).port })
}

import type { Test } from 'tap'
import type { Bounds } from '../../src/bounds.ts'
import type { FastifyChatOptions } from '../../src/index.ts'
import { connect } from '../../src/testing.ts'
import { build, listen, type App } from './app.ts'
import { protocol, V1Client } from './v1-client.ts'
import { open, type Client } from './websocket-client.ts'

export interface ChatApp {
  readonly app: App
  readonly port: number
  /** Opens a connection over TCP. */
  tcp (): Promise<V1Client>
  /** Opens an injected connection. */
  injected (): Promise<V1Client>
  /** Opens a connection over TCP, sends hello and joins these rooms. */
  member (hello?: object, ...rooms: string[]): Promise<V1Client>
  /** Opens a plain client. Resolves after its greeting, or its close. */
  plain (query?: string): Promise<Client>
}

/**
 * Starts a chat that listens. Its connections end with the test, and its clients have no rate limits.
 * @param prepare changes the app before it listens
 */
export async function chat (
  t: Test, options: FastifyChatOptions = {}, bounds: Partial<Bounds> = {}, prepare: (app: App) => void = () => {}
): Promise<ChatApp> {
  const app = await build(t, { ...options, limits: { messageRate: Infinity, byteRate: Infinity, ...options.limits } }, bounds)
  prepare(app)
  const port = await listen(app)
  const url = `ws://127.0.0.1:${port}/chat`
  const tcp = async () => new V1Client(await open(t, url, { protocol }))
  return {
    app,
    port,
    tcp,
    async injected () {
      const connection = await connect(app, '/chat', { protocol })
      t.teardown(() => connection.socket.terminate())
      return new V1Client(connection)
    },
    async member (hello = {}, ...rooms) {
      const client = await tcp()
      await client.hello(hello)
      for (const room of rooms) await client.join(room)
      return client
    },
    async plain (query = '') {
      const client = await open(t, url + query)
      await client.next().catch(() => {})
      return client
    }
  }
}

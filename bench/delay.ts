import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'

/** A proxy that delays each answer of a server on a Unix socket: a distance, which makes round trips visible. */
export class Delay {
  readonly #socket: string
  readonly #server: Server

  /** @param target Unix socket of the server @param roundTrip ms */
  constructor (target: string, roundTrip: number) {
    this.#socket = `${target}.delayed`
    this.#server = createServer((client) => {
      const server = connect(target)
      client.on('data', (chunk) => server.write(chunk))
      // Timers of the same duration fire in the order in which they were set.
      server.on('data', (chunk) => setTimeout(() => client.write(chunk), roundTrip))
      for (const [one, other] of [[client, server], [server, client]] as const) {
        one.on('error', () => one.destroy())
        one.on('close', () => other.destroy())
      }
    })
  }

  /** Resolves with the Unix socket of the proxy. */
  async listen (): Promise<string> {
    await once(this.#server.listen(this.#socket), 'listening')
    return this.#socket
  }

  close (): void { this.#server.close() }
}

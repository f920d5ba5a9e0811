import type { Connection } from './connection.ts'
import { CloseCode } from './protocol.ts'

export interface ConnectionsOptions {
  /** ms between pings; a connection from which nothing came between two of them is dead */
  readonly heartbeatInterval: number
}

/** All open connections of one chat: their heartbeat and their end. */
export class Connections {
  readonly #open = new Set<Connection>()
  readonly #heartbeat: NodeJS.Timeout
  #emptied: (() => void) | undefined

  constructor ({ heartbeatInterval }: ConnectionsOptions) {
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatInterval).unref()
  }

  get size (): number { return this.#open.size }

  [Symbol.iterator] (): Iterator<Connection> { return this.#open.values() }

  add (connection: Connection): void { this.#open.add(connection) }

  delete (connection: Connection): void {
    this.#open.delete(connection)
    if (this.#open.size === 0) this.#emptied?.()
  }

  /**
   * Says goodbye to every client; resolves when all have gone, at the latest after the timeout.
   * @param timeout ms after which whoever has not answered is cut off
   */
  async close (timeout: number): Promise<void> {
    clearInterval(this.#heartbeat)
    if (this.#open.size === 0) return
    const emptied = new Promise<void>((resolve) => { this.#emptied = resolve })
    const deadline = setTimeout(() => {
      for (const connection of this.#open) connection.terminate(CloseCode.goingAway, 'did not answer the close')
    }, timeout)
    for (const connection of this.#open) connection.close(CloseCode.goingAway, 'the server is stopping')
    await emptied
    clearTimeout(deadline)
  }

  #beat (): void {
    for (const connection of this.#open) {
      if (connection.heard()) connection.ping()
      else connection.terminate(CloseCode.goingAway, 'no answer to a ping')
    }
  }
}

import { setImmediate as turn } from 'node:timers/promises'
import type { Debtor } from './byte-budget.ts'
import type { Connection } from './connection.ts'
import { CloseCode } from '../protocol.ts'

export interface ConnectionsOptions {
  /** ms between pings; a connection from which nothing came between two of them is dead */
  readonly heartbeatInterval: number
  /** Called at the end of each. */
  left (connection: Connection): void
}

/** Closed in one turn of the event loop. */
const BATCH = 500

/** All open connections of one chat: their heartbeat and their end. */
export class Connections {
  readonly #open = new Set<Connection>()
  readonly #heartbeat: NodeJS.Timeout
  readonly #left: (connection: Connection) => void
  #emptied: (() => void) | undefined

  constructor ({ heartbeatInterval, left }: ConnectionsOptions) {
    this.#left = left
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatInterval).unref()
  }

  get size (): number { return this.#open.size }

  /** Bytes that wait for their clients. */
  get backlog (): number {
    let bytes = 0
    for (const { backlog } of this.#open) bytes += backlog
    return bytes
  }

  [Symbol.iterator] (): Iterator<Connection> { return this.#open.values() }

  /** Those of which bytes are held that came from them and are not handled yet. */
  * receiving (): Iterable<Debtor> {
    for (const connection of this.#open) if (connection.receiving > 0) yield connection.received
  }

  add (connection: Connection): void { this.#open.add(connection) }

  delete (connection: Connection): void {
    this.#open.delete(connection)
    this.#left(connection)
    if (this.#open.size === 0) this.#emptied?.()
  }

  /**
   * Says goodbye to every client; resolves when all have gone, at the latest after the timeout. They are asked to come back
   * one after another, a millisecond apart, the last at the latest after the timeout too.
   * @param timeout ms after which whoever has not answered is cut off
   */
  async close (timeout: number): Promise<void> {
    clearInterval(this.#heartbeat)
    if (this.#open.size === 0) return
    const emptied = new Promise<void>((resolve) => { this.#emptied = resolve })
    const deadline = setTimeout(() => {
      for (const connection of this.#open) connection.terminate(CloseCode.goingAway, 'did not answer the close')
    }, timeout)
    await this.#say(timeout)
    await emptied
    clearTimeout(deadline)
  }

  async #say (timeout: number): Promise<void> {
    const apart = Math.min(1, timeout / this.#open.size)
    let said = 0
    for (const connection of this.#open) {
      connection.drain(Math.round(said * apart))
      connection.close(CloseCode.goingAway, 'the server is stopping')
      if (++said % BATCH === 0) await turn()
    }
  }

  #beat (): void {
    for (const connection of this.#open) {
      if (connection.heard()) connection.ping()
      else connection.terminate(CloseCode.goingAway, 'no answer to a ping', { fault: 'dead' })
    }
  }
}

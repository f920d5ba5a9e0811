import { setImmediate as immediate } from 'node:timers/promises'
import type { ByteHolder } from './byte-budget.ts'
import type { Connection } from './connection.ts'
import { CloseCode } from '../protocol.ts'

export interface ConnectionsOptions {
  /** ms between pings; a connection that receives nothing between two pings is terminated */
  readonly heartbeatInterval: number
  /** Called when a connection has ended. */
  left (connection: Connection): void
}

/** Close reason of a server that stops. */
const STOPPING = 'the server is stopping'

/** Parts of an interval. In each, other connections are pinged: many pings at once would delay other work. */
const PARTS = 16

/** Connections that are pinged at once, unless there are more than can be distributed. */
const PINGS = 250

/** Connections closed per tick. */
const BATCH = 500

/** All open connections of one chat. Pings them, and closes them when the server stops. */
export class Connections {
  /** For each part of the interval, the connections that are pinged in it. */
  readonly #parts = Array.from({ length: PARTS }, () => new Set<Connection>())
  readonly #heartbeat: NodeJS.Timeout
  readonly #left: (connection: Connection) => void
  /** The last part of an interval in which connections were pinged. */
  #part = 0
  #emptied: (() => void) | undefined

  constructor ({ heartbeatInterval, left }: ConnectionsOptions) {
    this.#left = left
    this.#heartbeat = setInterval(() => this.#pingPart(), heartbeatInterval / PARTS).unref()
  }

  get size (): number { return this.#parts.reduce((size, part) => size + part.size, 0) }

  /** Pending bytes of all connections. */
  get pendingBytes (): number {
    let bytes = 0
    for (const { writer } of this.#open()) bytes += writer.pendingBytes
    return bytes
  }

  /** Yields the writers of all connections. */
  * writers (): Iterable<ByteHolder> {
    for (const { writer } of this.#open()) yield writer
  }

  /** Yields the receivers of all connections. */
  * receivers (): Iterable<ByteHolder> {
    for (const { receiver } of this.#open()) yield receiver
  }

  add (connection: Connection): void {
    this.#latestPart().add(connection)
  }

  delete (connection: Connection): void {
    this.#parts.some((part) => part.delete(connection))
    this.#left(connection)
    if (this.size === 0) this.#emptied?.()
  }

  /**
   * Closes every connection. Resolves when all have ended. Each client is sent its own delay before it reconnects. The delays
   * are one millisecond apart, or less if the last one would exceed the timeout.
   * @param timeout ms after which clients that haven't answered are terminated
   */
  async close (timeout: number): Promise<void> {
    clearInterval(this.#heartbeat)
    if (this.size === 0) return
    const emptied = new Promise<void>((resolve) => { this.#emptied = resolve })
    const deadline = setTimeout(() => {
      for (const connection of this.#open()) connection.terminate(CloseCode.goingAway, STOPPING)
    }, timeout)
    await this.#closeAll(timeout)
    await emptied
    clearTimeout(deadline)
  }

  async #closeAll (timeout: number): Promise<void> {
    const interval = Math.min(1, timeout / this.size)
    let closed = 0
    for (const connection of this.#open()) {
      connection.drain(Math.round(closed * interval))
      connection.close(CloseCode.goingAway, STOPPING)
      if (++closed % BATCH === 0) await immediate()
    }
  }

  * #open (): Iterable<Connection> {
    for (const part of this.#parts) yield * part
  }

  /** Returns the part that is pinged last, of those with fewer than `PINGS` connections. If there is none, the one with the fewest. */
  #latestPart (): Set<Connection> {
    for (let i = PARTS; i > 0; i--) {
      const part = this.#parts[(this.#part + i) % PARTS]!
      if (part.size < PINGS) return part
    }
    return this.#parts.reduce((smallest, part) => part.size < smallest.size ? part : smallest)
  }

  #pingPart (): void {
    this.#part = (this.#part + 1) % PARTS
    for (const connection of this.#parts[this.#part]!) {
      if (connection.isAlive()) connection.ping()
      else connection.terminate(CloseCode.goingAway, 'no data since the last ping', { fault: 'dead', option: 'heartbeatInterval' })
    }
  }
}

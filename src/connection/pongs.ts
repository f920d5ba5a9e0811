import type { WebSocket } from 'ws'
import { closeFlood, type FrameLimits, type Guarded } from './frame-guard.ts'

/**
 * Answers the pings of one client, and bounds the pongs that the client hasn't read. With its option `maxPendingAutoPongs`, `ws`
 * would terminate the connection without a reason.
 */
export class Pongs {
  readonly #connection: Pick<Guarded, 'close'>
  readonly #limits: FrameLimits
  #pending = 0

  constructor (connection: Pick<Guarded, 'close'>, limits: FrameLimits) {
    this.#connection = connection
    this.#limits = limits
  }

  /** Answers a ping. Closes the connection instead if a burst of pongs is pending. */
  send (socket: WebSocket, data: Buffer): void {
    if (this.#pending >= this.#limits.control.burst) return closeFlood(this.#connection)
    this.#pending++
    socket.pong(data, false, () => { this.#pending-- })
  }
}

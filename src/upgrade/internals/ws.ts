import type { EventEmitter } from 'node:events'
import type { WebSocket } from 'ws'

/**
 * Calls `failed` when the client's bytes break the protocol, before `ws` closes the connection. `ws` would send a close frame
 * without a reason. Reads the private `_receiver`, `ws` 8.0.0 to 8.23.0.
 */
export function beforeProtocolClose (socket: WebSocket, failed: (error: NodeJS.ErrnoException) => void): void {
  (socket as WebSocket & { readonly _receiver: EventEmitter })._receiver.prependListener('error', failed)
}

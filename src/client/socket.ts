/** The part of WebSocket that the client uses. Browsers, Node and `ws` implement it. */
export interface ClientSocket {
  /** 0 connecting, 1 open, 2 closing, 3 closed */
  readonly readyState: number
  /** The subprotocol that the server selected, once the socket is open; '' for none. */
  readonly protocol?: string | undefined
  send (data: string): void
  close (code?: number, reason?: string): void
  /** Ends the connection without a close handshake, where that is supported. */
  terminate? (): void
  addEventListener (type: 'open', listener: () => void): void
  addEventListener (type: 'error', listener: (event: { message?: unknown }) => void): void
  addEventListener (type: 'message', listener: (event: { data: unknown }) => void): void
  addEventListener (type: 'close', listener: (event: { code: number, reason: string }) => void): void
}

/**
 * Opens a socket that requests the subprotocol. If the server doesn't select it, the client sends nothing. The socket may
 * already be open. The `protocol` '' of an open socket counts as unknown, because an injected socket always has ''. If the
 * promise rejects, the attempt fails.
 */
export type Connect = (url: string, protocol: string) => ClientSocket | Promise<ClientSocket>

/** Uses the WebSocket of the platform. */
export const connectSocket: Connect = (url, protocol) => new WebSocket(url, protocol) as ClientSocket

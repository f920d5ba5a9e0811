// This file imports nothing, for the same reason as bounds.ts: esbuild inlines its constants.

/** States of a WebSocket. */
export const OPEN = 1
export const CLOSED = 3

/** Normal closure. Sent when this client is closed permanently. RFC 6455, section 7.4.1. */
export const NORMAL = 1000

/** Reported when the close frame had no code. RFC 6455, section 7.1.5. */
export const NO_CODE = 1005

/** Reported when no close code was received. RFC 6455, section 7.1.5. */
export const ABNORMAL = 1006

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

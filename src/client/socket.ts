/** What the client needs of a WebSocket: a browser's, Node's or the one of `ws`. */
export interface ClientSocket {
  /** 0 connecting, 1 open, 2 closing, 3 closed */
  readonly readyState: number
  send (data: string): void
  close (code?: number, reason?: string): void
  /** Ends it without a closing handshake, where it can. */
  terminate? (): void
  addEventListener (type: 'open', listener: () => void): void
  addEventListener (type: 'error', listener: (event: { message?: unknown }) => void): void
  addEventListener (type: 'message', listener: (event: { data: unknown }) => void): void
  addEventListener (type: 'close', listener: (event: { code: number, reason: string }) => void): void
}

/** Opens a socket that asks for the subprotocol; one that is open already will do too. A rejection is a failed attempt. */
export type Connect = (url: string, protocol: string) => ClientSocket | Promise<ClientSocket>

/** The platform's WebSocket; before Node 22 there is none, and `ws` stands in. */
export const connectSocket: Connect = async (url, protocol) => {
  if (globalThis.WebSocket !== undefined) return new WebSocket(url, protocol) as ClientSocket
  // No browser comes here, and no bundler should on its behalf.
  const { WebSocket: NodeWebSocket } = await import(/* webpackIgnore: true */ /* @vite-ignore */ 'ws')
  return new NodeWebSocket(url, protocol) as unknown as ClientSocket
}

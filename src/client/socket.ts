/** What the client needs of a WebSocket: a browser's, Node's or the one of `ws`. */
export interface ClientSocket {
  /** 0 connecting, 1 open, 2 closing, 3 closed */
  readonly readyState: number
  /** The subprotocol that the server selected, once it is open: '' for none. */
  readonly protocol?: string | undefined
  send (data: string): void
  close (code?: number, reason?: string): void
  /** Ends it without a closing handshake, where it can. */
  terminate? (): void
  addEventListener (type: 'open', listener: () => void): void
  addEventListener (type: 'error', listener: (event: { message?: unknown }) => void): void
  addEventListener (type: 'message', listener: (event: { data: unknown }) => void): void
  addEventListener (type: 'close', listener: (event: { code: number, reason: string }) => void): void
}

/**
 * Opens a socket that asks for the subprotocol. If the server didn't select it, nothing is said to that server. One that is
 * open already will do too; of its `protocol`, '' is taken for not known, as that of an injected one always is. A rejection
 * is a failed attempt.
 */
export type Connect = (url: string, protocol: string) => ClientSocket | Promise<ClientSocket>

/** In Node the WebSocket of `ws`, because Node's own can't be cut off; the platform's where there is no Node or no `ws`. */
export const connectSocket: Connect = async (url, protocol) => {
  if (globalThis.process?.versions?.node === undefined) return new WebSocket(url, protocol) as ClientSocket
  // No browser comes here, and no bundler should on its behalf.
  const ws = await import(/* webpackIgnore: true */ /* @vite-ignore */ 'ws').catch(() => undefined)
  const Socket = ws?.WebSocket ?? WebSocket
  return new Socket(url, protocol) as unknown as ClientSocket
}

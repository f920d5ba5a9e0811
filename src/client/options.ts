import { Backoff } from './backoff.ts'
import { connectSocket, type Connect } from './socket.ts'

export interface ChatClientOptions {
  /** what others see; the server refuses one that isn't fit to be shown, which closes the client */
  readonly name?: string | undefined
  /** for the server's `authenticate`; asked anew for each connection where it is a function. A throw is a failed attempt */
  readonly token?: string | (() => string | Promise<string>) | undefined
  /** of an earlier client, kept by the app: with it the member is the same. It is in the status `online`; a secret */
  readonly session?: string | undefined
  /** opens the socket; the platform's WebSocket, and before Node 22 that of `ws` */
  readonly connect?: Connect | undefined
  /** ms; the first wait before a reconnect is drawn from nothing up to this, and doubles from there; 500 */
  readonly minDelay?: number | undefined
  /** ms; no wait is longer, but for one that the server asked for; 30 s */
  readonly maxDelay?: number | undefined
  /** ms from the asking for a token to the server's welcome; after it the attempt has failed; 20 s */
  readonly connectTimeout?: number | undefined
  /** posts that may wait for their acknowledgement, offline ones among them; 1,000 */
  readonly queue?: number | undefined
  /** ms between two signs of life that the server is asked for; half of it, at most 10 s, for the answer; as the server says */
  readonly heartbeat?: number | undefined
  /** gives what waits are drawn with, from 0 up to 1; `Math.random` */
  readonly random?: (() => number) | undefined
}

/** The options with every default in its place. */
export type Settings = ReturnType<typeof withDefaults>

export function withDefaults (options: ChatClientOptions) {
  const { name, token, session, heartbeat, connect = connectSocket, queue = 1_000, connectTimeout = 20_000 } = options
  const { minDelay = 500, maxDelay = 30_000, random = Math.random } = options
  const backoff = () => new Backoff(minDelay, maxDelay, random)
  return { name, token, session, heartbeat, connect, queue, connectTimeout, backoff }
}

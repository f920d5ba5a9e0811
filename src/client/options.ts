import { Backoff } from './backoff.ts'
import { connectSocket, type Connect } from './socket.ts'

export interface ChatClientOptions {
  /** what others see; the server refuses one that isn't fit to be shown, which closes the client */
  readonly name?: string | undefined
  /**
   * for the server's `authenticate`. A function is asked anew for each connection, also after a 4401 of a server that had
   * let this client in; its throw is a failed attempt
   */
  readonly token?: string | (() => string | Promise<string>) | undefined
  /** of an earlier client, kept by the app: with it the member is the same. It is in the status `online`; a secret */
  readonly session?: string | undefined
  /** opens the socket; in Node the WebSocket of `ws`, elsewhere the platform's */
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

/** The least that each number may be. */
const least = { minDelay: 0, maxDelay: 0, connectTimeout: 1, queue: 0, heartbeat: 1 }

/** @throws TypeError or RangeError naming the first number that is none, or too small */
export function withDefaults (options: ChatClientOptions) {
  for (const [name, from] of Object.entries(least)) check(name, options[name as keyof typeof least], from)
  const { name, token, session, heartbeat, connect = connectSocket, queue = 1_000, connectTimeout = 20_000 } = options
  const { minDelay = 500, maxDelay = 30_000, random = Math.random } = options
  const backoff = () => new Backoff(minDelay, maxDelay, random)
  return { name, token, session, heartbeat, connect, queue, connectTimeout, backoff }
}

function check (name: string, value: unknown, from: number): void {
  if (value === undefined) return
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
  if (!(value >= from)) throw new RangeError(`${name} must be a number from ${from} on`)
}

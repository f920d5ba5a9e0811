import { backoff } from './backoff.ts'
import { LONGEST_TIMER } from './bounds.ts'
import type { SessionStorage } from './connection/kept-session.ts'
import type { SavedPosts } from './post-saver.ts'
import { connectSocket, type Connect } from './connection/socket.ts'
import { unknownName } from './unknown-name.ts'

export interface ChatClientOptions {
  /** name shown to other members; the server refuses an invalid name, which closes the client */
  readonly name?: string | undefined
  /**
   * token for the server's `authenticate`. A function is called for each attempt. With a function, the client also reconnects
   * when an accepted connection is closed with 4401. If the function throws, the attempt fails
   */
  readonly token?: string | (() => string | Promise<string>) | undefined
  /**
   * secret from the `online` status of an earlier client, which keeps the member's id; or a storage in which the clients keep it, such as
   * `sessionStorage`, under the key `fastify-chat ` and the URL, as a WebSocket URL
   */
  readonly session?: string | SessionStorage | undefined
  /** opens the socket; default: the WebSocket of `ws` in Node, the platform's elsewhere */
  readonly connect?: Connect | undefined
  /** upper bound of the first, random delay before a reconnect; doubles with each attempt; 500 ms */
  readonly minDelay?: number | undefined
  /** upper bound of all delays in ms, unless the server requests more; 30 s */
  readonly maxDelay?: number | undefined
  /** ms from the call of `token` within which the server's `welcome` must arrive; 20 s */
  readonly connectTimeout?: number | undefined
  /** maximum posts and changes that wait for acknowledgement, including those made offline; 1,000 */
  readonly queue?: number | undefined
  /** ms between two pings; an answer must arrive within half of it, at most 10 s; default: the server's value */
  readonly heartbeat?: number | undefined
  /** keeps posts until they are acknowledged: `indexedDBPosts()`, or `savedPosts(store)`; a later client of the member sends them; default: none */
  readonly savedPosts?: SavedPosts | undefined
}

/** The options with defaults applied. */
export type Settings = ReturnType<typeof withDefaults>

/** Minimum of each number. */
const minimum = { minDelay: 0, maxDelay: 0, connectTimeout: 1, queue: 0, heartbeat: 1 }

const names: ReadonlyArray<keyof ChatClientOptions> = ['name', 'token', 'session', 'connect', 'savedPosts', ...Object.keys(minimum) as Array<keyof typeof minimum>]

/** @throws TypeError or RangeError that names the first option that is unknown, isn't a number, or is too small */
export function withDefaults (options: ChatClientOptions) {
  const problem = unknownName('option', Object.keys(options), names)
  if (problem !== undefined) throw new TypeError(problem)
  for (const [name, min] of Object.entries(minimum)) {
    const { [name]: value = min } = options as Record<string, unknown>
    if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
    if (!(value >= min)) throw new RangeError(`${name} must be at least ${min}`)
  }
  if (options.savedPosts !== undefined && typeof options.savedPosts?.open !== 'function') {
    throw new TypeError('savedPosts must be indexedDBPosts() or savedPosts(store)')
  }
  const { minDelay = 500, maxDelay = 30_000, connect = connectSocket, queue = 1_000, connectTimeout = 20_000, ...others } = options
  return { ...others, connect, queue, connectTimeout, maxDelay: Math.min(maxDelay, LONGEST_TIMER), backoff: () => backoff(minDelay, maxDelay) }
}

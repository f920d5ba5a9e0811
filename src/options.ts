import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Backend } from './backend.ts'
import type { Hooks } from './hooks.ts'

/** Returns the answer to an echo message: a string for a text frame, bytes for a binary frame, undefined for none. */
export type Reply = (message: string | Buffer, isBinary: boolean) =>
  string | Uint8Array | undefined | Promise<string | Uint8Array | undefined>

/** Each comment ends with the default. */
export interface EchoOptions {
  /** '/echo' */
  readonly path?: string | undefined
  /** sent on open; none */
  readonly greeting?: string | undefined
  /** returns the answer to a message; if it throws, the connection is closed with 1011; the message itself */
  readonly reply?: Reply | undefined
}

/** Each comment ends with the default. */
export interface ChatOptions {
  /** '/chat' */
  readonly path?: string | undefined
  /** sent to a plain client on open, or false for none; 'connected to WebSocket server' */
  readonly greeting?: string | false | undefined
  /** whether a plain client receives its own messages; true */
  readonly includeSender?: boolean | undefined
  /** the room used when the client names none; 'lobby' */
  readonly defaultRoom?: string | undefined
  /** messages that a v1 client receives if its `join` has no `history`; 50 */
  readonly history?: number | undefined
}

/**
 * Origins whose pages may connect, besides those of the same host: a list, or `true` for any. A function decides alone, for those
 * of the same host too. A client that sends no `Origin` header isn't a page and may connect.
 */
export type Origins = true | readonly string[] | ((origin: string, request: FastifyRequest) => boolean | Promise<boolean>) | undefined

/** The methods of a `prom-client` registry that the plugin calls. */
export interface MetricsRegistry {
  registerMetric (metric: never): void
  getSingleMetric (name: string): unknown
  removeSingleMetric (name: string): void
}

/** Each comment ends with the default. `Infinity` switches a limit off; times and `jsonDepth` must be finite. */
export interface Limits {
  /** bytes of a chat message; 16 KiB */
  readonly chatPayload: number
  /** bytes of an echo message; 64 KiB */
  readonly echoPayload: number
  /** requests of a chat connection per second; 10 */
  readonly messageRate: number
  /** burst of requests of a chat connection; 20 */
  readonly messageBurst: number
  /** bytes of messages of a chat connection per second; 32 KiB */
  readonly byteRate: number
  /** burst of bytes of messages of a chat connection, at least `chatPayload`; 256 KiB */
  readonly byteBurst: number
  /** nesting depth of the `data` of a post, at most 256; 16 */
  readonly jsonDepth: number
  /**
   * pending bytes of a chat connection, above which it is terminated; a higher value keeps slow clients of busy rooms connected
   * and takes more memory for each; 1 MiB
   */
  readonly pendingBytes: number
  /**
   * pending bytes of this process, shared buffers counted once; above, the connection with the most is terminated; lower it in a
   * container of less than 1 GiB; 128 MiB
   */
  readonly totalPendingBytes: number
  /**
   * bytes in this process of messages that are incomplete or wait to be handled, and of requests kept for `authenticate`;
   * above, the connection with the most is terminated; lower it in a container of less than 1 GiB; 64 MiB
   */
  readonly receiveBudget: number
  /** rooms of one connection; 20 */
  readonly roomsPerMember: number
  /** rooms followed by this process; 10,000 */
  readonly rooms: number
  /** rooms opened from one address, counted as in `connectionsPerAddress`; never more than are left for others; no other limit */
  readonly roomsPerAddress: number
  /** open connections of this chat in this process; 10,000 */
  readonly connections: number
  /** open connections of one `request.ip`, or one /64 of IPv6; needs Fastify's `trustProxy` behind a proxy; no limit */
  readonly connectionsPerAddress: number
  /** upgrades per second; 1,000 */
  readonly handshakeRate: number
  /** burst of upgrades; 2,000 */
  readonly handshakeBurst: number
  /** ms from the request to the upgrade, and again from the upgrade to `hello`, or to the join of a plain client; 10 s */
  readonly handshakeTimeout: number
}

export type RouteOptions = Pick<RouteShorthandOptions,
  'onRequest' | 'preValidation' | 'preHandler' | 'config' | 'constraints' | 'schema'>

/**
 * Options in addition to Fastify's `prefix`, `logLevel` and `logSerializers`, which apply to all routes of the plugin. Each
 * comment on a value ends with the default.
 */
export interface FastifyChatOptions extends Hooks {
  /** path of the page, or false for none; '/demo/' */
  readonly page?: string | false | undefined
  /** options of the echo route, or false for none; a route with the defaults of `EchoOptions` */
  readonly echo?: EchoOptions | false | undefined
  /** options of the chat route, or false for none; a route with the defaults of `ChatOptions` */
  readonly chat?: ChatOptions | false | undefined
  /** hooks, `config`, `constraints` and `schema` for both WebSocket routes */
  readonly routeOptions?: RouteOptions | undefined
  /** keeps messages, presence and restrictions: `lmdb(…)`, `redis(…)`, or your own; the plugin opens and closes it; `memory()` */
  readonly backend?: Backend | undefined
  /** JSON Schema for the `data` of a post; any JSON */
  readonly dataSchema?: object | undefined
  /** origins whose pages may connect besides those of the same host, `true` for any, or a function that decides alone; none */
  readonly origins?: Origins
  /**
   * names of subprotocols that are selected, in this order, for clients that offer one and not `fastify-chat.v1`; such clients are
   * plain. Browsers fail a connection if they offered subprotocols, for example a token, and none is selected; none
   */
  readonly subprotocols?: readonly string[] | undefined
  /** whether chat messages are deflated, once for all clients with permessage-deflate; false */
  readonly compression?: boolean | undefined
  /** ms that a room's messages may wait to be batched: fewer writes, more latency; 0 */
  readonly flushInterval?: number | undefined
  /** ms between pings; a connection that is silent for two intervals is terminated; 25 s */
  readonly heartbeatInterval?: number | undefined
  /** ms that `app.close()` waits for close handshakes, less than Fastify's `pluginTimeout`; 5 s */
  readonly drainTimeout?: number | undefined
  /** `prom-client` registry for the counters of `app.chat.stats()` and for durations; none */
  readonly metrics?: MetricsRegistry | undefined
  /** limits that differ from their defaults; the defaults of `Limits` */
  readonly limits?: Partial<Limits> | undefined
}

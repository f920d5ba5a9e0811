import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import { InvalidOption } from './errors.ts'
import type { Hooks } from './hooks.ts'
import type { Roster } from './roster.ts'
import type { ChatStore } from './store.ts'

/** Answers an echo message: text for a text frame, bytes for a binary one, undefined for no answer. */
export type Reply = (message: string | Buffer, isBinary: boolean) =>
  string | Uint8Array | undefined | Promise<string | Uint8Array | undefined>

export interface EchoOptions {
  /** '/echo' */
  readonly path?: string | undefined
  /** sent on open; none by default */
  readonly greeting?: string | undefined
  /** what a message is answered with; by default the message itself. A throw closes that connection with 1011 */
  readonly reply?: Reply | undefined
}

export interface ChatOptions {
  /** '/chat' */
  readonly path?: string | undefined
  /** sent to a plain client on open, false for none; 'connected to WebSocket server' */
  readonly greeting?: string | false | undefined
  /** whether a plain client hears its own messages too; true */
  readonly includeSender?: boolean | undefined
  /** the room of who names none; 'lobby' */
  readonly defaultRoom?: string | undefined
  /** messages a v1 client is given when it joins without saying how many; 50 */
  readonly history?: number | undefined
}

/**
 * Pages that may connect: a list of origins, `true` for any, or a function that returns whether a page may. Undefined: those
 * of the same host. A client that sends no `Origin` header isn't a page, and may connect.
 */
export type Origins = true | readonly string[] | ((origin: string, request: FastifyRequest) => boolean | Promise<boolean>) | undefined

/** A registry of `prom-client`, as far as it is used here. */
export interface MetricsRegistry {
  registerMetric (metric: never): void
  getSingleMetric (name: string): unknown
  removeSingleMetric (name: string): void
}

/** `Infinity` switches one off, but for times and `jsonDepth`. */
export interface Limits {
  /** bytes of a chat message; 16 KiB */
  readonly chatPayload: number
  /** bytes of an echo message; 64 KiB */
  readonly echoPayload: number
  /** frames of a message; 256 */
  readonly fragments: number
  /** ms in which a message must be whole once it has begun; 30 s */
  readonly messageTimeout: number
  /** pings and pongs of a connection a second, and five times as many at once; 10 */
  readonly controlRate: number
  /** requests of a chat connection a second; 10 */
  readonly messageRate: number
  /** requests of a chat connection at once after a pause; 20 */
  readonly messageBurst: number
  /** bytes a second of the messages of a chat connection; 32 KiB */
  readonly byteRate: number
  /** bytes of the messages of a chat connection at once after a pause, at least `chatPayload`; 256 KiB */
  readonly byteBurst: number
  /** messages that may wait for one before them to be handled; 1,000 */
  readonly inbox: number
  /** levels of objects and arrays in the `data` of a post, at most 256; 16 */
  readonly jsonDepth: number
  /** bytes that may wait for a member before it is cut off; 1 MiB */
  readonly backlog: number
  /** bytes that may wait for clients in this process, those that many share counted once; beyond, who owes most is cut off; 128 MiB */
  readonly replyBudget: number
  /** bytes of messages in this process that are not whole or not handled yet, and of requests kept for `authenticate`; beyond, who sent most of them is cut off; 64 MiB */
  readonly receiveBudget: number
  /** bytes a second of what a connection missed, and eight times as many at once: a page more waits; 1 MiB */
  readonly replayRate: number
  /** rooms of one connection; 20 */
  readonly roomsPerMember: number
  /** rooms followed by this process; 10,000 */
  readonly rooms: number
  /** of them opened from one address, as `connectionsPerAddress` counts; never more than are left for others; no other limit */
  readonly roomsPerAddress: number
  /** open connections of this chat in this process; 10,000 */
  readonly connections: number
  /** of them from one address, IPv6 by its /64, by `request.ip`: behind a proxy that needs Fastify's `trustProxy`; no limit */
  readonly connectionsPerAddress: number
  /** upgrades of this chat that may be under way at once, held by hooks; their requests may take 32 KiB of memory for each; 2,000 */
  readonly handshakes: number
  /** upgrades let in a second; 1,000 */
  readonly handshakeRate: number
  /** upgrades let in at once after a pause; 2,000 */
  readonly handshakeBurst: number
  /** entries that the default store keeps of a room; 1,000 */
  readonly historyEntries: number
  /** bytes that the default store keeps of a room; 4 MiB */
  readonly historyBytes: number
  /** bytes that the default store keeps in all; 256 MiB */
  readonly storeBytes: number
  /** ms from the request to the upgraded connection, and from there to `hello`, or to a plain client's joining; 10 s */
  readonly handshakeTimeout: number
}

export type RouteOptions = Pick<RouteShorthandOptions,
  'onRequest' | 'preValidation' | 'preHandler' | 'config' | 'constraints' | 'schema'>

/** Beside Fastify's own `prefix`, `logLevel` and `logSerializers`, which hold for all routes of the plugin. */
export interface FastifyChatOptions extends Hooks {
  /** where the page is, false for none; '/demo/' */
  readonly page?: string | false | undefined
  readonly echo?: EchoOptions | false | undefined
  readonly chat?: ChatOptions | false | undefined
  /** hooks, `config`, `constraints` and `schema` for both WebSocket routes */
  readonly routeOptions?: RouteOptions | undefined
  /** where messages are kept; the memory of this process. One passed in is the caller's to close */
  readonly store?: ChatStore | undefined
  /** who is where; the memory of this process. One passed in is the caller's to close */
  readonly roster?: Roster | undefined
  /** a JSON Schema for the `data` of a post; any JSON */
  readonly dataSchema?: object | undefined
  /** pages that may connect: origins, `true` for any, or a function; those of the same host */
  readonly origins?: Origins
  /** whether chat messages may be deflated, once for all who can take it: permessage-deflate; false */
  readonly compression?: boolean | undefined
  /** ms that a room's messages may gather before they are sent: fewer writes for more latency; 0 */
  readonly flushInterval?: number | undefined
  /** ms between pings; a connection silent for two of them is dead; 25 s */
  readonly heartbeatInterval?: number | undefined
  /** ms that `app.close()` waits for clients to answer; under Fastify's `pluginTimeout`; 5 s */
  readonly drainTimeout?: number | undefined
  /** a registry of `prom-client` for what `app.chat.stats()` counts, and how long things take; none */
  readonly metrics?: MetricsRegistry | undefined
  readonly limits?: Partial<Limits> | undefined
}

/** The options with every default in its place. */
export interface Settings {
  readonly page: string | false
  readonly echo: { readonly path: string, readonly greeting: string | undefined, readonly reply: Reply | undefined } | false
  readonly chat: Required<{ [K in keyof ChatOptions]: NonNullable<ChatOptions[K]> }> | false
  readonly routeOptions: RouteOptions
  readonly origins: Origins
  readonly hooks: Hooks
  readonly dataSchema: object | undefined
  readonly compression: boolean
  readonly flushInterval: number
  readonly heartbeatInterval: number
  readonly drainTimeout: number
  readonly limits: Limits
}

/**
 * @param given what `register` was given, and `checkOptions` let pass
 * @param pluginTimeout Fastify's, in ms; 0 for none
 * @throws InvalidOption for a `drainTimeout` that Fastify would not wait for
 */
export function resolveOptions (given: FastifyChatOptions, pluginTimeout: number): Settings {
  const { echo = {}, chat = {}, limits = {}, routeOptions = {} } = given
  const { page = '/demo/', origins, heartbeatInterval = 25_000, drainTimeout = 5_000 } = given
  const { authenticate, authorize, onMessage, onJoin, onLeave, dataSchema } = given
  if (pluginTimeout > 0 && drainTimeout >= pluginTimeout) {
    throw new InvalidOption('drainTimeout', `must be less than Fastify's pluginTimeout, ${pluginTimeout} ms, or app.close() fails`)
  }
  return {
    page: page && (page.endsWith('/') ? page : `${page}/`),
    echo: echo && {
      path: echo.path ?? '/echo',
      greeting: echo.greeting,
      reply: echo.reply
    },
    chat: chat && {
      path: chat.path ?? '/chat',
      greeting: chat.greeting ?? 'connected to WebSocket server',
      includeSender: chat.includeSender ?? true,
      defaultRoom: chat.defaultRoom ?? 'lobby',
      history: chat.history ?? 50
    },
    routeOptions,
    origins,
    hooks: { authenticate, authorize, onMessage, onJoin, onLeave },
    dataSchema,
    compression: given.compression ?? false,
    flushInterval: given.flushInterval ?? 0,
    heartbeatInterval,
    drainTimeout,
    limits: {
      chatPayload: limits.chatPayload ?? 16 * 1024,
      echoPayload: limits.echoPayload ?? 64 * 1024,
      fragments: limits.fragments ?? 256,
      messageTimeout: limits.messageTimeout ?? 30_000,
      controlRate: limits.controlRate ?? 10,
      messageRate: limits.messageRate ?? 10,
      messageBurst: limits.messageBurst ?? 20,
      byteRate: limits.byteRate ?? 32 * 1024,
      byteBurst: limits.byteBurst ?? 256 * 1024,
      inbox: limits.inbox ?? 1_000,
      jsonDepth: limits.jsonDepth ?? 16,
      backlog: limits.backlog ?? 1024 * 1024,
      replyBudget: limits.replyBudget ?? 128 * 1024 * 1024,
      receiveBudget: limits.receiveBudget ?? 64 * 1024 * 1024,
      replayRate: limits.replayRate ?? 1024 * 1024,
      roomsPerMember: limits.roomsPerMember ?? 20,
      rooms: limits.rooms ?? 10_000,
      roomsPerAddress: limits.roomsPerAddress ?? Infinity,
      connections: limits.connections ?? 10_000,
      connectionsPerAddress: limits.connectionsPerAddress ?? Infinity,
      handshakes: limits.handshakes ?? 2_000,
      handshakeRate: limits.handshakeRate ?? 1_000,
      handshakeBurst: limits.handshakeBurst ?? 2_000,
      historyEntries: limits.historyEntries ?? 1_000,
      historyBytes: limits.historyBytes ?? 4 * 1024 * 1024,
      storeBytes: limits.storeBytes ?? 256 * 1024 * 1024,
      handshakeTimeout: limits.handshakeTimeout ?? 10_000
    }
  }
}

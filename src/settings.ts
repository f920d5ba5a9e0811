import type { Bounds } from './bounds.ts'
import type { Hooks } from './hooks.ts'
import type { ChatOptions, FastifyChatOptions, Limits, Origins, Reply, RouteOptions } from './options.ts'

/** The options with all defaults applied. */
export interface Settings {
  readonly page: string | false
  readonly echo: { readonly path: string, readonly greeting: string | undefined, readonly reply: Reply | undefined } | false
  readonly chat: Required<{ [K in keyof ChatOptions]: NonNullable<ChatOptions[K]> }> | false
  readonly routeOptions: RouteOptions
  readonly origins: Origins
  readonly subprotocols: readonly string[]
  readonly hooks: Hooks
  readonly dataSchema: object | undefined
  readonly compression: boolean
  readonly flushInterval: number
  readonly heartbeatInterval: number
  readonly drainTimeout: number
  readonly limits: Limits
  readonly bounds: Bounds
}

/**
 * Returns the options with all defaults applied.
 * @param given options that passed `checkOptions`
 */
export function resolveOptions (given: FastifyChatOptions, bounds: Bounds): Settings {
  const { echo = {}, chat = {}, limits = {}, routeOptions = {} } = given
  const { page = '/demo/', origins, heartbeatInterval = 25_000, drainTimeout = 5_000 } = given
  const { authenticate, authorize, prePost, preChange, onPost, onChange, onJoin, onLeave, dataSchema } = given
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
    subprotocols: given.subprotocols ?? [],
    hooks: { authenticate, authorize, prePost, preChange, onPost, onChange, onJoin, onLeave },
    dataSchema,
    compression: given.compression ?? false,
    flushInterval: given.flushInterval ?? 0,
    heartbeatInterval,
    drainTimeout,
    bounds,
    limits: {
      chatPayload: limits.chatPayload ?? 16 * 1024,
      echoPayload: limits.echoPayload ?? 64 * 1024,
      messageRate: limits.messageRate ?? 10,
      messageBurst: limits.messageBurst ?? 20,
      byteRate: limits.byteRate ?? 32 * 1024,
      byteBurst: limits.byteBurst ?? 256 * 1024,
      jsonDepth: limits.jsonDepth ?? 16,
      pendingBytes: limits.pendingBytes ?? 1024 * 1024,
      totalPendingBytes: limits.totalPendingBytes ?? 128 * 1024 * 1024,
      receiveBudget: limits.receiveBudget ?? 64 * 1024 * 1024,
      roomsPerMember: limits.roomsPerMember ?? 20,
      rooms: limits.rooms ?? 10_000,
      roomsPerAddress: limits.roomsPerAddress ?? Infinity,
      connections: limits.connections ?? 10_000,
      connectionsPerAddress: limits.connectionsPerAddress ?? Infinity,
      handshakeRate: limits.handshakeRate ?? 1_000,
      handshakeBurst: limits.handshakeBurst ?? 2_000,
      handshakeTimeout: limits.handshakeTimeout ?? 10_000
    }
  }
}

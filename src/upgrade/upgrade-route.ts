import type { Duplex } from 'node:stream'
import type {} from '@fastify/websocket'
import type { FastifyError } from '@fastify/error'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket, WebSocketServer } from 'ws'
import { Connection } from '../connection.ts'
import type { Connections } from '../connections.ts'
import { perMessageDeflate, takesFullWindow } from '../deflate.ts'
import type { Door } from './connection-limits.ts'
import { BadHandshake, InvalidQuery, OriginRefused, TooManyConnections, TooManyFromAddress, TooManyHandshakes, UpgradeRequired } from '../errors.ts'
import { checkHandshake, withSettings, type HandshakeSettings } from './handshake.ts'
import type { Settings } from '../options.ts'
import { checkOrigin } from './origin.ts'
import { refusalOf } from './http-refusal.ts'
import type { RefusalLog } from '../refusal-log.ts'
import type { ReplyBudget } from '../reply-budget.ts'
import type { Tally } from '../tally.ts'
import { Rate } from '../token-bucket.ts'
import type { Upgrades } from './pending-upgrades.ts'

/** ms a client is given to answer a close frame. */
const CLOSE_TIMEOUT = 5_000

/** A message that trickles in byte by byte is held as a buffer for each: hundreds of bytes for one. */
const BUFFERED_CHUNKS = 4_096

/** s of pings and pongs that may come at once. */
const CONTROL_BURST = 5

/** s of replays that may be given at once. */
const REPLAY_BURST = 8

/** Who is told so is answered here: Fastify would log each of them, the 503 with its stack. */
const kept = [BadHandshake, InvalidQuery, OriginRefused, TooManyConnections, TooManyFromAddress, TooManyHandshakes]

export interface RouteContext {
  readonly settings: Settings
  readonly tally: Tally
  readonly upgrades: Upgrades
  readonly door: Door
  readonly refusals: RefusalLog
  readonly connections: Connections
  readonly budget: ReplyBudget
}

/** protocol: empty for none. deflate: whether the client takes deflated frames. */
export interface Negotiated { readonly protocol: string, readonly deflate: boolean }

export interface WebSocketRoute<Query> {
  /** The subprotocol it speaks beside none. */
  readonly protocol?: string | undefined
  /** Whether it accepts permessage-deflate. */
  readonly compression?: boolean
  readonly path: string
  /** bytes of one message */
  readonly payload: number
  /** bytes that may wait for a client */
  readonly backlog: number
  /** Reads the query; throws what the upgrade is refused with. */
  readonly parse: (query: unknown) => Query
  /** Attaches to the connection; called in the turn of the upgrade, so that nothing that came with it is missed. */
  readonly serve: (connection: Connection, query: Query, request: FastifyRequest, negotiated: Negotiated) => void
}

/** Adds a route that upgrades; a scope of its own, because its handshake settings are for every route of the scope. */
export function websocketRoute<Query> (
  app: FastifyInstance,
  { settings, tally, upgrades, door, refusals, connections, budget }: RouteContext,
  { path, protocol, compression = false, payload, backlog, parse, serve }: WebSocketRoute<Query>
): void {
  const { routeOptions, origins, limits } = settings
  const control = new Rate(limits.controlRate, limits.controlRate * CONTROL_BURST)
  const shared = {
    chat: tally.chat,
    path,
    refusals,
    connections,
    backlog,
    budget,
    inbox: limits.inbox,
    frames: { control, messageTimeout: limits.messageTimeout },
    replays: new Rate(limits.replayRate, limits.replayRate * REPLAY_BURST)
  }
  const handshake: HandshakeSettings = {
    maxPayload: payload,
    maxFragments: limits.fragments,
    maxBufferedChunks: BUFFERED_CHUNKS,
    maxPendingAutoPongs: control.burst,
    closeTimeout: CLOSE_TIMEOUT,
    autoPong: true,
    skipUTF8Validation: false,
    perMessageDeflate: compression ? perMessageDeflate : false,
    handleProtocols: (offered) => protocol !== undefined && offered.has(protocol) ? protocol : false
  }

  // Runs after the onRoute hook of @fastify/websocket, whose handler it wraps.
  app.addHook('onRoute', (route) => {
    const dispatch = route.handler
    route.handler = function (request, reply) {
      const stream = upgrades.socketOf(request.raw)
      if (stream === undefined) return dispatch.call(this, request, reply)
      const handled = withSettings(app.websocketServer, handshake, () => dispatch.call(this, request, reply))
      // The reply would keep the request and its headers alive as long as the socket.
      reply.raw.detachSocket(stream as typeof request.raw.socket)
      return handled
    }
  })

  /** Before the hooks of the app's that are for these routes: what they cost is for those who can come in. */
  async function knock (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    if (upgrades.socketOf(request.raw) === undefined) return undefined
    try {
      checkHandshake(request.raw)
      door.enter(request)
    } catch (error) {
      return refuse(error, request, reply)
    }
    upgrades.onAbandoned(request.raw, () => door.abandon(request.raw))
    return undefined
  }

  async function admit (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    if (upgrades.socketOf(request.raw) === undefined) return undefined
    try {
      parse(request.query)
      await checkOrigin(request, origins)
    } catch (error) {
      return refuse(error, request, reply)
    }
    return undefined
  }

  function refuse (error: unknown, { log }: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (!kept.some((Refused) => error instanceof Refused)) throw error
    const { code, message } = error as FastifyError
    refusals.refused(code, message, {}, log)
    const { status, headers, body } = refusalOf(error as FastifyError)
    return reply.code(status).headers(headers).send(body)
  }

  app.route({
    ...routeOptions,
    schema: { hide: true, ...routeOptions.schema },
    onRequest: [knock, routeOptions.onRequest ?? []].flat(),
    preHandler: [routeOptions.preHandler ?? [], admit].flat(),
    method: ['GET', 'HEAD'],
    exposeHeadRoute: false,
    url: path,
    handler: upgradeRequired,
    wsHandler (socket, request) {
      const stream = upgrades.socketOf(request.raw) as Duplex
      upgrades.settle(request.raw)
      leaveServer(app.websocketServer, socket)
      const connection = new Connection(socket, stream, { log: request.log, address: door.settle(request.raw) }, shared)
      try {
        const deflate = socket.extensions !== '' && takesFullWindow(request.headers['sec-websocket-extensions'])
        serve(connection, parse(request.query), request, { protocol: socket.protocol, deflate })
      } catch (error) {
        connection.fail(error)
      }
    }
  })
}

/** Rids a socket of what was attached to it on the way here: from now on it is ours. */
function leaveServer ({ clients }: WebSocketServer, socket: WebSocket): void {
  // Undefined where the app has switched clientTracking off. The listener takes the socket out of the clients.
  if (clients?.delete(socket) === true) socket.off('close', socket.listeners('close')[0] as () => void)
  // @fastify/websocket's: it terminates, so that a client might not get its close code, and keeps the request alive.
  socket.off('error', socket.listeners('error').at(-1) as () => void)
}

function upgradeRequired (request: FastifyRequest, reply: FastifyReply): never {
  const { protocol, host, url } = request
  // Forbidden in HTTP/2: RFC 9113, section 8.2.2.
  if (request.raw.httpVersionMajor === 1) reply.headers({ upgrade: 'websocket', connection: 'upgrade' })
  throw new UpgradeRequired(
    `connect with new WebSocket('${protocol === 'https' ? 'wss' : 'ws'}://${host}${url}'); ` +
    'if that is what you did, a proxy on the way dropped the Upgrade header')
}

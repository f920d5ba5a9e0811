import type { FastifyError } from '@fastify/error'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { Connection, type ConnectionContext } from '../connection/connection.ts'
import type { Connections } from '../connection/connections.ts'
import { perMessageDeflate, takesFullWindow } from '../connection/deflate.ts'
import { meaningOf } from '../error-meaning.ts'
import { UpgradeRequired } from '../errors.ts'
import { maxFragments } from '../message-size.ts'
import type { Settings } from '../settings.ts'
import type { RefusalLog } from '../observability/refusal-log.ts'
import type { ByteBudget } from '../connection/byte-budget.ts'
import { SocketWriter } from '../connection/socket-writer.ts'
import type { Counters } from '../observability/stats.ts'
import { tickTime } from '../connection/tick.ts'
import { Rate } from '../connection/token-bucket.ts'
import { checkHandshake, Handshakes } from './handshake.ts'
import { refusalOf } from './http-refusal.ts'
import { byteInterceptor, detachResponse, restoreHandler, startReading, stopReading } from './internals/index.ts'
import { checkOrigin } from './origin.ts'
import { reportRefused } from './refused-request.ts'
import { responseHeaders } from './response-headers.ts'
import type { ChatUpgrades } from './chat-upgrades.ts'

/** ms within which a client must answer a close frame. */
const CLOSE_TIMEOUT = 5_000

/** Burst of pings and pongs, in seconds of their rate. */
const CONTROL_BURST = 5

/** Burst of replays, in seconds of their rate. */
const REPLAY_BURST = 8

export interface RouteContext {
  readonly settings: Settings
  readonly counters: Counters
  readonly upgrades: ChatUpgrades
  readonly refusals: RefusalLog
  readonly connections: Connections
  readonly budget: ByteBudget
  readonly receiveBudget: ByteBudget
}

/** The result of a handshake. protocol: empty for none. deflate: whether the client accepts deflated frames. */
export interface Negotiated { readonly protocol: string, readonly deflate: boolean }

export interface UpgradeRoute<Query> {
  /** The subprotocol of the route, preferred to those of the option `subprotocols`. A client may also request none. */
  readonly protocol?: string | undefined
  /** Whether the route accepts permessage-deflate. */
  readonly compression?: boolean
  readonly path: string
  /** maximum bytes of one message */
  readonly payload: number
  /** the option that sets `payload` */
  readonly payloadOption: string
  /** maximum pending bytes of a connection */
  readonly pendingBytes: number
  /** Parses the query. Throws the error to refuse the upgrade with. */
  readonly parse: (query: unknown) => Query
  /** Serves the connection. Called in the tick of the upgrade, so that no message is missed. */
  readonly serve: (connection: Connection, query: Query, request: FastifyRequest, negotiated: Negotiated) => void
}

/**
 * Adds a WebSocket route.
 * @param app a scope with no other routes: a hook sets the handler of every route in it
 */
export function upgradeRoute<Query> (
  app: FastifyInstance,
  { settings, counters, upgrades, refusals, connections, budget, receiveBudget }: RouteContext,
  { path, protocol, compression = false, payload, payloadOption, pendingBytes, parse, serve }: UpgradeRoute<Query>
): void {
  const { routeOptions, origins, subprotocols, bounds } = settings
  const selectable = protocol === undefined ? subprotocols : [protocol, ...subprotocols]
  const control = new Rate(bounds.controlRate, bounds.controlRate * CONTROL_BURST, tickTime)
  const writing = {
    pending: pendingBytes,
    budget,
    replays: new Rate(bounds.replayRate, bounds.replayRate * REPLAY_BURST, tickTime)
  }
  const shared: ConnectionContext = {
    chat: counters.chat,
    path,
    payloadOption,
    refusals,
    connections,
    frames: { payload, control, messageTimeout: bounds.messageTimeout },
    receiveBudget,
    reading: { stop: stopReading, start: startReading },
    openParser: byteInterceptor(),
    createWriter: (stream, owner) => new SocketWriter(stream, owner, writing)
  }
  const handshakes = new Handshakes(app, {
    maxPayload: payload,
    maxFragments: maxFragments(payload),
    // The number of reads of a message needs no limit: small ones are copied into larger buffers.
    maxBufferedChunks: 0,
    closeTimeout: CLOSE_TIMEOUT,
    autoPong: false,
    skipUTF8Validation: false,
    perMessageDeflate: compression ? perMessageDeflate : false,
    handleProtocols: (offered) => selectable.find((name) => offered.has(name)) ?? false
  })

  app.addHook('onRoute', (route) => {
    upgrades.addPath(route.url, route.constraints)
    restoreHandler(route, answer)
  })

  function answer (request: FastifyRequest, reply: FastifyReply): void {
    const upgrade = upgrades.pending.get(request.raw)
    if (upgrade === undefined || request.method === 'HEAD') return upgradeRequired(request, reply)
    const headers = responseHeaders(reply)
    reply.hijack()
    handshakes.answer(request.raw, upgrade.socket, upgrade.head, headers, (websocket) => connect(websocket, request))
    detachResponse(reply.raw, upgrade.socket)
  }

  function connect (websocket: WebSocket, request: FastifyRequest): void {
    const { socket, address } = upgrades.accept(request.raw)
    const connection = new Connection(websocket, socket, { log: request.log, address }, shared)
    try {
      const deflate = websocket.extensions !== '' && takesFullWindow(request.headers['sec-websocket-extensions'])
      serve(connection, parse(request.query), request, { protocol: websocket.protocol, deflate })
    } catch (error) {
      connection.fail(error)
    }
  }

  async function checkUpgrade (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    if (upgrades.pending.get(request.raw) === undefined || request.method === 'HEAD') return undefined
    try {
      // An upgrade that only the app's router matched to this route hasn't been checked yet.
      checkHandshake(request.raw)
      parse(request.query)
      await checkOrigin(request, origins)
    } catch (error) {
      return refuse(error, request, reply)
    }
    return undefined
  }

  /** Answers a refusal here, because Fastify would log a thrown one as an error. */
  function refuse (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (meaningOf(error)?.kind !== 'refusal') throw error
    reportRefused(refusals, app, request.raw, error as FastifyError, request.log)
    const { status, headers, body } = refusalOf(error as FastifyError)
    return reply.code(status).headers(headers).send(body)
  }

  /** Thrown, unlike other refusals, because it answers a plain request, which the app's error handler may format. */
  function upgradeRequired (request: FastifyRequest, reply: FastifyReply): never {
    const { protocol, host, url } = request
    // HTTP/2 forbids these headers: RFC 9113, section 8.2.2.
    if (request.raw.httpVersionMajor === 1) reply.headers({ upgrade: 'websocket', connection: 'upgrade' })
    const error = new UpgradeRequired(
      `connect with new WebSocket('${protocol === 'https' ? 'wss' : 'ws'}://${host}${url}'); ` +
      'if you did, a proxy removed the Upgrade header')
    reportRefused(refusals, app, request.raw, error, request.log)
    throw error
  }

  app.route({
    ...routeOptions,
    schema: { hide: true, ...routeOptions.schema },
    preHandler: [routeOptions.preHandler ?? [], checkUpgrade].flat(),
    method: ['GET', 'HEAD'],
    exposeHeadRoute: false,
    url: path,
    handler: answer
  })
}

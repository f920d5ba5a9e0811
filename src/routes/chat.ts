import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { MessageRates } from '../connection/allowance.ts'
import { admit, newSession } from '../rooms/peer/admission.ts'
import type { DirectReceiver } from '../rooms/peer/attendances.ts'
import type { Connection } from '../connection/connection.ts'
import { copyString } from '../copy-string.ts'
import { InvalidQuery } from '../errors.ts'
import { inContext, type Hello } from '../hooks.ts'
import type { Peer, PeerContext } from '../rooms/peer/peer.ts'
import { checkName } from '../member-name.ts'
import type { Settings } from '../settings.ts'
import { requestCost } from '../upgrade/connection-limits.ts'
import { SUBPROTOCOL, roomName } from '../protocol.ts'
import { tickTime } from '../connection/tick.ts'
import { Rate } from '../connection/token-bucket.ts'
import { PlainHandler } from '../wire/plain-handler.ts'
import { V1Handler } from '../wire/v1-handler.ts'
import { upgradeRoute, type RouteContext } from '../upgrade/upgrade-route.ts'

/** Burst of rate-limited requests before the connection is closed as a flood. */
const FLOOD = 100

export interface ChatQuery {
  readonly room: string
  /** Empty if the client gives none. */
  readonly name: string
  readonly history: number
  readonly includeSender: boolean
}

/** Admits the client of a connection. Resolves with undefined if the connection was closed. */
type Admit = (hello: Hello, direct?: DirectReceiver) => Promise<Peer | undefined>

export interface ChatRouteContext extends RouteContext {
  readonly admission: PeerContext
}

/** Adds the chat route: all members of a room receive its messages. */
export async function chatRoute (app: FastifyInstance, context: ChatRouteContext): Promise<void> {
  const { settings: { chat, compression, limits, dataSchema, heartbeatInterval, hooks }, admission } = context
  if (chat === false) return
  const checkData = await dataCheck(dataSchema)
  // JSON has no Infinity, so unlimited values are left out.
  const welcome = {
    limits: {
      ...Number.isFinite(limits.chatPayload) && { payload: limits.chatPayload },
      ...Number.isFinite(limits.roomsPerMember) && { rooms: limits.roomsPerMember },
      ...Number.isFinite(limits.messageRate) && { rate: limits.messageRate },
      ...Number.isFinite(limits.messageRate) && Number.isFinite(limits.messageBurst) && { burst: limits.messageBurst },
      ...Number.isFinite(limits.byteRate) && { byteRate: limits.byteRate },
      ...Number.isFinite(limits.byteRate) && Number.isFinite(limits.byteBurst) && { byteBurst: limits.byteBurst }
    },
    heartbeat: heartbeatInterval,
    features: ['changes', 'signals', 'readPositions', 'history-after']
  }
  const rates: MessageRates = {
    requests: new Rate(limits.messageRate, limits.messageBurst, tickTime),
    bytes: new Rate(limits.byteRate, limits.byteBurst, tickTime)
  }
  const v1 = {
    helloTimeout: limits.handshakeTimeout,
    history: chat.history,
    checkData,
    rooms: limits.roomsPerMember,
    payload: limits.chatPayload,
    jsonDepth: limits.jsonDepth,
    rates,
    flood: new Rate(limits.messageRate, FLOOD, tickTime)
  }

  upgradeRoute(app, context, {
    path: chat.path,
    protocol: SUBPROTOCOL,
    compression,
    payload: limits.chatPayload,
    payloadOption: 'limits.chatPayload',
    pendingBytes: limits.pendingBytes,
    parse: (query) => parseQuery(query as Record<string, unknown>, chat),
    serve (connection, query, request, { protocol, deflate }) {
      // The request would outlive the handshake, so it is kept only for `authenticate`.
      const admitClient = keepRequest(connection, hooks.authenticate === undefined ? undefined : request)
      if (protocol === SUBPROTOCOL) serveV1(connection, admitClient, deflate)
      else servePlain(connection, admitClient, query, deflate)
    }
  })

  function servePlain (connection: Connection, admitClient: Admit, query: ChatQuery, deflate: boolean): void {
    const { room, name, includeSender, history } = query
    PlainHandler.serve(connection, admitClient({ name }), {
      room,
      deflate,
      includeSender,
      greeting: chat !== false && chat.greeting,
      // Half of pendingBytes, so that live entries of the same tick fit in too.
      history: { limit: history, maxBytes: limits.pendingBytes / 2 },
      timeout: limits.handshakeTimeout,
      rates
    })
  }

  function serveV1 (connection: Connection, admitClient: Admit, deflate: boolean): void {
    connection.receiver.serve(new V1Handler(connection, async (hello, direct) => {
      const session = hello.session ?? newSession()
      const peer = await admitClient({ ...hello, session }, direct)
      return peer && { peer, welcome: { session, ...welcome } }
    }, deflate, v1))
  }

  /** Charges a request to the connection until its client is admitted. Returns the function that admits the client. */
  function keepRequest (connection: Connection, request: FastifyRequest | undefined): Admit {
    const cost = request === undefined ? 0 : requestCost(request.raw)
    const hooksOfRequest = inContext(hooks)
    connection.receiver.charge(cost)
    return async (hello, direct) => {
      const peer = await admit(connection, request, hello, hooksOfRequest, admission, direct)
      if (peer !== undefined) connection.receiver.release(cost)
      return peer
    }
  }
}

/** Resolves with the check of the option `dataSchema`. Rejects with InvalidOption for an invalid schema. */
async function dataCheck (schema: object | undefined): Promise<(data: unknown) => void> {
  if (schema === undefined) return () => {}
  // Loaded on demand: TypeBox takes longer to load than the rest of the plugin.
  const { compileDataSchema } = await import('./data-schema.ts')
  return compileDataSchema(schema)
}

/** @throws InvalidQuery */
function parseQuery (query: Record<string, unknown>, defaults: Exclude<Settings['chat'], false>): ChatQuery {
  for (const parameter of ['room', 'name', 'history', 'self']) {
    if (Array.isArray(query[parameter])) throw new InvalidQuery(parameter, 'must be given only once')
  }
  const { room = defaults.defaultRoom, name = '', history = '0', self } = query
  if (typeof room !== 'string' || !roomName.test(room)) {
    throw new InvalidQuery('room', 'must be 1 to 64 letters, digits and ._:-')
  }
  const checked = name === '' ? { name } : checkName(String(name))
  if (checked.problem !== undefined) throw new InvalidQuery('name', checked.problem)
  // A querystring schema of the app may have converted these to numbers.
  if (!/^\d{1,6}$/.test(String(history))) {
    throw new InvalidQuery('history', 'must be an integer from 0 to 999999')
  }
  if (self !== undefined && !/^[01]$/.test(String(self))) {
    throw new InvalidQuery('self', 'must be 0 or 1')
  }
  return { room: copyString(room), name: copyString(checked.name), history: Number(history), includeSender: self === undefined ? defaults.includeSender : String(self) === '1' }
}

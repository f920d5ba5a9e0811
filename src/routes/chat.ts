import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Compile } from 'typebox/compile'
import type { MessageRates } from '../connection/allowance.ts'
import { admit, newSession } from '../rooms/admission.ts'
import type { Connection } from '../connection/connection.ts'
import { copyString } from '../copy-string.ts'
import { InvalidData, InvalidQuery } from '../errors.ts'
import { frame } from '../connection/frame.ts'
import type { Hello } from '../hooks.ts'
import type { Peer, PeerContext } from '../rooms/peer.ts'
import { nameRule } from '../rooms/member-check.ts'
import type { Settings } from '../options.ts'
import { requestCost } from '../upgrade/request-cost.ts'
import { SUBPROTOCOL, normalizeName, roomName } from '../protocol.ts'
import { Rate } from '../connection/token-bucket.ts'
import { PlainHandler } from '../wire/plain-handler.ts'
import { V1Handler } from '../wire/v1-handler.ts'
import { upgradeRoute, type RouteContext } from '../upgrade/upgrade-route.ts'

/** Requests refused for being too many, as many a second as may be met aside, before it is a flood. */
const FLOOD = 100

export interface ChatQuery {
  readonly room: string
  /** Empty for someone who gives none. */
  readonly name: string
  readonly history: number
  readonly hearsItself: boolean
}

export interface ChatRouteContext extends RouteContext {
  readonly admission: PeerContext
}

/** Rooms: what one member sends, all of the room get. */
export async function chatRoute (app: FastifyInstance, context: ChatRouteContext): Promise<void> {
  const { settings: { chat, compression, limits, dataSchema, heartbeatInterval }, admission } = context
  if (chat === false) return
  const checkData = compileDataSchema(dataSchema)
  // JSON has no Infinity: what has no limit is not said.
  const welcome = {
    limits: {
      ...Number.isFinite(limits.chatPayload) && { payload: limits.chatPayload },
      ...Number.isFinite(limits.roomsPerMember) && { rooms: limits.roomsPerMember },
      ...Number.isFinite(limits.messageRate) && { rate: limits.messageRate },
      ...Number.isFinite(limits.messageRate) && Number.isFinite(limits.messageBurst) && { burst: limits.messageBurst },
      ...Number.isFinite(limits.byteRate) && { byteRate: limits.byteRate },
      ...Number.isFinite(limits.byteRate) && Number.isFinite(limits.byteBurst) && { byteBurst: limits.byteBurst }
    },
    heartbeat: heartbeatInterval
  }
  const rates: MessageRates = {
    requests: new Rate(limits.messageRate, limits.messageBurst),
    bytes: new Rate(limits.byteRate, limits.byteBurst)
  }
  const v1 = {
    helloTimeout: limits.handshakeTimeout,
    history: chat.history,
    checkData,
    jsonDepth: limits.jsonDepth,
    rates,
    flood: new Rate(limits.messageRate, FLOOD)
  }

  upgradeRoute(app, context, {
    path: chat.path,
    protocol: SUBPROTOCOL,
    compression,
    payload: limits.chatPayload,
    backlog: limits.backlog,
    parse: (query) => parseQuery(query as Record<string, unknown>, chat),
    serve (connection, query, request, { protocol, deflate }) {
      // Nothing of the request outlives the handshake, unless the app wants to see it once more.
      const seen = admission.hooks.authenticate === undefined ? undefined : request
      if (protocol === SUBPROTOCOL) serveV1(connection, seen, deflate)
      else servePlain(connection, seen, query, deflate)
    }
  })

  function servePlain (connection: Connection, request: FastifyRequest | undefined, query: ChatQuery, deflate: boolean): void {
    const { room, name, hearsItself, history } = query
    if (chat !== false && chat.greeting !== false) connection.reply(frame(chat.greeting))
    const enter = keepRequest(connection, request)
    PlainHandler.serve(connection, enter({ name }), {
      room,
      deflate,
      hearsItself,
      // Half of its backlog: the live entries of the same turn must fit in too.
      history: { limit: history, maxBytes: limits.backlog / 2 },
      timeout: limits.handshakeTimeout,
      rates
    })
  }

  function serveV1 (connection: Connection, request: FastifyRequest | undefined, deflate: boolean): void {
    const enter = keepRequest(connection, request)
    connection.serve(new V1Handler(connection, async (hello) => {
      const session = hello.session ?? newSession()
      const member = await enter({ ...hello, session })
      return member && { member, welcome: { session, ...welcome } }
    }, deflate, v1))
  }

  /** Charges a request to the connection until its client is admitted. Returns the function that admits the client. */
  function keepRequest (connection: Connection, request: FastifyRequest | undefined): (said: Hello) => Promise<Peer | undefined> {
    const cost = request === undefined ? 0 : requestCost(request.raw)
    connection.received.charge(cost)
    return async (said) => {
      const member = await admit(connection, request, said, admission)
      if (member !== undefined) connection.received.giveBack(cost)
      return member
    }
  }
}

/** @throws InvalidOption when it is no JSON Schema */
function compileDataSchema (schema: object | undefined): (data: unknown) => void {
  if (schema === undefined) return () => {}
  const validator = Compile(schema)
  return (data) => {
    if (validator.Check(data)) return
    const [error] = validator.Errors(data)
    throw new InvalidData(error?.instancePath ?? '', error?.message ?? 'is not valid')
  }
}

/** @throws InvalidQuery */
function parseQuery (query: Record<string, unknown>, defaults: Exclude<Settings['chat'], false>): ChatQuery {
  for (const parameter of ['room', 'name', 'history', 'self']) {
    if (Array.isArray(query[parameter])) throw new InvalidQuery(parameter, 'must be given once, and was given twice')
  }
  const { room = defaults.defaultRoom, name = '', history = '0', self } = query
  if (typeof room !== 'string' || !roomName.test(room)) {
    throw new InvalidQuery('room', 'must be 1 to 64 letters, digits and ._:-')
  }
  const shown = typeof name === 'string' ? name && normalizeName(name) : undefined
  if (shown === undefined) throw new InvalidQuery('name', nameRule(String(name)))
  // A schema of the app's own may have made numbers of these.
  if (!/^\d{1,6}$/.test(String(history))) {
    throw new InvalidQuery('history', 'must be a whole number from 0 to 999999')
  }
  if (self !== undefined && !/^[01]$/.test(String(self))) {
    throw new InvalidQuery('self', 'must be 0 or 1')
  }
  return { room: copyString(room), name: copyString(shown), history: Number(history), hearsItself: self === undefined ? defaults.includeSender : String(self) === '1' }
}

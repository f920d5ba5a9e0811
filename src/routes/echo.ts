import type { FastifyInstance } from 'fastify'
import type { Connection } from '../connection.ts'
import { BINARY, TEXT, frame } from '../frame.ts'
import type { Settings } from '../options.ts'
import { websocketRoute, type RouteContext } from './websocket-route.ts'

/** What you send comes back: text as text, binary as binary. */
export async function echoRoute (app: FastifyInstance, context: RouteContext): Promise<void> {
  const { echo, limits } = context.settings
  if (echo === false) return
  websocketRoute(app, context, {
    path: echo.path,
    payload: limits.echoPayload,
    // Nothing more is read from who doesn't read, so nothing piles up.
    backlog: Infinity,
    parse: () => undefined,
    serve: (connection) => serveEcho(connection, echo)
  })
}

function serveEcho (connection: Connection, { greeting, reply }: Exclude<Settings['echo'], false>): void {
  const answer = (opcode: typeof TEXT | typeof BINARY, payload: string | Uint8Array) =>
    connection.reply(frame(opcode, payload)) ? undefined : connection.drained()

  connection.receive((message) => {
    const { data, isBinary } = message
    connection.logReceived(message)
    if (reply === undefined) return answer(isBinary ? BINARY : TEXT, data)
    return answerWith(reply(isBinary ? data : data.toString(), isBinary))
  })
  if (greeting !== undefined) connection.reply(frame(TEXT, greeting))

  async function answerWith (pending: ReturnType<typeof reply & {}>): Promise<void> {
    const payload = await pending
    if (payload !== undefined) await answer(typeof payload === 'string' ? TEXT : BINARY, payload)
  }
}

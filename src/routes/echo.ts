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
    connection.write(frame(opcode, payload), 1) ? undefined : connection.drained()

  connection.receive(({ data, isBinary }) => {
    connection.log.debug(isBinary ? { bytes: data.length } : { text: data.toString() }, 'received')
    if (reply === undefined) return answer(isBinary ? BINARY : TEXT, data)
    return answerWith(reply(isBinary ? data : data.toString(), isBinary))
  })
  if (greeting !== undefined) connection.write(frame(TEXT, greeting), 1)

  async function answerWith (pending: ReturnType<typeof reply & {}>): Promise<void> {
    const payload = await pending
    if (payload !== undefined) await answer(typeof payload === 'string' ? TEXT : BINARY, payload)
  }
}

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
  connection.receive((message) => {
    const { data, isBinary } = message
    connection.logReceived(message)
    if (reply === undefined) return answer(isBinary ? BINARY : TEXT, data)
    const replied = reply(isBinary ? data : data.toString(), isBinary)
    // One that is there is answered at once, in the write of all that was read with it.
    return replied instanceof Promise ? replied.then(answerWith) : answerWith(replied)
  })
  if (greeting !== undefined) connection.reply(frame(TEXT, greeting))

  function answerWith (payload: string | Uint8Array | undefined): Promise<void> | undefined {
    return payload === undefined ? undefined : answer(typeof payload === 'string' ? TEXT : BINARY, payload)
  }

  /** Resolves when more may be answered; undefined: at once. */
  function answer (opcode: number, payload: string | Uint8Array): Promise<void> | undefined {
    return connection.reply(frame(opcode, payload)) ? undefined : connection.drained()
  }
}

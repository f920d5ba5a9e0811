import type { FastifyInstance } from 'fastify'
import type { Connection, MessageHandler } from '../connection/connection.ts'
import { InvalidHookResult } from '../errors.ts'
import { BINARY, TEXT, frame, opcodeOf, type Payload } from '../connection/frame.ts'
import type { Message } from '../connection/receive-queue.ts'
import type { Reply } from '../options.ts'
import { upgradeRoute, type RouteContext } from '../upgrade/upgrade-route.ts'

/** What you send comes back: text as text, binary as binary. */
export async function echoRoute (app: FastifyInstance, context: RouteContext): Promise<void> {
  const { echo, limits } = context.settings
  if (echo === false) return
  upgradeRoute(app, context, {
    path: echo.path,
    payload: limits.echoPayload,
    // Nothing more is read from who doesn't read, so nothing piles up.
    backlog: Infinity,
    parse: () => undefined,
    serve (connection) {
      if (echo.greeting !== undefined) connection.reply(frame(echo.greeting))
      connection.serve(new EchoHandler(connection, echo.reply))
    }
  })
}

class EchoHandler implements MessageHandler {
  readonly #connection: Connection
  readonly #reply: Reply | undefined

  constructor (connection: Connection, reply: Reply | undefined) {
    this.#connection = connection
    this.#reply = reply
  }

  receive (message: Message): void | Promise<void> {
    const { data, isBinary } = message
    this.#connection.logReceived(message)
    if (this.#reply === undefined) return this.#answer(data, isBinary ? BINARY : TEXT)
    const replied = this.#reply(isBinary ? data : data.toString(), isBinary)
    // One that is there is answered at once, in the write of all that was read with it.
    return isPayload(replied) ? this.#answerWith(replied) : this.#answerLater(replied)
  }

  async #answerLater (replied: Promise<Payload | undefined>): Promise<void> {
    const payload = await replied
    // Of another view, or of an object, frames would be made that carry memory of this process.
    if (!isPayload(payload)) throw new InvalidHookResult('echo.reply', 'must return a string, a Uint8Array, or nothing')
    await this.#answerWith(payload)
  }

  #answerWith (payload: Payload | undefined): Promise<void> | undefined {
    return payload === undefined ? undefined : this.#answer(payload, opcodeOf(payload))
  }

  /** Resolves when more may be answered; undefined: at once. */
  #answer (payload: Payload, opcode: number): Promise<void> | undefined {
    return this.#connection.reply(frame(payload, opcode)) ? undefined : this.#connection.drained()
  }
}

function isPayload (replied: unknown): replied is Payload | undefined {
  return replied === undefined || typeof replied === 'string' || replied instanceof Uint8Array
}

import type { FastifyInstance } from 'fastify'
import type { Connection } from '../connection/connection.ts'
import { logReceived } from '../connection/received-log.ts'
import type { MessageHandler } from '../connection/receiver.ts'
import type { Payload } from '../connection/writer.ts'
import { InvalidHookResult } from '../errors.ts'
import { inContext } from '../hooks.ts'
import type { Message } from '../connection/message.ts'
import type { Reply } from '../options.ts'
import { upgradeRoute, type RouteContext } from '../upgrade/upgrade-route.ts'

/** Adds the echo route: returns each message to its sender, text as text and binary as binary. */
export async function echoRoute (app: FastifyInstance, context: RouteContext): Promise<void> {
  const { echo, limits } = context.settings
  if (echo === false) return
  upgradeRoute(app, context, {
    path: echo.path,
    payload: limits.echoPayload,
    payloadOption: 'limits.echoPayload',
    // A client that doesn't read is not read from, so nothing accumulates.
    pendingBytes: Infinity,
    parse: () => undefined,
    serve (connection) {
      if (echo.greeting !== undefined) connection.writer.reply(echo.greeting)
      const { reply } = inContext({ reply: echo.reply })
      connection.receiver.serve(new EchoHandler(connection, reply))
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
    const { isBinary } = message
    logReceived(this.#connection.log, message)
    if (this.#reply === undefined) return this.#answer(message.data, isBinary)
    const replied = this.#reply(isBinary ? message.data : message.text, isBinary)
    // A synchronous reply is sent in the same write as the replies to all messages of this read.
    return isPayload(replied) ? this.#answerWith(replied) : this.#answerLater(replied)
  }

  async #answerLater (replied: Promise<Payload | undefined>): Promise<void> {
    const payload = await replied
    // A frame made of another view or of an object could contain memory of this process.
    if (!isPayload(payload)) throw new InvalidHookResult('echo.reply', 'must return a string, a Uint8Array or undefined')
    await this.#answerWith(payload)
  }

  #answerWith (payload: Payload | undefined): Promise<void> | undefined {
    if (payload === undefined) return undefined
    // The app may change its bytes afterwards.
    return typeof payload === 'string' ? this.#answer(payload, false) : this.#answer(Buffer.from(payload), true)
  }

  /** Resolves when the next reply may be sent. Returns undefined if that is now. */
  #answer (payload: Payload, isBinary: boolean): Promise<void> | undefined {
    const { writer } = this.#connection
    return writer.reply(payload, isBinary) ? undefined : writer.drained()
  }
}

function isPayload (replied: unknown): replied is Payload | undefined {
  return replied === undefined || typeof replied === 'string' || replied instanceof Uint8Array
}

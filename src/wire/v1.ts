import type { Connection } from '../connection.ts'
import type { Member } from '../member.ts'
import type { ClientMessage, ServerMessage } from '../messages.ts'
import { CloseCode, ErrorCode } from '../protocol.ts'
import { acknowledge } from '../seat.ts'
import { InvalidMessage, concerns, parseMessage } from './parse.ts'
import { ackFrame, deflatedV1Format, encode, historyFrame, v1Format } from './v1-format.ts'
import { errorFor } from './error-answer.ts'

/** What the connection says of itself once it has said hello. */
export type Welcome = Pick<Extract<ServerMessage, { type: 'welcome' }>, 'session' | 'limits' | 'heartbeat'>

export interface V1Options {
  /** Who says hello; undefined when the connection was closed for it. */
  readonly enter: (hello: Extract<ClientMessage, { type: 'hello' }>) => Promise<{ member: Member, welcome: Welcome } | undefined>
  /** Whether it takes deflated frames. */
  readonly deflate: boolean
  /** ms within which hello must come */
  readonly helloTimeout: number
  /** entries of a join that doesn't say */
  readonly history: number
  /** @throws InvalidData */
  readonly checkData: (data: unknown) => void
}

/** Bytes of content in one page of history. */
const PAGE_BYTES = 64 * 1024

/** Frames that are not valid, beyond those that are, before the connection is closed. */
const STRIKES = 10

/** The wire of `fastify-chat.v1`: JSON in text frames. docs/PROTOCOL.md */
export function speakV1 (connection: Connection, { enter, deflate, helloTimeout, history, checkData }: V1Options): void {
  let member: Member | undefined
  let strikes = 0
  let greeting = false
  const deadline = setTimeout(() => {
    if (greeting) connection.close(CloseCode.tryAgainLater, 'try again later')
    else connection.close(CloseCode.noHello, 'no hello in time')
  }, helloTimeout).unref()
  connection.onClose(() => clearTimeout(deadline))

  connection.receive((received) => {
    let message: ClientMessage
    try {
      message = parseMessage(received)
    } catch (error) {
      if (!(error instanceof InvalidMessage)) throw error
      if (++strikes >= STRIKES) return connection.close(CloseCode.badFrame, 'too many frames that are not valid')
      return send({ type: 'error', code: ErrorCode.invalid, message: error.message, ...error.concerns })
    }
    if (strikes > 0) strikes--
    if (message.type === 'post') connection.logReceived(received, message.room)
    try {
      return handle(message)?.catch((error: unknown) => answerError(message, error))
    } catch (error) {
      answerError(message, error)
    }
  })

  function handle (message: ClientMessage): Promise<void> | undefined {
    if (message.type === 'ping') return send({ type: 'pong', id: message.id })
    if ((message.type === 'hello') !== (member === undefined)) {
      return send({ type: 'error', code: ErrorCode.hello, message: 'hello comes first, and once', ...concerns(message) })
    }
    switch (message.type) {
      case 'hello': return greet(message)
      case 'join': return join(message)
      case 'leave':
        member!.leave(message.room)
        return send({ type: 'left', room: message.room })
      case 'post': return post(message)
      case 'typing':
        member!.typing(message.room)
        return
      case 'history': return page(message)
    }
  }

  async function greet (hello: Extract<ClientMessage, { type: 'hello' }>): Promise<void> {
    greeting = true
    const entered = await enter(hello).finally(() => { greeting = false })
    if (entered === undefined) return
    clearTimeout(deadline)
    member = entered.member
    send({ type: 'welcome', member: member.identity, ...entered.welcome })
  }

  async function join ({ room, after, history: limit = history }: Extract<ClientMessage, { type: 'join' }>): Promise<void> {
    await member!.join(room, { format: deflate ? deflatedV1Format : v1Format, hearsItself: true, after, limit, maxBytes: PAGE_BYTES })
  }

  function post (message: Extract<ClientMessage, { type: 'post' }>): Promise<void> | undefined {
    const { room, id, text, data, since } = message
    if (data !== undefined) checkData(data)
    const life = member!.seat(room)?.life ?? 0
    const { submitted, stored } = member!.post({ room, id, body: text, data, since })
    stored.then(({ n, position, again }) => {
      const ack = ackFrame(id, room, position)
      const seat = member!.seat(room)
      if (seat === undefined || again) connection.reply(ack)
      else acknowledge(seat, n, life, ack)
    }, (error: unknown) => answerError(message, error))
    return submitted
  }

  async function page ({ room, before, limit }: Extract<ClientMessage, { type: 'history' }>): Promise<void> {
    connection.reply(historyFrame(room, before, await member!.history(room, before, limit, PAGE_BYTES)))
  }

  function answerError (message: ClientMessage, error: unknown): void {
    const answer = errorFor(error)
    if (answer === undefined) return connection.fail(error)
    if (answer.code === ErrorCode.unavailable || answer.code === ErrorCode.unknown) {
      connection.log.warn({ err: error }, 'the store failed')
    }
    // Only a post may have been done all the same.
    const code = answer.code === ErrorCode.unknown && message.type !== 'post' ? ErrorCode.unavailable : answer.code
    send({ type: 'error', code, message: answer.message, ...concerns(message) })
  }

  function send (message: ServerMessage): undefined {
    connection.reply(encode(message))
  }
}

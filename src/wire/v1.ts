import type { Connection, Session } from '../connection.ts'
import type { Message } from '../inbox.ts'
import type { Member } from '../member.ts'
import type { ClientMessage, ServerMessage } from '../messages.ts'
import { CloseCode, ErrorCode } from '../protocol.ts'
import { acknowledge, type Format } from '../seat.ts'
import { InvalidMessage, concerns, parseMessage } from './parse.ts'
import { ackFrame, deflatedV1Format, encode, historyFrame, v1Format } from './v1-format.ts'
import { errorFor } from './error-answer.ts'

/** What the connection says of itself once it has said hello. */
export type Welcome = Pick<Extract<ServerMessage, { type: 'welcome' }>, 'session' | 'limits' | 'heartbeat'>

type Request<Type extends ClientMessage['type']> = Extract<ClientMessage, { type: Type }>

/** What the sessions of one route share. */
export interface V1Context {
  /** ms within which hello must come */
  readonly helloTimeout: number
  /** entries of a join that doesn't say */
  readonly history: number
  /** @throws InvalidData */
  readonly checkData: (data: unknown) => void
}

/** Who says hello; undefined when the connection was closed for it. */
export type Enter = (hello: Request<'hello'>) => Promise<{ member: Member, welcome: Welcome } | undefined>

/** Bytes of content in one page of history. */
const PAGE_BYTES = 64 * 1024

/** Frames that are not valid, beyond those that are, before the connection is closed. */
const STRIKES = 10

/** The wire of `fastify-chat.v1`: JSON in text frames. docs/PROTOCOL.md */
export class V1Session implements Session {
  readonly #connection: Connection
  readonly #context: V1Context
  readonly #format: Format
  /** There until it is needed no more: it leads to the request. */
  #enter: Enter | undefined
  #deadline: NodeJS.Timeout | undefined
  #member: Member | undefined
  #strikes = 0
  #greeting = false

  /** @param deflate whether it takes deflated frames */
  constructor (connection: Connection, enter: Enter, deflate: boolean, context: V1Context) {
    this.#connection = connection
    this.#enter = enter
    this.#format = deflate ? deflatedV1Format : v1Format
    this.#context = context
    this.#deadline = setTimeout(() => {
      if (this.#greeting) connection.close(CloseCode.tryAgainLater, 'try again later')
      else connection.close(CloseCode.noHello, 'no hello in time')
    }, context.helloTimeout).unref()
  }

  receive (received: Message): void | Promise<void> {
    let message: ClientMessage
    try {
      message = parseMessage(received)
    } catch (error) {
      if (!(error instanceof InvalidMessage)) throw error
      if (++this.#strikes < STRIKES) {
        return this.#send({ type: 'error', code: ErrorCode.invalid, message: error.message, ...error.concerns })
      }
      return this.#connection.close(CloseCode.badFrame, 'too many frames that are not valid')
    }
    if (this.#strikes > 0) this.#strikes--
    if (message.type === 'post') this.#connection.logReceived(received, message.room)
    try {
      return this.#handle(message)?.catch((error: unknown) => this.#answerError(message, error))
    } catch (error) {
      return this.#answerError(message, error)
    }
  }

  ended (): void {
    this.#clearDeadline()
    this.#member?.ended()
  }

  #handle (message: ClientMessage): void | Promise<void> {
    if (message.type === 'ping') return this.#send({ type: 'pong', id: message.id })
    const member = this.#member
    if (message.type === 'hello' && member === undefined) return this.#greet(message)
    if (message.type === 'hello' || member === undefined) {
      return this.#send({ type: 'error', code: ErrorCode.hello, message: 'hello comes first, and once', ...concerns(message) })
    }
    switch (message.type) {
      case 'join': return this.#join(member, message)
      case 'leave':
        member.leave(message.room)
        return this.#send({ type: 'left', room: message.room })
      case 'post': return this.#post(member, message)
      case 'typing': return member.typing(message.room)
      case 'history': return this.#page(member, message)
    }
  }

  async #greet (hello: Request<'hello'>): Promise<void> {
    this.#greeting = true
    const entered = await this.#enter!(hello).finally(() => { this.#greeting = false })
    if (entered === undefined) return
    this.#clearDeadline()
    this.#enter = undefined
    this.#member = entered.member
    this.#send({ type: 'welcome', member: entered.member.identity, ...entered.welcome })
  }

  async #join (member: Member, { room, after, history: limit = this.#context.history }: Request<'join'>): Promise<void> {
    await member.join(room, { format: this.#format, hearsItself: true, after, limit, maxBytes: PAGE_BYTES })
  }

  #post (member: Member, message: Request<'post'>): Promise<void> | undefined {
    const { room, id, text, data, since } = message
    if (data !== undefined) this.#context.checkData(data)
    const life = member.seat(room)?.life ?? 0
    const { submitted, stored } = member.post({ room, id, body: text, data, since })
    stored.then(({ n, position, again }) => {
      const ack = ackFrame(id, room, position)
      const seat = member.seat(room)
      if (seat === undefined || again) this.#connection.reply(ack)
      else acknowledge(seat, n, life, ack)
    }, (error: unknown) => this.#answerError(message, error))
    return submitted
  }

  async #page (member: Member, { room, before, limit }: Request<'history'>): Promise<void> {
    this.#connection.reply(historyFrame(room, before, await member.history(room, before, limit, PAGE_BYTES)))
  }

  #answerError (message: ClientMessage, error: unknown): void {
    const answer = errorFor(error)
    if (answer === undefined) return this.#connection.fail(error)
    if (answer.code === ErrorCode.unavailable || answer.code === ErrorCode.unknown) {
      this.#connection.log.warn({ err: error }, 'the store failed')
    }
    // Only a post may have been done all the same.
    const code = answer.code === ErrorCode.unknown && message.type !== 'post' ? ErrorCode.unavailable : answer.code
    this.#send({ type: 'error', code, message: answer.message, ...concerns(message) })
  }

  #send (message: ServerMessage): void {
    this.#connection.reply(encode(message))
  }

  #clearDeadline (): void {
    clearTimeout(this.#deadline)
    this.#deadline = undefined
  }
}

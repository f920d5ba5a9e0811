import { Allowance, type MessageRates } from '../connection/allowance.ts'
import type { Connection, MessageHandler } from '../connection/connection.ts'
import { HandshakeTimeout } from '../errors.ts'
import { frame } from '../connection/frame.ts'
import type { Message } from '../connection/receive-queue.ts'
import type { Peer } from '../rooms/peer.ts'
import type { ClientMessage, ServerMessage } from '../messages.ts'
import { CloseCode, ErrorCode, PAGE_COST } from '../protocol.ts'
import { acknowledge, type Format } from '../rooms/membership.ts'
import { TokenBucket, type Rate } from '../connection/token-bucket.ts'
import { InvalidMessage, concerns, parseMessage } from './v1-decode.ts'
import { ack, deflatedV1Format, history, v1Format } from './v1-encode.ts'
import { errorFor } from './v1-errors.ts'

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
  /** levels of `data` */
  readonly jsonDepth: number
  readonly rates: MessageRates
  /** of requests refused for being too many: beyond it, it is a flood */
  readonly flood: Rate
}

/** Who says hello; undefined when the connection was closed for it. */
export type Enter = (hello: Request<'hello'>) => Promise<{ member: Peer, welcome: Welcome } | undefined>

/** Bytes of content in one page of history. */
const PAGE_BYTES = 64 * 1024

/** Frames that are not valid, beyond those that are, before the connection is closed. */
const STRIKES = 10

/** The wire of `fastify-chat.v1`: JSON in text frames. docs/PROTOCOL.md */
export class V1Handler implements MessageHandler {
  readonly #connection: Connection
  readonly #context: V1Context
  readonly #format: Format
  /** There until it is needed no more: it leads to the request. */
  #enter: Enter | undefined
  #deadline: NodeJS.Timeout | undefined
  #member: Peer | undefined
  readonly #allowance: Allowance
  /** There once a request was refused. */
  #refusals: TokenBucket | undefined
  #strikes = 0
  #greeting = false

  /** @param deflate whether it takes deflated frames */
  constructor (connection: Connection, enter: Enter, deflate: boolean, context: V1Context) {
    this.#connection = connection
    this.#enter = enter
    this.#format = deflate ? deflatedV1Format : v1Format
    this.#context = context
    this.#allowance = new Allowance(context.rates)
    this.#deadline = setTimeout(() => {
      if (this.#greeting) connection.close(CloseCode.tryAgainLater, 'try again later', { err: new HandshakeTimeout() })
      else connection.close(CloseCode.noHello, 'no hello in time')
    }, context.helloTimeout).unref()
  }

  receive (received: Message): void | Promise<void> {
    let message: ClientMessage
    try {
      message = parseMessage(received, this.#context.jsonDepth)
    } catch (error) {
      if (!(error instanceof InvalidMessage)) throw error
      this.#allowance.spend(1, received.data.length)
      if (++this.#strikes < STRIKES) {
        return this.#send({ type: 'error', code: ErrorCode.invalid, message: error.message, ...error.concerns })
      }
      return this.#connection.close(CloseCode.badFrame, 'too many frames that are not valid')
    }
    if (this.#strikes > 0) this.#strikes--
    const wait = this.#allowance.take(message.type === 'history' ? PAGE_COST : 1, received.data.length)
    if (wait > 0) return this.#refuse(message, wait)
    if (message.type === 'post') this.#connection.logReceived(received, message.room)
    try {
      return this.#handle(message)?.catch((error: unknown) => this.#answerError(message, error))
    } catch (error) {
      return this.#answerError(message, error)
    }
  }

  drain (reconnectIn: number): void {
    this.#send({ type: 'draining', reconnectIn })
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
    this.#allowance.fill()
    this.#send({ type: 'welcome', member: entered.member.member, ...entered.welcome })
  }

  async #join (member: Peer, { room, after, history: limit = this.#context.history }: Request<'join'>): Promise<void> {
    await member.join(room, { format: this.#format, hearsItself: true, after, limit, maxBytes: PAGE_BYTES })
  }

  #post (member: Peer, message: Request<'post'>): Promise<void> | undefined {
    const { room, id, text, data, since } = message
    if (data !== undefined) this.#context.checkData(data)
    const life = member.seat(room)?.epoch ?? 0
    const { submitted, stored } = member.post({ room, id, body: text, data, since })
    stored.then(({ n, position, again }) => {
      const text = ack(id, room, position)
      const seat = member.seat(room)
      if (seat === undefined || again) this.#connection.reply(frame(text))
      else acknowledge(seat, n, life, text)
    }, (error: unknown) => this.#answerError(message, error))
    return submitted
  }

  async #page (member: Peer, { room, before, limit }: Request<'history'>): Promise<void> {
    this.#connection.reply(frame(history(room, before, await member.history(room, before, limit, PAGE_BYTES))))
  }

  /** @param wait ms after which it could be met */
  #refuse (message: ClientMessage, wait: number): void {
    this.#refusals ??= new TokenBucket(this.#context.flood)
    if (this.#refusals.take(1) > 0) return this.#connection.close(CloseCode.policy, 'too many requests', { fault: 'flood' })
    const text = `too many requests: ask again in ${wait} ms`
    this.#send({ type: 'error', code: ErrorCode.rateLimited, message: text, retryAfter: wait, ...concerns(message) })
  }

  #answerError (message: ClientMessage, error: unknown): void {
    const answer = errorFor(error)
    if (answer === undefined) return this.#connection.fail(error)
    const failed = answer.code === ErrorCode.unavailable || answer.code === ErrorCode.unknown
    // Only a post may have been done all the same.
    const code = answer.code === ErrorCode.unknown && message.type !== 'post' ? ErrorCode.unavailable : answer.code
    this.#send({ type: 'error', code, message: answer.message, ...concerns(message) }, failed ? { err: error } : undefined)
  }

  /** @param details of an error, for the log */
  #send (message: ServerMessage, details?: object): void {
    if (message.type === 'error') {
      const { code, message: text, room, request } = message
      this.#connection.refused(code, text, { request, room, ...details })
    }
    this.#connection.reply(frame(JSON.stringify(message)))
  }

  #clearDeadline (): void {
    clearTimeout(this.#deadline)
    this.#deadline = undefined
  }
}

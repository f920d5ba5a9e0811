import { Allowance, type MessageRates } from '../connection/allowance.ts'
import type { Connection } from '../connection/connection.ts'
import { logReceived } from '../connection/received-log.ts'
import type { MessageHandler } from '../connection/receiver.ts'
import { HandshakeTimeout } from '../errors.ts'
import type { Message } from '../connection/message.ts'
import type { DirectReceiver } from '../rooms/peer/attendances.ts'
import type { Peer } from '../rooms/peer/peer.ts'
import type { ClientMessage, ServerMessage } from '../messages.ts'
import { CloseCode, ErrorCode } from '../protocol.ts'
import { TokenBucket, type Rate } from '../connection/token-bucket.ts'
import { InvalidMessage, concerns, parseMessage } from './v1-decode.ts'
import { v1EncodingFor } from './v1-encode-changes.ts'
import { errorFor } from './error-answer.ts'
import { bytesOf, dataOf, requestsOf } from './request-cost.ts'
import { V1Requests, type RequestOwner, type V1RequestsContext } from './v1-requests.ts'

/** The properties of `welcome` that the connection determines. */
export type Welcome = Pick<Extract<ServerMessage, { type: 'welcome' }>, 'session' | 'limits' | 'heartbeat' | 'features'>

type Request<Type extends ClientMessage['type']> = Extract<ClientMessage, { type: Type }>

/** Shared by the handlers of one route. */
export interface V1Context extends V1RequestsContext {
  /** ms within which `hello` must arrive */
  readonly helloTimeout: number
  /** maximum rooms of a connection */
  readonly rooms: number
  /** maximum bytes of a message, and of its content as it is kept */
  readonly payload: number
  /** levels of objects and arrays allowed in `data` */
  readonly jsonDepth: number
  readonly rates: MessageRates
  /** limits refused requests; above this rate the connection is closed */
  readonly flood: Rate
}

/**
 * Authenticates the sender of `hello`. Resolves with undefined if the connection was closed. direct: receives the messages to the
 * member.
 */
export type Enter = (hello: Request<'hello'>, direct: DirectReceiver) => Promise<{ peer: Peer, welcome: Welcome } | undefined>

/** State until `hello` is answered. `enter` references the request. */
interface Handshake {
  readonly enter: Enter
  /** whether the client accepts deflated frames */
  readonly deflate: boolean
  readonly deadline: NodeJS.Timeout
  /** Whether `hello` has arrived. */
  hasBegun: boolean
}

/** Requests that may have been applied in spite of an error. */
const changing: ReadonlySet<ClientMessage['type']> = new Set(['post', 'edit', 'delete', 'react'])

/** The connection is closed at this count. An invalid frame increments the count; a valid one decrements it. */
const MAX_STRIKES = 10

/** The wire of `fastify-chat.v1`: JSON in text frames. docs/PROTOCOL.md */
export class V1Handler implements MessageHandler, DirectReceiver, RequestOwner {
  readonly #connection: Connection
  readonly #context: V1Context
  #handshake: Handshake | undefined
  /** Set by `hello`. */
  #requests: V1Requests | undefined
  #allowance: Allowance
  /** Created when the first request is refused. */
  #refusals: TokenBucket | undefined
  #strikes = 0
  #joins = 0

  /** @param deflate whether the client accepts deflated frames */
  constructor (connection: Connection, enter: Enter, deflate: boolean, context: V1Context) {
    this.#connection = connection
    this.#context = context
    this.#allowance = new Allowance(context.rates)
    const deadline = setTimeout(() => {
      const option = 'limits.handshakeTimeout'
      if (handshake.hasBegun) connection.close(CloseCode.tryAgainLater, 'the handshake timed out', { err: new HandshakeTimeout(), option })
      else connection.close(CloseCode.noHello, 'no hello in time', { option })
    }, context.helloTimeout).unref()
    const handshake = this.#handshake = { enter, deflate, deadline, hasBegun: false }
  }

  receive (received: Message): void | Promise<void> {
    let message: ClientMessage
    let data: string | undefined
    let bytes: number
    try {
      message = parseMessage(received, this.#context.jsonDepth)
      data = dataOf(message)
      bytes = bytesOf(message, data, received.length, this.#context.payload)
    } catch (error) {
      if (!(error instanceof InvalidMessage)) throw error
      this.#allowance.spend(1, received.length)
      if (++this.#strikes < MAX_STRIKES) {
        return this.#send({ type: 'error', code: ErrorCode.invalid, message: error.message, ...error.concerns })
      }
      return this.#connection.close(CloseCode.badFrame, 'too many invalid frames')
    }
    if (this.#strikes > 0) this.#strikes--
    const cost = requestsOf(message, this.#joins, this.#context.rooms)
    const wait = this.#allowance.take(cost, bytes)
    if (wait > 0) return this.#refuse(message, wait, this.#allowance.limitingOption(cost, bytes))
    if (message.type === 'join') this.#joins++
    if (message.type === 'post' || message.type === 'edit') logReceived(this.#connection.log, received, message.room)
    try {
      return this.#handle(message, data)?.catch((error: unknown) => this.answerError(message, error))
    } catch (error) {
      return this.answerError(message, error)
    }
  }

  delivered (): Promise<unknown> | undefined { return this.#requests?.peer.delivered() }

  drain (reconnectIn: number): void {
    this.#send({ type: 'draining', reconnectIn })
  }

  receiveDirect (data: string): void {
    // `welcome` must be the first message.
    if (this.#requests !== undefined) this.#connection.writer.reply(`{"type":"direct","data":${data}}`)
  }

  get memberId (): string | undefined { return this.#requests?.peer.member.id }

  ended (): void {
    clearTimeout(this.#handshake?.deadline)
    this.#requests?.peer.ended()
  }

  answerError (message: ClientMessage, error: unknown): void {
    const answer = errorFor(error, changing.has(message.type))
    if (answer === undefined) return this.#connection.fail(error)
    if (answer.kind === 'usage') this.#connection.logFault(error)
    const { code, message: text, kind, option } = answer
    this.#send({ type: 'error', code, message: text, ...concerns(message) }, { option, ...kind === 'failure' && { err: error } })
  }

  /** @param data of the message, as JSON text */
  #handle (message: ClientMessage, data: string | undefined): void | Promise<void> {
    if (message.type === 'ping') return this.#send({ type: 'pong', id: message.id })
    const requests = this.#requests
    if (message.type === 'hello' && requests === undefined) return this.#greet(message)
    if (message.type === 'hello' || requests === undefined) {
      return this.#send({ type: 'error', code: ErrorCode.hello, message: "send 'hello' first, and only once", ...concerns(message) })
    }
    return requests.handle(message, data)
  }

  async #greet (hello: Request<'hello'>): Promise<void> {
    const handshake = this.#handshake!
    handshake.hasBegun = true
    const entered = await handshake.enter(hello, this).finally(() => { handshake.hasBegun = false })
    if (entered === undefined) return
    clearTimeout(handshake.deadline)
    this.#handshake = undefined
    this.#requests = new V1Requests(entered.peer, v1EncodingFor(hello.changes === true, handshake.deflate), this.#context, this)
    this.#allowance = new Allowance(this.#context.rates)
    this.#send({ type: 'welcome', member: entered.peer.forms.member, ...entered.welcome })
  }

  /**
   * @param wait ms after which the request would be accepted
   * @param option the option that sets the exceeded rate
   */
  #refuse (message: ClientMessage, wait: number, option: string): void {
    this.#refusals ??= new TokenBucket(this.#context.flood)
    if (this.#refusals.take(1) > 0) return this.#connection.close(CloseCode.policy, 'too many requests', { fault: 'flood', option })
    const text = `rate limit exceeded: retry after ${wait} ms`
    this.#send({ type: 'error', code: ErrorCode.rateLimited, message: text, retryAfter: wait, ...concerns(message) }, { option })
  }

  /** @param details for the log, if the message is an error */
  #send (message: ServerMessage, details?: object): void {
    if (message.type === 'error') {
      const { code, message: text, room, request } = message
      this.#connection.refused(code, text, { request, room, ...details })
    }
    this.#connection.writer.reply(JSON.stringify(message))
  }
}

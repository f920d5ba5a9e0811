import { setTimeout as pause } from 'node:timers/promises'
import { Allowance, type MessageRates } from '../connection/allowance.ts'
import type { Connection } from '../connection/connection.ts'
import { webSocketFraming } from '../connection/frame.ts'
import { deflatedFraming } from '../connection/deflate.ts'
import { meaningOf } from '../error-meaning.ts'
import { HandshakeTimeout } from '../errors.ts'
import { logReceived } from '../connection/received-log.ts'
import type { MessageHandler } from '../connection/receiver.ts'
import type { Payload } from '../connection/writer.ts'
import type { Message } from '../connection/message.ts'
import type { Peer } from '../rooms/peer/peer.ts'
import type { Format } from '../rooms/batch/format.ts'
import { CloseCode } from '../protocol.ts'
import type { Entry } from '../store.ts'
import { errorFor } from './error-answer.ts'

/** Returns `ada: hello` for a sender with a name, `hello` for one without, and binary unchanged. */
function payloadOf ({ from, body }: Entry): Payload {
  return typeof body !== 'string' || from === null || from.name === '' ? body : `${from.name}: ${body}`
}

const plainFormat: Format = {
  framing: webSocketFraming,
  entry: (_room, entry) => payloadOf(entry),
  signal: () => undefined,
  ack: () => undefined,
  // Nothing is sent of an incomplete page, because this wire can't report that entries are missing.
  joined: (_room, { entries, complete }) => complete ? entries.map(payloadOf) : []
}

const deflatedFormat: Format = { ...plainFormat, framing: deflatedFraming, sameEntriesAs: plainFormat }

export interface PlainOptions {
  readonly room: string
  /** whether the client accepts deflated frames */
  readonly deflate: boolean
  /** sent once the client is admitted; false for none */
  readonly greeting: string | false
  /** whether the client receives its own messages */
  readonly includeSender: boolean
  /** bounds of the messages that the client receives when it joins */
  readonly history: { readonly limit: number, readonly maxBytes: number }
  /** ms from the upgrade until the client must have joined, including `onJoin` */
  readonly timeout: number
  readonly rates: MessageRates
}

/** The wire without a subprotocol. It has one room, and every message is a post. */
export class PlainHandler implements MessageHandler {
  readonly #connection: Connection
  #room: string
  readonly #rates: MessageRates
  #allowance: Allowance | undefined
  #peer: Peer | undefined
  /** Created for the first post, and the same for all. */
  #onRejected: ((error: unknown) => void) | undefined
  /** Set until the client has joined. */
  #deadline: NodeJS.Timeout | undefined

  constructor (connection: Connection, room: string, rates: MessageRates) {
    this.#connection = connection
    this.#room = room
    this.#rates = rates
  }

  /**
   * Serves a plain client.
   * @param entering resolves with the peer, or with undefined if the connection was closed; messages are queued until then
   */
  static serve (connection: Connection, entering: Promise<Peer | undefined>, { room, rates, timeout, ...options }: PlainOptions): void {
    const handler = new PlainHandler(connection, room, rates)
    connection.receiver.serve(handler)
    handler.#deadline = setTimeout(() => {
      connection.close(CloseCode.tryAgainLater, 'the handshake timed out', { err: new HandshakeTimeout(), option: 'limits.handshakeTimeout' })
    }, timeout).unref()
    connection.receiver.hold(handler.#join(entering, options))
  }

  receive (message: Message): Promise<void> | undefined {
    logReceived(this.#connection.log, message, this.#room)
    // Copied, because a store may keep the body, and the slice from `ws` would keep the whole socket read in memory.
    const body = message.isBinary ? new Uint8Array(message.data) : message.text
    const { membership, submitted, stored } = this.#peer!.post({ room: this.#room, body })
    this.#onRejected ??= (error) => this.#failed(error)
    membership.acknowledgements.addPost(stored, '', this.#onRejected)
    // This wire can't report a refused message. Messages above the rate are delayed instead, so that none is lost.
    const wait = (this.#allowance ??= new Allowance(this.#rates)).spend(1, message.length)
    if (wait === 0) return submitted
    return Promise.all([submitted, pause(wait, undefined, { ref: false })]).then(() => {})
  }

  get memberId (): string | undefined { return this.#peer?.member.id }

  delivered (): Promise<unknown> | undefined { return this.#peer?.delivered() }

  ended (): void {
    this.#clearDeadline()
    this.#peer?.ended()
  }

  async #join (entering: Promise<Peer | undefined>, { deflate, greeting, includeSender, history }: Omit<PlainOptions, 'room' | 'rates' | 'timeout'>): Promise<void> {
    try {
      this.#peer = await entering
      if (this.#peer !== undefined && greeting !== false) this.#connection.writer.reply(greeting)
      await this.#peer?.join(this.#room, { format: deflate ? deflatedFormat : plainFormat, includeSender, ...history })
      // The name of the room itself is one string for all members.
      this.#room = this.#peer?.find(this.#room)?.room ?? this.#room
    } catch (error) {
      this.#failed(error)
    } finally {
      this.#clearDeadline()
    }
  }

  #clearDeadline (): void {
    clearTimeout(this.#deadline)
    this.#deadline = undefined
  }

  /** Logs a post that would be refused again, which this wire can't report. Closes the connection for any other error. */
  #failed (error: unknown): void {
    const connection = this.#connection
    const room = this.#room
    const { closeCode, retryable } = meaningOf(error) ?? {}
    const answer = errorFor(error, true)
    if (answer === undefined) {
      connection.fail(error)
    } else if (closeCode !== undefined && this.#peer?.hasJoined(room) !== true) {
      connection.close(closeCode, answer.message)
    } else if (answer.kind !== 'failure' && !retryable) {
      if (answer.kind === 'usage') connection.logFault(error)
      connection.refused(answer.code, answer.message, { room })
    } else {
      connection.close(CloseCode.tryAgainLater, answer.kind === 'failure' ? 'the store failed' : answer.message, { err: error, option: answer.option })
    }
  }
}

import { setTimeout as pause } from 'node:timers/promises'
import { Allowance, type MessageRates } from '../connection/allowance.ts'
import type { Connection, MessageHandler } from '../connection/connection.ts'
import { HandshakeTimeout } from '../errors.ts'
import type { Payload } from '../connection/frame.ts'
import type { Message } from '../connection/receive-queue.ts'
import type { Peer } from '../rooms/peer.ts'
import type { Format } from '../rooms/membership.ts'
import { CloseCode, ErrorCode, type ErrorCodeName } from '../protocol.ts'
import type { Entry } from '../store.ts'
import { errorFor } from './v1-errors.ts'

/** `ada: hello` from someone with a name, `hello` from someone without; binary as it came. */
function payloadOf ({ from, body }: Entry): Payload {
  return typeof body !== 'string' || from === null || from.name === '' ? body : `${from.name}: ${body}`
}

const plainFormat: Format = {
  entry: (_room, entry) => payloadOf(entry),
  notice: () => undefined,
  // There is no word for a view that no longer holds: a plain client is just given what it asked for.
  joined: (_room, { entries, complete }) => complete ? entries.map(payloadOf) : []
}

/** Of one post; the connection goes on. */
const refusals: ReadonlySet<ErrorCodeName> = new Set([ErrorCode.forbidden, ErrorCode.refused, ErrorCode.muted])

const deflatedFormat: Format = { ...plainFormat, deflates: plainFormat }

export interface PlainOptions {
  readonly room: string
  /** Whether it takes deflated frames. */
  readonly deflate: boolean
  /** Whether it is sent its own messages too. */
  readonly hearsItself: boolean
  /** How many messages it is given first, and how many bytes of them. */
  readonly history: { readonly limit: number, readonly maxBytes: number }
  /** ms from the upgrade within which it must have joined, `onJoin` included */
  readonly timeout: number
  readonly rates: MessageRates
}

/** The wire without a subprotocol: one room, each message a post. */
export class PlainHandler implements MessageHandler {
  readonly #connection: Connection
  readonly #room: string
  readonly #rates: MessageRates
  #allowance: Allowance | undefined
  #member: Peer | undefined
  /** There until it has joined. */
  #deadline: NodeJS.Timeout | undefined

  constructor (connection: Connection, room: string, rates: MessageRates) {
    this.#connection = connection
    this.#room = room
    this.#rates = rates
  }

  /**
   * Serves a plain client.
   * @param entering gives the member once it is known; what comes meanwhile is kept
   */
  static serve (connection: Connection, entering: Promise<Peer | undefined>, { room, rates, timeout, ...options }: PlainOptions): void {
    const session = new PlainHandler(connection, room, rates)
    connection.serve(session)
    session.#deadline = setTimeout(() => {
      connection.close(CloseCode.tryAgainLater, 'try again later', { err: new HandshakeTimeout() })
    }, timeout).unref()
    connection.hold(session.#join(entering, options))
  }

  receive (message: Message): Promise<void> | undefined {
    const { data, isBinary } = message
    this.#connection.logReceived(message, this.#room)
    // Copied into memory of its own: a store may keep it, and ws hands over a slice of all that was read at once.
    const body = isBinary ? new Uint8Array(data) : data.toString()
    const { submitted, stored } = this.#member!.post({ room: this.#room, body })
    stored.catch((error: unknown) => this.#failed(error))
    // It could not be told of a message refused: one that is too fast is read from slowly instead, and loses nothing.
    const wait = (this.#allowance ??= new Allowance(this.#rates)).spend(1, data.length)
    if (wait === 0) return submitted
    return Promise.all([submitted, pause(wait, undefined, { ref: false })]).then(() => {})
  }

  ended (): void {
    clearTimeout(this.#deadline)
    this.#member?.ended()
  }

  async #join (entering: Promise<Peer | undefined>, { deflate, hearsItself, history }: Omit<PlainOptions, 'room' | 'rates' | 'timeout'>): Promise<void> {
    try {
      this.#member = await entering
      await this.#member?.join(this.#room, { format: deflate ? deflatedFormat : plainFormat, hearsItself, ...history })
    } catch (error) {
      this.#failed(error)
    } finally {
      clearTimeout(this.#deadline)
    }
  }

  /** A plain client can't be told what failed: one that is refused a post goes on, one that can't be served is closed. */
  #failed (error: unknown): void {
    const connection = this.#connection
    const room = this.#room
    const answer = errorFor(error)
    if (answer === undefined) {
      connection.fail(error)
    } else if (answer.code === ErrorCode.forbidden && this.#member?.seat(room) === undefined) {
      connection.close(CloseCode.forbidden, answer.message)
    } else if (refusals.has(answer.code)) {
      connection.refused(answer.code, answer.message, { room })
    } else {
      connection.close(CloseCode.tryAgainLater, 'try again later', { err: error })
    }
  }
}

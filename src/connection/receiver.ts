import { setTimeout as pause } from 'node:timers/promises'
import { ChargingHolder, type ByteBudget } from './byte-budget.ts'
import type { CloseDetails } from './close-reason.ts'
import { CloseCode } from '../protocol.ts'
import type { Message } from './message.ts'

/** Handles the messages of a connection. */
export interface MessageHandler {
  /** Id of the client's member; undefined until it is known. */
  readonly memberId?: string | undefined
  /**
   * Called with one message at a time, in order. The next call waits until the promise has settled. A throw or a
   * rejection closes the connection with 1011.
   */
  receive (message: Message): void | Promise<void>
  /** Resolves when the client was sent all that its messages so far cause; undefined if nothing is pending. MUST NOT reject. */
  delivered? (): Promise<unknown> | undefined
  /** Called before the server closes the connection. @param reconnectIn ms after which the client should reconnect */
  drain? (reconnectIn: number): void
  /** Called when the connection is closed. */
  ended? (): void
}

/** The connection whose messages a receiver passes on. */
export interface Source {
  readonly open: boolean
  /** Called when the next message may be handled. */
  proceed (): void
  terminate (code: number, reason: string, details: CloseDetails): void
  fail (error: unknown): void
}

/** ms after which the client may be closed although its posts weren't delivered. */
const DELIVERY_TIMEOUT = 5_000

/** Bytes of memory of a received buffer without its content: its object and the references to it. */
const BUFFER_OVERHEAD = 512

/** Returns the bytes charged for a message, for a part of an incomplete one, or for a read that waits. */
export function receivedCost ({ length }: { readonly length: number }): number { return length + BUFFER_OVERHEAD }

/**
 * Passes the messages of one connection to its handler, one at a time. Charges the bytes that aren't handled yet to the budget
 * of the process.
 */
export class Receiver extends ChargingHolder {
  readonly #source: Source
  #handler: MessageHandler | undefined
  #isBusy = false
  /** Bytes charged for the message that is being handled. */
  #handling = 0
  #messagesReceived = 0
  #bytesReceived = 0

  /** @param budget limits the bytes that the process received and hasn't handled yet */
  constructor (source: Source, budget: ByteBudget) {
    super(budget)
    this.#source = source
  }

  get messagesReceived (): number { return this.#messagesReceived }

  get bytesReceived (): number { return this.#bytesReceived }

  get handler (): MessageHandler | undefined { return this.#handler }

  /** Whether the handler's promise is pending. The source MUST NOT pass on a message meanwhile. */
  get isBusy (): boolean { return this.#isBusy }

  /** Passes all further messages to the handler. */
  serve (handler: MessageHandler): void { this.#handler = handler }

  /** Lets the next message wait until the promise settles. */
  hold (pending: Promise<void>): void {
    this.#isBusy = true
    // Not fields: each would be kept by every connection, and most never wait.
    pending.then(() => this.#settled(), (error: unknown) => {
      this.#source.fail(error)
      this.#settled()
    })
  }

  receive (message: Message): void {
    this.#messagesReceived++
    this.#bytesReceived += message.length
    if (!this.#source.open || this.#handler === undefined) return
    try {
      const pending = this.#handler.receive(message)
      if (pending === undefined) return
      this.#handling = receivedCost(message)
      this.charge(this.#handling)
      this.hold(pending)
    } catch (error) {
      this.#source.fail(error)
    }
  }

  /**
   * Resolves when the client was sent all that its messages so far cause, or after `DELIVERY_TIMEOUT`. Returns undefined if
   * nothing is pending.
   */
  delivered (): Promise<unknown> | undefined {
    const delivered = this.#handler?.delivered?.()
    return delivered && Promise.race([delivered, pause(DELIVERY_TIMEOUT, undefined, { ref: false })])
  }

  evict (): void {
    this.releaseAll()
    this.#source.terminate(CloseCode.tryAgainLater, 'receive budget exceeded', { fault: 'receive_budget', option: 'limits.receiveBudget' })
  }

  /** Called when the connection has ended. */
  ended (): void {
    this.releaseAll()
    this.#handler?.ended?.()
  }

  #settled (): void {
    this.#isBusy = false
    this.release(this.#handling)
    this.#handling = 0
    this.#source.proceed()
  }
}
